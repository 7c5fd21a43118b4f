"""The world of one story: an XNAT with a project of its own, trees on disk, and runs of upload.py in this process.

A run takes the way of the command line from its arguments to its exit code; only what people see (progress, report,
pictures) is left out, since it takes longer than all the rest.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest
import requests

import upload as script
from sandbox.xnat import XnatServer
from tcia_xnat import cli
from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import Error
from tcia_xnat.core.events import Event, Noted
from tcia_xnat.jobs.disk_to_xnat import Upload
from tcia_xnat.jobs.disk_to_xnat import run as run_upload
from tcia_xnat.planning.settings import Login
from tests.laws.story import Foreign, Run, Stored, Tree, content, dicom
from tests.upload.trees import zipped

ADMIN = ("admin", "admin")
_QUICK = ("--retries", "2", "--retry-wait", "0.02", "--max-outage", "1", "--thumbnails", "off")
_SUBJECTS = """
SELECT experiments.label AS session, subjects.label AS subject
FROM experiments JOIN subjects ON subjects.id = experiments.subject WHERE experiments.project = ?"""


@dataclass(frozen=True)
class Held:
    """One image of the archive."""

    subject: str
    session: str
    uid: str
    pixels: bytes


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code, error or reasons of series, hint, notes, and how many imports it made."""

    code: int
    error: str
    hint: str
    notes: tuple[str, ...]
    sent: int


class World:
    """One project of a server, and a folder for trees and state."""

    def __init__(self, server: XnatServer, folder: Path, project: str) -> None:
        self._server, self._folder, self.project = server, folder, project
        self._session = requests.Session()
        self._session.auth = ADMIN

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def plant(self, foreign: Foreign) -> None:
        """Have another tool's session made."""
        self._ask("PUT", f"/data/projects/{self.project}")
        query = {"import-handler": "DICOM-zip", "inbody": "true", "rename": "true", "prevent_auto_commit": "true"}
        query |= {"PROJECT_ID": self.project, "SUBJECT_ID": foreign.subject, "EXPT_LABEL": foreign.session}
        body = zipped({f"{number}.dcm": dicom(image) for number, image in enumerate(foreign.images)})
        uri = self._ask("POST", "/data/services/import", body, query).strip()
        if not foreign.waits:
            self._ask("POST", uri, query={"action": "build"})
            src = {"src": uri.removeprefix("/data"), "auto-archive": "false"}
            self._ask("POST", "/data/services/archive", query=src)

    def _ask(self, method: str, path: str, body: bytes = b"", query: Mapping[str, str] | None = None) -> str:
        headers = {"Content-Type": "application/zip"} if body else {}
        url = self._server.url + path
        answer = self._session.request(method, url, params=query, data=body, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.text

    def write(self, name: str, tree: Tree) -> Path:
        """Write a tree where another one may have lain; all files have one time, as `cp -p` and others leave them."""
        root = self._folder / name
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        for number, (path, what) in enumerate(tree.items()):
            is_link = isinstance(what, Stored) and what.form == "link"
            file = self._folder / f"linked {name} {number}" if is_link else root / path
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content(what))
            os.utime(file, (1e9, 1e9))
            if is_link:
                (root / path).symlink_to(file)
        return root

    def archive(self) -> list[Held]:
        """Return all images of the archive, from XNAT's disk."""
        rows = self._server.parts.store.rows(_SUBJECTS, self.project)
        subjects = {row["session"]: row["subject"] for row in rows}
        return [
            Held(subjects.get(path.parents[3].name, ""), path.parents[3].name, *_read(path))
            for path in self._files("archive")
        ]

    def waiting(self) -> set[tuple[str, str]]:
        """Return session and SOPInstanceUID of all images of the prearchive."""
        return {(path.parents[3].name, _read(path)[0]) for path in self._files("prearchive")}

    def _files(self, area: str) -> list[Path]:
        folder = self._server.parts.store.directory / area / self.project
        return sorted(folder.glob("*/*/SCANS/*/DICOM/*.dcm"))

    def upload(self, root: Path, run: Run) -> Ended:
        """Run upload.py once."""
        options = list(run.options)
        if run.mapping:
            options += ["--mapping", str(_written(self._folder / "mapping.csv", run.mapping.content()))]
        if run.config:
            listed = repr(list(run.config)).replace("'", '"').encode()
            options += ["--config", str(_written(self._folder / "config.json", b'{"Exclude": ' + listed + b"}"))]
        arguments = [str(root), self.project, *options, "--workdir", str(self._folder / run.workdir), *_QUICK]
        before = len(self._server.requests)
        code, error, hint, notes = _carried_out(arguments)
        asked = self._server.requests[before:]
        sent = sum("services/import" in one.path_with_query and "-turn" not in one.path_with_query for one in asked)
        return Ended(code, error, hint, notes, sent)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _read(path: Path) -> tuple[str, bytes]:
    dataset = pydicom.dcmread(path)
    return str(dataset.SOPInstanceUID), dataset.PixelData


def _carried_out(arguments: Sequence[str]) -> tuple[int, str, str, tuple[str, ...]]:
    said: list[str] = []
    events: list[Event] = []

    def carry_out(upload: Upload, login: Login, _options: dict[str, Any]) -> int:
        done = run_upload(upload, login, Stop(), events.append)
        missing = [one for one in done.result.outcomes if one.state.is_missing]
        said.extend(f"{one.series_instance_uid}: {one.reason or '(no reason)'}" for one in missing)
        said.extend(str(error) for error in (done.result.ended_by, done.unwritten) if error)
        return cli.exit_code_of(done)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(script, "carry_out", carry_out)
        try:
            with script.upload.make_context("upload.py", list(arguments)) as context:
                options = {name: value for name, value in context.params.items() if name != "debug"}
                code = script.upload.callback.__wrapped__(**options)  # type: ignore[union-attr]  # as `cli` wraps it
            hint = "; ".join(said)
        except Error as error:
            code, hint = error.exit_code, error.hint
            said.append(str(error))
    return code, "; ".join(said), hint, tuple(one.message for one in events if isinstance(one, Noted))


@contextmanager
def login(server: XnatServer) -> Iterator[None]:
    """Let runs in this process see a server, and nothing else of the environment."""
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith(("TCIA_XNAT_", "XNAT_"))]:
            patched.delenv(name)
        for name, value in {"XNAT_HOST": server.url, "XNAT_USER": "admin", "XNAT_PASS": "admin"}.items():
            patched.setenv(name, value)
        yield
