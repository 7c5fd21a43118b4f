"""Each check in each of its states, against servers that are set up so."""

import datetime as dt
import http.server
import re
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
import requests
import trustme

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from sandbox.serve import Server
from sandbox.xnat import Settings
from tcia_xnat.check_up import anonymisation, machine, server
from tcia_xnat.check_up.finding import Finding, Verdict, exit_code, ok, warning, wrong
from tcia_xnat.errors import UsageError
from tests.check_up.case import ADMIN, asked, findings, site, without_xnat

NOWHERE = "http://127.0.0.1:9"
SECRET = "w0rd" + "-of-tests"


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings()


@pytest.fixture(scope="module")
def sandbox(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with site(tmp_path_factory.mktemp("site"), settings) as started:
        for name, code in (("OPEN", 0), ("AUTO", 4), ("OVER", 5)):
            put(started, f"/data/projects/{name}")
            put(started, f"/data/projects/{name}/prearchive_code/{code}")
        for user, role in (("owner", "Owners"), ("member", "Members"), ("reader", "Collaborators")):
            started.xnat.add_user(user, SECRET, {"OPEN": role})
        yield started


@pytest.fixture(autouse=True)
def as_before(sandbox: Sandbox, settings: Settings) -> Iterator[None]:
    before = dict(vars(settings))
    yield
    vars(settings).update(before)
    for each in (sandbox.idc_faults, sandbox.nbia_faults, sandbox.xnat_faults):
        each.lift()


def put(sandbox: Sandbox, path: str, body: str = "", **query: str) -> None:
    answer = requests.put(sandbox.xnat.url + path, data=body, params=query, auth=ADMIN, timeout=10)
    answer.raise_for_status()


def test_all_is_well(sandbox: Sandbox, settings: Settings, tmp_path: Path) -> None:
    settings.enable_sitewide_anonymization_script = False
    found = findings(asked(sandbox, tmp_path, "OPEN"))
    assert {finding.name for finding in found.values() if finding.state is not Verdict.OK} == set()
    assert set(found) == {
        "index", "spool", "output", "connection to IDC", "IDC", "connection to NBIA", "NBIA", "connection to XNAT",
        "login", "XNAT version", "sessions", "series-import filter, site", "anonymisation, site", "project", "rights",
        "auto-archive", "series-import filter, project", "anonymisation, project", "clock",
    }  # fmt: skip
    assert not any(finding.to_do for finding in found.values())
    assert exit_code(found.values()) == 0


def test_the_check_leaves_nothing_behind(sandbox: Sandbox, tmp_path: Path) -> None:
    logged_in = sandbox.xnat.parts.accounts.open_sessions("admin")
    findings(asked(sandbox, tmp_path / "not-there", "OPEN"))
    assert sandbox.xnat.parts.accounts.open_sessions("admin") == logged_in
    listed = requests.get(
        f"{sandbox.xnat.url}/data/projects/OPEN/resources/TCIA_INGEST/files", {"format": "json"}, auth=ADMIN, timeout=10
    )
    assert listed.json()["ResultSet"]["Result"] == []
    assert not (tmp_path / "not-there").exists()


# who may see what


def test_a_member_who_is_no_administrator(sandbox: Sandbox, tmp_path: Path) -> None:
    found = findings(asked(sandbox, tmp_path, "OPEN", ("member", SECRET)))
    assert found["sessions"].state is Verdict.WARNING
    assert "could not look: XNAT does not tell this user" in found["sessions"].seen
    assert found["rights"].state is Verdict.OK
    assert found["login"].seen == "as member"
    assert exit_code(found.values()) == 0


def test_a_user_who_may_only_read(sandbox: Sandbox, tmp_path: Path) -> None:
    found = findings(asked(sandbox, tmp_path, "OPEN", ("reader", SECRET)))
    assert found["rights"].state is Verdict.WRONG
    assert exit_code(found.values()) == 5


def test_a_project_that_is_not_there(sandbox: Sandbox, settings: Settings, tmp_path: Path) -> None:
    request = asked(sandbox, tmp_path, "NEW", ("member", SECRET))
    assert findings(request)["project"].state is Verdict.WARNING
    kept = replace(request, job=replace(request.job, create_project=False))
    assert exit_code(findings(kept).values()) == 5
    settings.ui_allow_non_admin_project_creation = False
    assert exit_code(findings(request).values()) == 5
    assert findings(asked(sandbox, tmp_path, "NEW"))["project"].state is Verdict.WARNING  # administrators may


# login and site


def test_a_login_that_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    found = findings(asked(sandbox, tmp_path, "OPEN", ("admin", "wrong")))
    assert (found["login"].state, exit_code(found.values())) == (Verdict.WRONG, 5)
    assert "rights" not in found
    assert not any("wrong" in finding.seen for finding in found.values())


def test_an_alias_token_shows_its_user_and_not_itself(sandbox: Sandbox, tmp_path: Path) -> None:
    token = sandbox.xnat.parts.accounts.issue_token(sandbox.xnat.parts.accounts.user("owner"))  # type: ignore[arg-type]
    found = findings(asked(sandbox, tmp_path, "OPEN", (str(token["alias"]), str(token["secret"]))))
    assert found["login"].seen == "as owner"
    assert not any(str(token["alias"]) in finding.seen for finding in found.values())


def test_no_user_for_xnat(sandbox: Sandbox, tmp_path: Path) -> None:
    found = findings(without_xnat(asked(sandbox, tmp_path), UsageError("no user", "give one")))
    assert (found["login"].to_do, exit_code(found.values())) == ("give one", 2)


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("1.8.9", Verdict.OK),
        ("1.8.11-SNAPSHOT", Verdict.OK),
        ("1.10.0", Verdict.OK),
        ("1.8.4.1", Verdict.WARNING),
        ("1.7.6", Verdict.WRONG),
        ("new", Verdict.WARNING),
    ],
)
def test_versions(sandbox: Sandbox, settings: Settings, tmp_path: Path, version: str, state: Verdict) -> None:
    settings.version = version
    assert findings(asked(sandbox, tmp_path))["XNAT version"].state is state


def test_a_session_cap_that_is_nearly_used_up(sandbox: Sandbox, settings: Settings, tmp_path: Path) -> None:
    settings.concurrent_max_sessions = sandbox.xnat.parts.accounts.open_sessions("admin") + 2
    found = findings(asked(sandbox, tmp_path))["sessions"]
    assert (found.state, "of" in found.seen) == (Verdict.WARNING, True)


def test_filter_and_scripts_of_site_and_project(sandbox: Sandbox, settings: Settings, tmp_path: Path) -> None:
    settings.sitewide_series_import_filter = "LOCALIZER\nSCOUT"
    put(sandbox, "/data/projects/OVER/config/seriesImportFilter/config", '{"mode":"blacklist","list":"T1.*"}')
    put(sandbox, "/xapi/anonymize/projects/OVER", '(0010,0030) := ""\n-(0032,1032)\n')
    found = findings(asked(sandbox, tmp_path, "OVER"))
    seen = {name: (finding.state, finding.seen) for name, finding in found.items()}
    assert seen["series-import filter, site"] == (Verdict.WARNING, "on: LOCALIZER SCOUT")
    assert seen["series-import filter, project"] == (Verdict.WARNING, "on: blacklist T1.*")
    assert seen["anonymisation, project"] == (Verdict.WARNING, "on, changes (0010,0030), (0032,1032)")
    told = "on, changes StudyDescription, PatientName, PatientID"
    assert seen["anonymisation, site"] == (Verdict.WARNING, told)
    put(sandbox, "/data/projects/OVER/config/seriesImportFilter/config", status="disabled")
    put(sandbox, "/xapi/anonymize/projects/OVER/enabled", enable="false")
    found = findings(asked(sandbox, tmp_path, "OVER"))
    assert found["series-import filter, project"].state is Verdict.OK
    assert found["anonymisation, project"].state is Verdict.OK


@pytest.mark.parametrize(("project", "words"), [("AUTO", "code 4"), ("OVER", "over what is there")])
def test_auto_archiving(sandbox: Sandbox, tmp_path: Path, project: str, words: str) -> None:
    found = findings(asked(sandbox, tmp_path, project))["auto-archive"]
    assert found.state is Verdict.WARNING
    assert words in found.seen


def test_what_an_xnat_does_not_tell_is_a_warning(sandbox: Sandbox, tmp_path: Path) -> None:
    rule = "GET /(xapi|data/projects/OPEN/(config|prearchive_code))"
    sandbox.xnat_faults.add(Fault(rule, faults.answer(403, "<html>no</html>"), times=None))
    found = findings(asked(sandbox, tmp_path, "OPEN"))
    unseen = {name for name, finding in found.items() if "could not look" in finding.seen}
    assert unseen == {
        "XNAT version", "sessions", "series-import filter, site", "anonymisation, site", "auto-archive",
        "series-import filter, project", "anonymisation, project",
    }  # fmt: skip
    assert all(found[name].state is Verdict.WARNING for name in unseen)
    assert exit_code(found.values()) == 0


def test_an_xnat_that_breaks_down_meanwhile(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.xnat_faults.add(Fault("GET /data/projects/OPEN", faults.answer(502, "bad gateway"), times=None))
    found = findings(asked(sandbox, tmp_path, "OPEN"))
    assert exit_code(found.values()) == 5
    assert "clock" in found


SCRIPTS = {
    "(0010,0010) := subject": (["0010,0010"], Verdict.WARNING),
    "  (0020,000d) := hashUID[(0020,000d)]": (["0020,000D"], Verdict.WRONG),
    "-(0008,0018)": (["0008,0018"], Verdict.WRONG),
    "// (0020,000E) := x": ([], Verdict.WARNING),
    '(0008,0060) = "SR" ? reject': ([], Verdict.WARNING),
    '(0008,0060) = "MR" ? (0020,000E) := "1"': (["0020,000E"], Verdict.WRONG),
    '(0008,103E) ~ "x" ? (0008,103E) := "y" : (0008,103E) := "z"': (["0008,103E"], Verdict.WARNING),
    "- (50XX,XXXX)": (["50XX,XXXX"], Verdict.WARNING),
    'describe p "x"': ([], Verdict.WARNING),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_a_script_changes(script: str) -> None:
    tags, state = SCRIPTS[script]
    assert anonymisation.changed_tags(f'version "6.1"\n{script}\n') == tags
    assert anonymisation.judged("x", script).state is state
    assert ("reject" in script) is ("may reject" in anonymisation.judged("x", script).seen)


# sources


def test_sources_that_cannot_be_reached(sandbox: Sandbox, tmp_path: Path) -> None:
    request = asked(sandbox, tmp_path, idc_url=NOWHERE, nbia_url=f"{NOWHERE}/x")
    found = findings(without_xnat(request))
    bad = {name for name, finding in found.items() if finding.state is Verdict.WRONG}
    assert bad == {"connection to IDC", "connection to NBIA"}
    assert exit_code(found.values()) == 4
    assert found["clock"].state is Verdict.WARNING
    only = findings(without_xnat(asked(sandbox, tmp_path, idc_url=NOWHERE, source="nbia")))
    assert exit_code(only.values()) == 0
    assert "connection to IDC" not in only


@pytest.mark.parametrize("source", ["idc", "nbia"])
def test_a_source_that_answers_and_does_not_deliver(sandbox: Sandbox, tmp_path: Path, source: str) -> None:
    broken = {"idc": (sandbox.idc_faults, "list-type"), "nbia": (sandbox.nbia_faults, "getSeriesMetadata")}
    rules, where = broken[source]
    rules.add(Fault(where, faults.answer(503, "maintenance"), times=1))
    assert exit_code(findings(without_xnat(asked(sandbox, tmp_path))).values()) == 0  # one hiccup
    rules.add(Fault(where, faults.answer(503, "maintenance"), times=None))
    found = findings(without_xnat(asked(sandbox, tmp_path)))
    assert found[source.upper()].state is Verdict.WRONG
    assert "maintenance" in found[source.upper()].seen
    assert exit_code(found.values()) == 4


def test_an_index_that_lists_what_is_gone(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.idc_faults.add(Fault("list-type", faults.edited(lambda _body: b"<ListBucketResult/>"), times=None))
    found = findings(without_xnat(asked(sandbox, tmp_path)))["IDC"]
    assert (found.state, "no longer holds" in found.seen) == (Verdict.WARNING, True)


def test_indexes(sandbox: Sandbox, tmp_path: Path) -> None:
    missing = findings(without_xnat(asked(sandbox, tmp_path, idc_index=str(tmp_path / "no.parquet"))))
    assert (missing["index"].state, exit_code(missing.values())) == (Verdict.WRONG, 2)
    (tmp_path / "bad.parquet").write_text("no parquet")
    assert isinstance(machine.read_index(str(tmp_path / "bad.parquet")), Finding)
    embedded = machine.read_index(None)
    assert isinstance(embedded, machine.Index)
    assert embedded.series_count > 1_000_000
    assert "IDC v" in embedded.version
    today = dt.datetime.now(dt.UTC).date()
    assert machine.index(replace(embedded, released=today)).state is Verdict.OK
    old = machine.index(replace(embedded, released=today - dt.timedelta(days=400)))
    assert (old.state, "400 days old" in old.seen) == (Verdict.WARNING, True)


# disks and clocks


def test_disks(tmp_path: Path) -> None:
    assert machine.spool(tmp_path, 4, 1000).state is Verdict.OK
    assert machine.spool(tmp_path, 64, 10**15).state is Verdict.WARNING
    assert machine.output(tmp_path / "a" / "b").state is Verdict.OK
    (tmp_path / "file").touch()
    assert machine.output(tmp_path / "file" / "below").exit_code == 2
    assert machine.spool(tmp_path / "gone", 4, 1000).exit_code == 2


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=5_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    assert machine.spool(tmp_path, 4, 1000).exit_code == 6
    assert machine.output(tmp_path).exit_code == 6


class _Elsewhen(http.server.BaseHTTPRequestHandler):
    """A server whose clock is ten minutes ahead."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate((timestamp or time.time()) + 600, usegmt=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
        """Keep quiet."""


def test_a_clock_that_differs() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhen) as ahead:
        thread = threading.Thread(target=ahead.serve_forever)
        thread.start()
        seen = server.look("XNAT", f"http://127.0.0.1:{ahead.server_port}")
        ahead.shutdown()
        thread.join()
    found = server.clock([seen])
    assert found.state is Verdict.WARNING
    assert re.fullmatch(r"(59\d|60\d) s behind XNAT", found.seen)
    assert server.clock([replace(seen, skew=-3.0)]).state is Verdict.OK


# certificates


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return made


def secured(sandbox: Sandbox, folder: Path, authority: trustme.CA, ends: dt.datetime) -> Finding:
    certificate = authority.issue_cert("127.0.0.1", not_after=ends)
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    with Server(sandbox.s3, certificate=folder / "server.pem") as secure:
        return server.connection(server.look("IDC", secure.url), 4)


@pytest.mark.parametrize(("days", "state"), [(90, Verdict.OK), (5, Verdict.WARNING)])
def test_certificates(sandbox: Sandbox, tmp_path: Path, authority: trustme.CA, days: int, state: Verdict) -> None:
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    found = secured(sandbox, tmp_path, authority, ends)
    assert found.state is state, found
    assert f"{ends:%Y-%m-%d}" in found.seen


@pytest.mark.usefixtures("authority")
def test_a_certificate_of_an_unknown_authority(sandbox: Sandbox, tmp_path: Path) -> None:
    found = secured(sandbox, tmp_path, trustme.CA(), dt.datetime.now(dt.UTC) + dt.timedelta(days=90))
    assert (found.state, found.exit_code) == (Verdict.WRONG, 4)
    assert "certificate" in found.seen.lower()
    assert "REQUESTS_CA_BUNDLE" in found.to_do


def test_plain_http_to_another_machine_is_a_warning() -> None:
    seen = server.Seen("XNAT", "http://xnat.example.org")
    assert server.connection(seen, 5).state is Verdict.WARNING


# the sum


def test_the_exit_code_is_that_of_what_a_run_meets_first() -> None:
    bad = [wrong("a", "", "", code) for code in (4, 6, 5)]
    assert exit_code([ok("x", ""), warning("y", "", ""), *bad]) == 5
    assert exit_code(bad[:2]) == 6
    assert exit_code(bad[:1]) == 4
    assert exit_code([ok("x", ""), warning("y", "", "")]) == 0
