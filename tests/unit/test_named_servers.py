"""What users name: addresses, numbers, credentials, certificates and proxies; what cannot be used is refused with 2."""

import ssl
from pathlib import Path

import click
import duckdb
import pytest

from tcia_xnat import cli
from tcia_xnat.cli.options import FiniteRange
from tcia_xnat.core.errors import Stopped, UsageError
from tcia_xnat.sources.idc.buckets import IdcBuckets
from tcia_xnat.sources.idc.database import Database
from tcia_xnat.sources.idc.questions import Query
from tcia_xnat.sources.nbia.connection import NbiaConnection
from tcia_xnat.web.environment import certificates, proxy_of
from tcia_xnat.web.failures import explain
from tcia_xnat.web.session import Session

WRONG = ["foo", "ftp://x.org", "https://", "https://[::1/x", "http://x:99999", "//x.org"]


@pytest.mark.parametrize("url", WRONG)
def test_what_is_no_address_is_a_usage_error(url: str) -> None:
    for use in (NbiaConnection, IdcBuckets, cli.checked_host):
        with pytest.raises(UsageError, match="is not the address of"):
            use(url)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "NaN"])
def test_no_option_takes_what_is_no_number(number: str) -> None:
    with pytest.raises(click.BadParameter):
        FiniteRange(0).convert(number, None, None)


def test_a_line_break_at_the_end_of_a_credential_is_dropped() -> None:
    login = cli.read_login("https://x.org\n", "alice\r\n", "secret \n")
    assert (login.host, login.user, login.password) == ("https://x.org", "alice", "secret ")


def test_a_netrc_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("nonsense x.org\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with pytest.raises(UsageError, match="netrc file cannot be read"):
        cli.read_login("https://x.org", None, None)


def test_certificates_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nothing.pem"))
    with pytest.raises(UsageError, match="REQUESTS_CA_BUNDLE names"):
        certificates()


@pytest.mark.parametrize("content", ["", "host\n", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
def test_a_file_without_certificates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str) -> None:
    (tmp_path / "ca.pem").write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with pytest.raises(UsageError, match="holds no certificates"):
        certificates()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert certificates() == str(tmp_path)


@pytest.mark.parametrize(
    ("given", "proxy"), [("proxy.org:3128", "http://proxy.org:3128"), ("http://p.org:1", "http://p.org:1")]
)
def test_a_proxy_without_a_scheme_is_one_of_http(monkeypatch: pytest.MonkeyPatch, given: str, proxy: str) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("https_proxy", given)
    assert proxy_of("https://x.org") == proxy


@pytest.mark.parametrize("given", ["socks5://p.org:1", "gopher://p.org:1", "http://[::1", "p.org:99999", "http://"])
def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("https_proxy", given)
    monkeypatch.setattr("tcia_xnat.web.environment.find_spec", lambda _name: None)
    with pytest.raises(UsageError, match="proxy") as caught:
        proxy_of("https://x.org")
    assert "https_proxy" in caught.value.hint
    with pytest.raises(UsageError), Session() as session:
        session.get("https://x.invalid", timeout=1)


def test_failures_are_explained() -> None:
    plain = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    plain.reason = "WRONG_VERSION_NUMBER"
    assert explain("https://x.org:8080/a", plain).hint == "it may speak plain http: try http://x.org:8080"
    assert "REQUESTS_CA_BUNDLE" in explain("https://x.org", ssl.SSLCertVerificationError(1, "self-signed")).hint


def test_a_question_reads_no_file_and_stops_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".tmp").mkdir()
    (tmp_path / ".tmp" / "x.txt").write_text("secret")
    database = Database({})
    with pytest.raises(UsageError, match="SQL"):
        database.asked_by_user("SELECT content FROM read_text('.tmp/x.txt')")

    def interrupted() -> None:
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr(database, "_connection", type("Busy", (), {"cursor": staticmethod(interrupted)}))
    with pytest.raises(Stopped) as caught:
        database.ask(Query("SELECT 1"))
    assert caught.value.exit_code == 130
    assert duckdb.InterruptException is not None
