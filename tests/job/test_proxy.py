"""Where a proxy is the only way out, everything goes through it; what NO_PROXY names does not."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sandbox.sandbox import Sandbox
from tests.job.case import ONE_PATIENT, assert_holds, download, expected
from tests.job.proxy import proxy

_SERVERS = {"XNAT_HOST": "xnat.invalid", "TCIA_XNAT_NBIA_URL": "nbia.invalid", "TCIA_XNAT_IDC_URL": "idc.invalid"}
_NO_OTHERS = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"), "")


@pytest.mark.parametrize("source", ["idc", "nbia"])
def test_servers_are_reached_through_the_proxy(sandbox: Sandbox, tmp_path: Path, source: str) -> None:
    near = {host: sandbox.environment[variable] for variable, host in _SERVERS.items()}
    far = {variable: f"http://{host}{urlsplit(near[host]).path}" for variable, host in _SERVERS.items()}
    project = f"PROXY_{source}"
    with proxy(near) as between:
        environment = _NO_OTHERS | far | {"http_proxy": between.url}
        done = download(sandbox, ONE_PATIENT, tmp_path / "out", project, "--source", source, **environment)
    assert done.code == 0, done.err
    assert_holds(sandbox, project, expected(sandbox, ONE_PATIENT))
    assert between.asked == {"xnat.invalid", f"{source}.invalid"}


def test_what_needs_no_proxy_goes_past_it(sandbox: Sandbox, tmp_path: Path) -> None:
    with proxy({}) as between:
        environment = _NO_OTHERS | {"http_proxy": between.url, "no_proxy": "127.0.0.1"}
        done = download(sandbox, ONE_PATIENT, tmp_path / "out", "NO_PROXY", **environment)
    assert done.code == 0, done.err
    assert_holds(sandbox, "NO_PROXY", expected(sandbox, ONE_PATIENT))
    assert not between.asked
