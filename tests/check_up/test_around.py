"""Checks of what is around XNAT: sources, index, disks, clock, certificates."""

import datetime as dt
import http.server
import re
import shutil
import threading
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
import trustme

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from sandbox.serve import Server
from tcia_xnat.preflight import machine, server
from tcia_xnat.preflight.finding import Finding, Verdict, exit_code, ok, warning, wrong
from tests.check_up.case import asked, findings, without_xnat

NOWHERE = "http://127.0.0.1:9"


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


# the environment

BAD_VARIABLES = {
    "HTTPS_PROXY": ("socks5://127.0.0.1:9", "PySocks"),
    "https_proxy": ("http://user:secret@[::1", "[::1 of https_proxy is not the address of a proxy"),
    "ALL_PROXY": ("ftp://proxy", "the proxy of ALL_PROXY speaks ftp"),
    "REQUESTS_CA_BUNDLE": ("/nowhere/ca.pem", "REQUESTS_CA_BUNDLE names /nowhere/ca.pem, which is not there"),
}


@pytest.mark.parametrize("name", BAD_VARIABLES)
def test_a_variable_that_cannot_be_used_is_named_and_the_rest_is_looked_at(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    value, words = BAD_VARIABLES[name]
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv(name, value)
    found = findings(asked(sandbox, tmp_path, idc_url="https://idc.invalid"))
    assert (found["environment"].state, found["environment"].exit_code) == (Verdict.WRONG, 2)
    assert words in found["environment"].seen
    assert name in found["environment"].seen + found["environment"].to_do
    assert "secret" not in str(found)
    assert found["output"].state is Verdict.OK
    assert (found["network"].state, exit_code(found.values())) == (Verdict.WARNING, 2)


def test_a_proxy_that_is_used_is_named_without_its_password(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "user:secret@127.0.0.1:9")
    found = findings(without_xnat(asked(sandbox, tmp_path, idc_url="https://idc.invalid", source="idc")))
    assert found["environment"].seen.startswith("proxy 127.0.0.1:9; ")
    assert "the proxy 127.0.0.1:9 does not lead there" in found["connection to IDC"].seen
    assert "secret" not in str(found)
    assert exit_code(found.values()) == 4


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
