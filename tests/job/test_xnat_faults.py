"""Every fault of XNAT, in a whole run: while it lasts nothing is called done, after it nothing is missing or twice."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sandbox import faults
from sandbox.faults import Action, Fault
from sandbox.sandbox import Sandbox
from tests.job.case import TWO_PATIENTS, assert_holds, download, expected, quick, several

NGINX = "<html><head><title>504 Gateway Time-out</title></head><body>nginx</body></html>"
PAGE = "<html><head><title>Status page</title></head><body><h3>{}</h3></body></html>"
LOGIN = "<!DOCTYPE html><html><body><form name='form1' action='/login'></form></body></html>"

SESSION = "MSB-07839_01"  # one of two series
IMPORT = rf"POST /data/services/import\?.*session={SESSION}(&|$)"
BUILD = rf"POST /data/prearchive/.*/{SESSION}\?action=build"
ARCHIVE = rf"POST /data/services/archive\?.*session={SESSION}(&|$)"
READ_BACK = r"GET /data/experiments/[^/]+/scans\?"
COUNTS = r"GET /data/experiments/[^/]+/scans/ALL/resources"

FAULTS: Mapping[str, tuple[str, Action]] = {
    "import: reset": (IMPORT, faults.reset()),
    "import: cut": (IMPORT, faults.cut_upload(20_000)),
    "import: done, then reset": (IMPORT, faults.acted(faults.reset())),
    "import: done, then 504": (IMPORT, faults.acted(faults.answer(504, NGINX))),
    "import: 504 while XNAT works on": (IMPORT, faults.meanwhile(faults.answer(504, NGINX))),
    "import: 500": (IMPORT, faults.answer(500, PAGE.format("The server encountered an unexpected condition"))),
    "import: 502": (IMPORT, faults.answer(502, NGINX)),
    "import: 503": (IMPORT, faults.answer(503, NGINX, {"retry-after": "0"})),
    "import: 429": (IMPORT, faults.answer(429, NGINX)),
    "import: locked": (IMPORT, faults.answer(423, PAGE.format("session is locked"))),
    "import: sent twice at once": (IMPORT, faults.answer(400, PAGE.format("Concurrent file sends of the same data"))),
    "import: forgotten login": (IMPORT, faults.answer(401, PAGE.format("Unauthorized"))),
    "import: way to the login": (IMPORT, faults.answer(302, "", {"location": "/app/template/Login.vm"})),
    "import: login page": (IMPORT, faults.answer(200, LOGIN)),
    "build: reset": (BUILD, faults.reset()),
    "build: done, then 504": (BUILD, faults.acted(faults.answer(504, NGINX))),
    "build: locked": (BUILD, faults.answer(409, PAGE.format("session document locked"))),
    "build: 500": (BUILD, faults.answer(500, PAGE.format("oops"))),
    "archive: reset": (ARCHIVE, faults.reset()),
    "archive: 502": (ARCHIVE, faults.answer(502, NGINX)),
    "archive: done, then reset": (ARCHIVE, faults.acted(faults.reset())),
    "archive: done, then 504": (ARCHIVE, faults.acted(faults.answer(504, NGINX))),
    "archive: 504 while XNAT works on": (ARCHIVE, faults.meanwhile(faults.answer(504, NGINX))),
    "archive: in progress": (
        ARCHIVE,
        faults.answer(403, PAGE.format("Operation already in progress on this prearchive entry.")),
    ),
    "archive: done, elsewhere": (
        ARCHIVE,
        faults.acted(faults.answer(303, "", {"location": "https://xnat.invalid/data/archive/x"})),
    ),
    "archive: done, too slow": (
        ARCHIVE,
        faults.acted(
            faults.answer(
                500, PAGE.format("The session P/T/S did not complete within the configured timeout interval.")
            )
        ),
    ),
    "archive: target in use": (
        ARCHIVE,
        faults.answer(
            500,
            PAGE.format(
                f"FAILED: Unable to archive {SESSION}: Operation Failed: "
                "Duplicate archive attempt.  Destination session in use."
            ),
        ),
    ),
    "archive: pipelines at work": (
        ARCHIVE,
        faults.answer(
            500,
            PAGE.format(
                f"FAILED: Unable to archive {SESSION}: Operation Failed: Session processing may already be in "
                f"progress: {SESSION}.  Concurrent modification is discouraged."
            ),
        ),
    ),
    "read back: 500": (READ_BACK, faults.answer(500, PAGE.format("oops"))),
    "read back: nothing": (READ_BACK, faults.answer(200)),
    "read back: reset": (READ_BACK, faults.reset()),
    "read back: no counts": (COUNTS, faults.answer(200, '{"ResultSet": {"Result": []}}')),
    "project: 500": ("GET /data/projects/[^/]+\\?format=json", faults.answer(503, NGINX)),
    "project: login page": ("GET /data/projects/[^/]+\\?format=json", faults.answer(200, LOGIN)),
    "sessions: nothing": ("GET /data/projects/[^/]+/experiments", faults.answer(200)),
    "sessions: a page": ("GET /data/projects/[^/]+/experiments", faults.answer(200, NGINX)),
    "prearchive: 500": ("GET /data/prearchive/projects/[^/]+\\?", faults.answer(500, PAGE.format("oops"))),
    "resource: 500": ("PUT .*/resources/MANIFEST_ORIGINAL", faults.answer(500, PAGE.format("oops"))),
    "resource: done, then reset": ("PUT .*/resources/MANIFEST_MODIFIED", faults.acted(faults.reset())),
}
LAST = {
    "import: too large": (IMPORT, faults.answer(413, NGINX), "client_max_body_size"),
    "import: nothing stored": (IMPORT, faults.answer(200), "filter"),
    "import: unreadable": (IMPORT, faults.answer(400, PAGE.format("unable to read DICOM object")), "unable to read"),
    "archive: refused": (
        ARCHIVE,
        faults.answer(500, PAGE.format(f"FAILED: Unable to archive {SESSION}: Operation Failed: No space left")),
        "No space left",
    ),
    "document: no XML": (rf"GET /data/prearchive/.*/{SESSION}\?format=xml", faults.answer(200, "<xnat:"), "document"),
}
"""What XNAT says for good: the series is not in, and the report has XNAT's words."""


@pytest.fixture
def manifest(sandbox: Sandbox, tmp_path: Path) -> Path:
    return several(sandbox, tmp_path / "several.tcia", TWO_PATIENTS)


@pytest.fixture(autouse=True)
def lifted(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.xnat_faults.lift()


def project(name: str, kind: str) -> str:
    return re.sub(r"\W+", "_", f"{name}_{kind}")


@pytest.mark.parametrize("name", FAULTS)
def test_xnat_fails_once(sandbox: Sandbox, tmp_path: Path, manifest: Path, name: str) -> None:
    rule = Fault(*FAULTS[name])
    sandbox.xnat_faults.add(rule)
    done = download(sandbox, manifest, tmp_path / "out", project(name, "1"), *quick("--transfers", "2"))
    assert rule.hits == 1
    assert done.code == 0, done.err + done.out
    assert_holds(sandbox, project(name, "1"), expected(sandbox, manifest))


@pytest.mark.parametrize("name", [name for name in FAULTS if name.startswith(("import", "build", "archive"))])
def test_xnat_fails_for_a_while(sandbox: Sandbox, tmp_path: Path, manifest: Path, name: str) -> None:
    here, wanted = project(name, "2"), expected(sandbox, manifest)
    sandbox.xnat_faults.add(Fault(*FAULTS[name], times=None))
    done = download(sandbox, manifest, tmp_path / "out", here, *quick())
    hit = {uid for uid, (_, session) in wanted.sessions.items() if session == SESSION}
    states = done.states() if done.code else {}
    if name.startswith("archive:") and ("done," in name or "works on" in name):
        assert done.code == 0  # what was done is seen to be done
    elif done.code:
        assert done.code in {3, 5}, done.err
        unbegun = {"not_started"} if done.code == 5 else set()  # a login that is refused ends the run at once
        assert any(states[uid] in {"held", "failed"} | unbegun for uid in hit)
        assert not re.search(r"\bAll \d+ series", done.out)
        assert {uid for uid, state in states.items() if state != "archived"} <= hit or done.code == 5
    else:
        pytest.fail("a run that lacks a session said that it had all")
    sandbox.xnat_faults.lift()
    done = download(sandbox, manifest, tmp_path / "out", here, *quick())
    assert done.code == 0, done.err + done.out
    assert_holds(sandbox, here, wanted)


@pytest.mark.parametrize("name", LAST)
def test_xnat_refuses(sandbox: Sandbox, tmp_path: Path, manifest: Path, name: str) -> None:
    where, action, words = LAST[name]
    here, wanted = project(name, "3"), expected(sandbox, manifest)
    sandbox.xnat_faults.add(Fault(where, action, times=None))
    done = download(sandbox, manifest, tmp_path / "out", here, *quick())
    assert done.code == 3, done.err
    hit = {uid for uid, (_, session) in wanted.sessions.items() if session == SESSION}
    assert {uid for uid, state in done.states().items() if state != "archived"} == hit
    assert any(words in f"{row['reason']} {row['hint']}" for row in done.rows if row["SeriesInstanceUID"] in hit)
    sandbox.xnat_faults.lift()
    done = download(sandbox, manifest, tmp_path / "out", here, *quick())
    assert done.code == 0, done.err
    assert_holds(sandbox, here, wanted)


def test_an_outage_is_waited_out(sandbox: Sandbox, tmp_path: Path, manifest: Path) -> None:
    away = Fault("", faults.answer(503, NGINX), first=40, times=10)  # more answers than any request has tries
    sandbox.xnat_faults.add(away)
    options = quick("--retries", "2", "--max-outage", "60")
    done = download(sandbox, manifest, tmp_path / "out", "OUTAGE", *options)
    assert away.hits == 10
    assert done.code == 0, done.err
    assert_holds(sandbox, "OUTAGE", expected(sandbox, manifest))


def test_an_outage_that_lasts_ends_the_run_with_a_report(sandbox: Sandbox, tmp_path: Path, manifest: Path) -> None:
    sandbox.xnat_faults.add(Fault("", faults.answer(503, NGINX), first=40, times=None))
    done = download(sandbox, manifest, tmp_path / "out", "GONE", *quick())
    assert done.code == 5
    assert "error: " in done.err.splitlines()[-2]
    assert {row["state"] for row in done.rows} & {"failed", "held", "not_started"}  # wherever it was when XNAT went
    sandbox.xnat_faults.lift()
    assert download(sandbox, manifest, tmp_path / "out", "GONE", *quick()).code == 0
    assert_holds(sandbox, "GONE", expected(sandbox, manifest))


def test_a_login_that_is_refused_for_good_ends_the_run(sandbox: Sandbox, tmp_path: Path, manifest: Path) -> None:
    before = len(sandbox.xnat.requests)
    sandbox.xnat_faults.add(Fault("", faults.answer(401, PAGE.format("Unauthorized")), first=30, times=None))
    done = download(sandbox, manifest, tmp_path / "out", "LOCKED", *quick())
    assert done.code == 5
    asked = [one for one in sandbox.xnat.requests[before:] if one.path_with_query == "/data/auth"]
    refused = [one for one in asked if one.is_login and one.status == 401]
    assert len(refused) == 1  # XNAT locks a user out after 20 (xnat-http.md §1.14); what brings no password is no try
    sandbox.xnat_faults.lift()
    assert download(sandbox, manifest, tmp_path / "out", "LOCKED", *quick()).code == 0
    assert_holds(sandbox, "LOCKED", expected(sandbox, manifest))
