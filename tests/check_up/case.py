"""What the tests of the doctor share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from sandbox.sandbox import Sandbox
from sandbox.xnat import Settings
from tcia_xnat.core.errors import Error
from tcia_xnat.jobs.tcia_to_xnat import Job, Login
from tcia_xnat.preflight import Asked, Finding, check_up

SECRET = "w0rd" + "-of-tests"
ADMIN = ("admin", "admin")


@contextmanager
def site(folder: Path, settings: Settings) -> Iterator[Sandbox]:
    with Sandbox(folder / "sandbox", xnat=settings, collections=["cmb_aml"], pixels=16) as started:
        yield started


def asked(sandbox: Sandbox, folder: Path, project: str = "", user: tuple[str, str] = ADMIN, **changed: Any) -> Asked:  # noqa: ANN401  fields of Job
    variables = sandbox.environment
    job = Job(
        manifest="",
        output_dir=folder,
        project=project,
        nbia_url=variables["TCIA_XNAT_NBIA_URL"],
        idc_url=variables["TCIA_XNAT_IDC_URL"],
        idc_index=variables["TCIA_XNAT_IDC_INDEX"],
        spool_limit=1000,
    )
    return Asked(replace(job, **changed), Login(sandbox.xnat.url, *user))


def findings(request: Asked) -> dict[str, Finding]:
    """Return all findings by name; each name comes once."""
    found = list(check_up(request))
    by_name = {finding.name: finding for finding in found}
    assert len(by_name) == len(found)
    return by_name


def without_xnat(request: Asked, login: Login | Error | None = None) -> Asked:
    return replace(request, login=login)


def put(sandbox: Sandbox, path: str, body: str = "", **query: str) -> None:
    answer = requests.put(sandbox.xnat.url + path, data=body, params=query, auth=ADMIN, timeout=10)
    answer.raise_for_status()
