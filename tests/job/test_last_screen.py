"""The last screen of every failure: what happened, to which patient, and what to type next.

Faults of one kind are played side by side in one run, each on a series of its own: the screen has to tell them apart.
"""

import re
import resource
import shlex
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox import faults
from sandbox.faults import Action, Fault
from sandbox.sandbox import Sandbox
from tests.job import test_source_faults as sources
from tests.job import test_xnat_faults as xnat
from tests.job.case import (
    ONE_PATIENT,
    ONE_SERIES,
    download,
    expected,
    manifest,
    run,
)
from tests.job.screens import (
    AGAIN,
    IDC,
    NBIA,
    NOBODY,
    OPTIONS,
    XNAT,
    Screen,
    assert_ended,
    assert_tidy,
    begun,
    ended,
    next_words,
    one_of_each_session,
)


@pytest.fixture(scope="module")
def played(shared: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Screen]:
    """Return what runs a job with these faults, then lifts them and types what its last screen says."""

    def play(
        names: Sequence[str], add: Callable[[str, str, str], None], project: Sequence[str], *options: str
    ) -> Screen:
        folder = tmp_path_factory.mktemp("screen")
        uids = one_of_each_session(shared, 3)[: len(names)]
        listed, output = manifest(folder / "list.tcia", uids), folder / "out dir"
        hit, sessions = dict(zip(names, uids, strict=True)), expected(shared, listed).sessions
        for name, uid in hit.items():
            add(name, uid, sessions[uid][1])
        done = run(shared, output, listed, output, *project, *OPTIONS, *options)
        lift(shared)
        return Screen(done, hit, sessions, run(shared, output, *next_words(done)))

    return play


@pytest.fixture(scope="module")
def of_nbia(shared: Sandbox, played: Callable[..., Screen]) -> Screen:
    def add(name: str, uid: str, _session: str) -> None:
        pairs = NBIA[name][2]
        rules = (Fault(where.format(uid=re.escape(uid)), action, times=None) for where, action in pairs)
        shared.nbia_faults.add(*rules)

    return played(list(NBIA), add, (), "--source", "nbia", "--layout", "zips")


@pytest.fixture(scope="module")
def of_idc(shared: Sandbox, played: Callable[..., Screen]) -> Screen:
    def add(name: str, uid: str, _session: str) -> None:
        where, action = sources.IDC[name]
        shared.idc_faults.add(Fault(where.format(uuid=sources.folder(shared, uid)), action, times=None))

    return played(list(IDC), add, (), "--source", "idc")


@pytest.fixture(scope="module")
def of_xnat(shared: Sandbox, played: Callable[..., Screen]) -> Screen:
    def add(name: str, _uid: str, session: str) -> None:
        _, _, where, action = XNAT[name]
        shared.xnat_faults.add(Fault(where.replace(xnat.SESSION, f"S-{session}"), action, times=None))

    return played(list(XNAT), add, ("SCREEN", shared.xnat.url), "--session-label", "S-{PatientID}")


def lift(sandbox: Sandbox) -> None:
    for rules in (sandbox.nbia_faults, sandbox.idc_faults, sandbox.xnat_faults):
        rules.lift()


def assert_told(screen: Screen, name: str, reason: str, to_do: str, *, in_xnat: bool) -> None:
    told, (patient, session) = screen.told(name), screen.sessions[screen.hit[name]]
    assert screen.done.code in {3, 5}
    assert reason in told.reason
    assert to_do in told.to_do
    session_told = f", session S-{session}," if in_xnat else ""
    assert f"patient {patient}{session_told}" in told.where
    assert_tidy(told.reason, told.to_do)


@pytest.mark.parametrize("name", NBIA)
def test_nbia(of_nbia: Screen, name: str) -> None:
    reason, to_do, _ = NBIA[name]
    assert_told(of_nbia, name, reason, to_do, in_xnat=False)


@pytest.mark.parametrize("name", IDC)
def test_idc(of_idc: Screen, name: str) -> None:
    assert_told(of_idc, name, *IDC[name], in_xnat=False)


@pytest.mark.parametrize("name", XNAT)
def test_xnat(of_xnat: Screen, name: str) -> None:
    reason, to_do, *_ = XNAT[name]
    assert_told(of_xnat, name, reason, to_do, in_xnat=True)


@pytest.mark.parametrize(
    ("source", "typed"),
    [("nbia", "--layout zips"), ("idc", "--source idc"), ("xnat", "--session-label 'S-{PatientID}'")],
)
def test_what_it_says_to_type_is_all_that_is_left_to_do(
    request: pytest.FixtureRequest, source: str, typed: str
) -> None:
    screen: Screen = request.getfixturevalue(f"of_{source}")
    words = next_words(screen.done)
    assert words[0] == str(screen.done.report_dir / "failed.tcia")
    assert typed in shlex.join(words)
    assert screen.next_done.code == 0, screen.next_done.err  # so typed, when nothing goes wrong any more
    assert screen.next_done.states().keys() == set(screen.hit.values())
    assert source != "xnat" or {row["session"][:2] for row in screen.next_done.rows} == {"S-"}


SERVED_NOT = {"TCIA_XNAT_IDC_URL": "http://127.0.0.1:9", "TCIA_XNAT_NBIA_URL": "http://127.0.0.1:9/nbia"}
REFUSED = "XNAT refuses the login"
WHOLE: Mapping[str, tuple[str, str, Sequence[str], Mapping[str, str], Sequence[tuple[str, Action]]]] = {
    "wrong password": (f"{REFUSED}: Your login attempt failed", "XNAT_PASS", (), {"XNAT_PASS": "wrong"}, []),
    "login without words": (REFUSED, "XNAT_PASS", (), {}, [("/data/auth", faults.answer(401))]),
    "login in trouble": ("answered 503: Service Unavailable", AGAIN, (), {}, [("/data/auth", faults.answer(503))]),
    "XNAT not there": ("Connection refused", "XNAT_HOST", (), {"XNAT_HOST": "http://127.0.0.1:9"}, []),
    "no XNAT named": ("no XNAT given", "set XNAT_HOST", (), {"XNAT_HOST": ""}, []),
    "no password": ("no password", "set XNAT_USER and XNAT_PASS", (), {"XNAT_PASS": ""}, []),
    "no project": ("is not there", "leave --no-create-project out", ("--no-create-project",), {}, []),
    "no such folder": ("does not exist", "--help", ("--spool-dir", "/nowhere"), {}, []),
    "may not create": ("answered 403: Forbidden", AGAIN, (), {}, [("PUT /data/projects/[^/]+\\?", faults.answer(403))]),
    "may not write": ("answered 403: Forbidden", "ask an owner", (), {}, [("PUT .*/resources/", faults.answer(403))]),
    "nothing is stored": ("did not store", "ask an owner", (), {}, [("PUT .*/resources/", faults.answer(200))]),
    "an answer of nothing": ("no table", AGAIN, (), {}, [("/data/projects/[^/]+/experiments", faults.answer(200))]),
    "not an XNAT": ("answered 404: Not Found", AGAIN, (), {}, [("/data/(projects|services)", faults.answer(404))]),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_run_that_cannot_start(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    reason, to_do, options, changed, rules = WHOLE[name]
    sandbox.xnat_faults.add(*(Fault(where, action, times=None) for where, action in rules))
    done = download(sandbox, ONE_SERIES, tmp_path / "out", name.replace(" ", "_"), *OPTIONS, *options, **changed)
    assert done.code in {2, 3, 5}
    assert done.out == "" or "0 of 1 series are in the archive; 1 not started." in done.out
    assert reason in done.err
    assert to_do in done.err
    assert_tidy(*done.err.splitlines())


ENDED: Mapping[str, tuple[str, str, int, Fault]] = {
    "XNAT goes away": ("answered 503: Service Unavailable; waited", AGAIN, 5, Fault("", faults.answer(503), 30, None)),
    "login taken away": (REFUSED, "XNAT_PASS", 5, Fault("", faults.answer(401), 25, None)),
    "session lost": (
        "forgets the login at once",
        "close other",
        5,
        Fault("services/import", faults.answer(401), 1, None),
    ),
    "rights taken away": (
        "answered 403: Forbidden",
        "ask an owner",
        5,
        Fault("services/import", faults.answer(403), 1, None),
    ),
}


@pytest.mark.parametrize("name", ENDED)
def test_a_run_that_ends_early(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    reason, to_do, code, rule = ENDED[name]
    sandbox.xnat_faults.add(rule)
    done = download(sandbox, ONE_PATIENT, tmp_path / "out", name.replace(" ", "_"), *OPTIONS)
    assert_ended(done, code, reason, to_do)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop(sandbox: Sandbox, tmp_path: Path, number: signal.Signals, code: int) -> None:
    arrived, stall = threading.Event(), faults.stall()

    async def stall_and_tell(*request: Any) -> None:  # noqa: ANN401  as an Action takes it
        arrived.set()
        await stall(*request)

    sandbox.xnat_faults.add(Fault("services/import", stall_and_tell, times=None))
    process = begun(sandbox, tmp_path / f"STOP{code}")
    assert arrived.wait(60)
    process.send_signal(number)
    done = ended(process, tmp_path / f"STOP{code}")
    assert_ended(done, code, "stopped on request", "the same command continues")
    assert done.report["verdict"].startswith("Interrupted: 0 of ")
    assert set(done.states().values()) == {"not_started"}
    assert "failed" not in done.report["verdict"]


def test_a_disk_that_is_full(sandbox: Sandbox, tmp_path: Path) -> None:
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (200_000, 200_000))
    process = begun(sandbox, tmp_path / "FULL", "--spool-dir", str(tmp_path), before=limit)
    assert_ended(ended(process, tmp_path / "FULL"), 6, f"the disk of the spool in {tmp_path} is full", "--spool-dir")


def test_a_token_that_has_expired(sandbox: Sandbox, tmp_path: Path) -> None:
    token = requests.get(f"{sandbox.xnat.url}/data/services/tokens/issue", auth=("admin", "admin"), timeout=10).json()
    sandbox.xnat.parts.accounts.drop_token(token["alias"])
    login = {"XNAT_USER": token["alias"], "XNAT_PASS": token["secret"]}
    done = download(sandbox, ONE_SERIES, tmp_path / "out", "TOKEN", **login)
    *_, error, hint = done.err.splitlines()
    assert REFUSED in error
    assert "correct XNAT_USER and XNAT_PASS" in hint
    assert_tidy(error, hint)


@pytest.mark.parametrize("sources_asked", [("--source", "idc"), ("--source", "nbia"), ()])
def test_archives_that_are_not_there(sandbox: Sandbox, tmp_path: Path, sources_asked: Sequence[str]) -> None:
    done = run(sandbox, tmp_path / "out", ONE_SERIES, tmp_path / "out", *OPTIONS, *sources_asked, **SERVED_NOT)
    assert done.code == 4
    assert "cannot be reached or broke off: Connection refused" in done.out
    assert f"then {AGAIN}" in done.out
    assert next_words(done)[:2] == [str(tmp_path / "out/report/failed.tcia"), str(tmp_path / "out")]
    assert_tidy(*done.out.replace("; NBIA", "\n").splitlines())


def test_a_series_that_nobody_offers(sandbox: Sandbox, tmp_path: Path) -> None:
    listed = manifest(tmp_path / "m.tcia", [NOBODY])
    done = run(sandbox, tmp_path / "out", listed, tmp_path / "out", *OPTIONS)
    assert done.code == 3
    assert "1 series not offered: IDC and NBIA do not offer it" in done.out
    assert "controlled access" in done.out
    assert "delete its line from the manifest" in done.out
    assert f"  series {NOBODY}\n" in done.out  # whose it is nobody knows
    done = run(sandbox, tmp_path / "out", listed, tmp_path / "out", *OPTIONS, "--source", "idc")
    assert "leave --source out" in done.out


UNUSABLE = {
    "no text": (b"\x89PNG\x00", "is no manifest", "name a .tcia"),
    "a web page": (b"<html>Sign in</html>", "holds no list of series", "have the manifest made anew"),
    "empty": (b"", "holds no series", "have the manifest made anew"),
    "a UID that is none": (
        f"ListOfSeriesToDownload=\n{NOBODY}\n1.2.x\n".encode(),
        "line 3: '1.2.x'",
        "delete the line",
    ),
    "version 1": (b"manifestVersion=1.0\ndatabasketId=x.jnlp\n", "version 1", "have the manifest made anew"),
    "studies": (b"study_instance_uid\n1.2.3\n", "lists studies", "add a column SeriesInstanceUID"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_bad_manifest(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    content, reason, to_do = UNUSABLE[name]
    listed = tmp_path / "list.tcia"
    listed.write_bytes(content)
    done = run(sandbox, tmp_path / "out", listed, tmp_path / "out")
    error, hint = done.err.splitlines()
    assert error.startswith("error: list.tcia ")
    assert reason in error
    assert to_do in hint
    assert_tidy(error, hint)


def test_no_manifest(sandbox: Sandbox, tmp_path: Path) -> None:
    done = run(sandbox, tmp_path / "out", tmp_path / "none.tcia", tmp_path / "out")
    assert f"error: no such manifest: {tmp_path / 'none.tcia'}" in done.err
    assert "hint: download.py without arguments lists the manifests at hand" in done.err
