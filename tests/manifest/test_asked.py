"""What the command line asks for: files, stdin, several at once, addresses, and what the index knows of studies."""

import gzip
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.serve import Server
from tcia_xnat.core import limits
from tcia_xnat.core.errors import ManifestError, SourceError, SourceUnreachable
from tcia_xnat.core.model import ListRead
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.manifest import Manifest, write_tcia
from tcia_xnat.request.requested import read_asked
from tcia_xnat.sources.idc.index import index_path, prior_versions_path
from tcia_xnat.web.public_hosts import is_public

ROOT = Path(__file__).resolve().parents[2]
A, B, C = "1.3.6.1.4.1.14519.5.2.1.1", "1.3.6.1.4.1.14519.5.2.1.22", "2.25.333"
UNKNOWN_UUID = "0a1b2c3d-0000-4000-8000-123456789abc"

Answers = Mapping[str, Callable[[], Response]]


def asked(text: object, column: str = "") -> Manifest:
    return read_asked(str(text), None, Patience(RetryPolicy(2, 0), lambda _seconds: None), column=column)


def sql(query: str, *values: object) -> list[tuple[str, ...]]:
    with duckdb.connect() as database:
        database.from_parquet(str(index_path())).create_view("series")
        database.from_parquet(str(prior_versions_path())).create_view("prior")
        return database.execute(query, values).fetchall()


def dry_run(manifest: object, *options: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "download.py"), str(manifest), "--dry-run", "--source", "idc", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, input=stdin, timeout=60)


@pytest.fixture(autouse=True)
def allow_private_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let wrappers lead to the servers of these tests, which are on this machine."""
    monkeypatch.setenv("TCIA_XNAT_ALLOW_PRIVATE_HOSTS", "1")


@contextmanager
def serving(answers: Answers) -> Iterator[str]:
    """Serve texts on this machine; yield the address above them."""

    async def answer(request: Request) -> Response:
        return answers[request.url.path]()

    with Server(Starlette(routes=[Route("/{path:path}", answer)])) as server:
        yield server.url


def wrapper(folder: Path, *addresses: str) -> Path:
    path = folder / "wrapper.tcia"
    listed = "".join(f"<URL>{address}</URL>" for address in addresses)
    path.write_text(f'<TCIACollection apiVersion="v2"><Downloads>{listed}</Downloads></TCIACollection>')
    return path


def test_several_files_with_commas(tmp_path: Path) -> None:
    first, second = tmp_path / "a.tcia", tmp_path / "b.csv"
    first.write_text(write_tcia([A, B], "a"))
    second.write_text(f"Series UID,n\n{B},1\n{C},2\n")
    assert asked(f"{first},{second}").series_instance_uids == (A, B, C)
    assert asked(f"{first}, {second},").duplicates == 1


def test_a_file_with_a_comma_in_its_name_wins(tmp_path: Path) -> None:
    path = tmp_path / "a.tcia,b.tcia"
    path.write_text(f"{C}\n")
    (tmp_path / "a.tcia").write_text(f"{A}\n")
    assert asked(path).series_instance_uids == (C,)


def test_one_of_several_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tcia").write_text(f"{A}\n")
    with pytest.raises(ManifestError, match=r"no such manifest: nothing\.tcia"):
        asked(f"{tmp_path / 'a.tcia'},nothing.tcia")


def test_stdin_and_its_lines_that_name_no_series() -> None:
    [(uid,)] = sql("SELECT SeriesInstanceUID FROM series WHERE collection_id = 'cmb_aml' AND instanceCount = 1 LIMIT 1")
    done = dry_run("-", stdin=f"# mine\n{uid}\nSeries ID\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "To send: 1 series, 1 image, " in done.stdout
    assert "stdin: line 1 passed over: a comment\n" in done.stdout
    assert "stdin: line 3 passed over: a heading\n" in done.stdout


def test_an_empty_stdin_is_refused_in_one_line() -> None:
    done = dry_run("-")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: stdin holds no series\nhint: ")


def test_a_column_that_no_list_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tcia").write_text(write_tcia([A], "a"))
    (tmp_path / "b.csv").write_text(f"n,CT\n1,{B}\n")
    assert asked(f"{tmp_path / 'a.tcia'},{tmp_path / 'b.csv'}", column="ct").series_instance_uids == (A, B)
    for given in (str(tmp_path / "a.tcia"), "cmb_aml"):
        with pytest.raises(ManifestError, match="no list has a column CT"):
            asked(given, column="CT")


def test_an_xml_wrapper_is_followed(tmp_path: Path) -> None:
    answers: Answers = {
        "/x/first.tcia": lambda: PlainTextResponse(write_tcia([A, B], "first")),
        "/second": lambda: PlainTextResponse(f"# mine\n{B}\n{C}\n"),
    }
    with serving(answers) as url:
        path = wrapper(tmp_path, f"{url}/x/first.tcia", f"{url}/second?x=1")
        manifest = asked(path)
    assert (manifest.series_instance_uids, manifest.addresses) == ((A, B, C), ())
    assert manifest.name == "wrapper.tcia"
    assert [one.name for one in manifest.originals] == ["wrapper.tcia", "first.tcia", "second"]
    assert [(one.file, one.line) for one in manifest.rejected] == [("second", 1)]


def test_an_address_is_fetched_and_a_page_is_its_collection(tmp_path: Path) -> None:
    table = f"StudyInstanceUID,CT\n{C},{A}\n"
    answers: Answers = {
        "/x/first.tcia": lambda: PlainTextResponse(write_tcia([A, B], "first")),
        "/t.csv": lambda: PlainTextResponse(table),
    }
    (tmp_path / "b.txt").write_text(f"{C}\n")
    with serving(answers) as url:
        manifest = asked(f"{url}/x/first.tcia")
        both = asked(f"{url}/x/first.tcia,{url}/t.csv", column="CT")
        with pytest.raises(ManifestError, match="is no manifest"):
            asked(f"{url}/t.csv")
    assert (manifest.name, manifest.series_instance_uids) == ("first.tcia", (A, B))
    assert manifest.read == (ListRead("first.tcia: 2 lines, 2 series", "first.tcia", "series", 2, 2, 2),)
    assert both.series_instance_uids == (A, B)
    count = sql("SELECT count(*) FROM series WHERE collection_id = 'cmb_aml'")[0][0]
    page = asked("https://www.cancerimagingarchive.net/collection/cmb-aml/")
    assert [one.text for one in page.read] == [f"cmb-aml: collection, {count} series"]


def test_dois_and_analysis_results_are_names() -> None:
    for column, name in (("source_DOI", "10.7937/pcte-6m66"), ("analysis_result_id", "bamf_aimi_annotations")):
        [(count,)] = sql(f"SELECT count(*) FROM series WHERE {column} = ?", name)  # noqa: S608  own columns
        assert str(len(asked(name).series_instance_uids)) == str(count)
    with pytest.raises(ManifestError, match="nothing of that name"):
        asked("10.9999/nothing")


def test_what_earlier_versions_of_idc_had_is_not_unheard_of() -> None:
    [(gone,)] = sql(
        "SELECT SeriesInstanceUID FROM prior WHERE SeriesInstanceUID NOT IN (SELECT SeriesInstanceUID FROM series)"
        " ORDER BY 1 LIMIT 1"
    )
    with pytest.raises(ManifestError, match=rf"{gone} is not offered: IDC v\d+( to v\d+)? had it, of patient "):
        asked(gone)


def test_more_uids_than_a_path_may_have_letters() -> None:
    uids = [uid for (uid,) in sql("SELECT SeriesInstanceUID FROM series WHERE collection_id = 'cmb_aml' LIMIT 90")]
    assert asked(",".join(uids)).series_instance_uids == tuple(uids)


def test_what_a_wrapper_points_at_is_tried_again_when_the_server_is_busy(tmp_path: Path) -> None:
    answers = iter([Response(status_code=503), PlainTextResponse(A)])
    with serving({"/a": lambda: next(answers)}) as url:
        assert asked(wrapper(tmp_path, f"{url}/a")).series_instance_uids == (A,)


NOT_FOLLOWED: Answers = {
    "/gone": lambda: Response("gone", 404),
    "/busy": lambda: Response("busy", 503),
    "/away": lambda: RedirectResponse("http://8.8.8.8/a.tcia"),
    "/again": lambda: PlainTextResponse(
        "<TCIACollection><Downloads><URL>https://h/a</URL></Downloads></TCIACollection>"
    ),
    "/prose": lambda: PlainTextResponse("Dear all,"),
}


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        ("/gone", ManifestError, "answered 404"),
        ("/busy", SourceUnreachable, "answered 503"),
        ("/away", ManifestError, "points at http://.*/away"),
        ("/again", ManifestError, "points elsewhere"),
        ("/prose", ManifestError, "/prose answers is no manifest"),
    ],
)
def test_a_wrapper_that_leads_nowhere(tmp_path: Path, path: str, kind: type[Exception], said: str) -> None:
    with serving(NOT_FOLLOWED) as url, pytest.raises(kind, match=said):
        asked(wrapper(tmp_path, url + path))


@pytest.mark.parametrize(
    "address", ["http://8.8.8.8/a.tcia", "file:///etc/passwd", "ftp://127.0.0.1/a", "a.tcia", "https://[::1/x"]
)
def test_a_wrapper_cannot_make_us_ask_just_anybody(tmp_path: Path, address: str) -> None:
    with pytest.raises(ManifestError, match="points at"):
        asked(wrapper(tmp_path, address))


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "[::ffff:127.0.0.1]"])  # noqa: S104  an address to be refused
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_wrapper_cannot_make_us_ask_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, scheme: str
) -> None:
    monkeypatch.delenv("TCIA_XNAT_ALLOW_PRIVATE_HOSTS")
    came: list[str] = []

    def answer() -> Response:
        came.append(name)
        return PlainTextResponse("secret of a service")

    with serving({"/a": answer}) as url:
        port = url.rpartition(":")[2]
        with pytest.raises(ManifestError, match="not followed") as caught:
            asked(wrapper(tmp_path, f"{scheme}://{name}:{port}/a"))
    assert not came
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_what_a_name_stands_for_is_looked_at_when_it_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TCIA_XNAT_ALLOW_PRIVATE_HOSTS")
    looked: list[str] = []

    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        looked.append(host)
        return [(2, 1, 6, "", ("8.8.8.8", port)), (2, 1, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    with pytest.raises(ManifestError, match=r"points at https://inside\.example/latest, which is not followed"):
        asked(wrapper(tmp_path, "https://inside.example/latest"))
    assert looked == ["inside.example"]


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.251", False),
        ("240.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104  an address to be refused
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:7f00:1::", False),
        ("", False),
    ],
)
def test_which_addresses_are_public(address: str, answer: bool) -> None:  # noqa: FBT001  a value of the table
    assert is_public(address) is answer


def test_a_list_larger_than_any_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LIST_FILE", 1 << 20)
    bomb = gzip.compress(b"1.2.3\n" * (1 << 20))
    answers: Answers = {"/a": lambda: Response(bomb, headers={"content-encoding": "gzip"})}
    with serving(answers) as url, pytest.raises(SourceError, match="larger than 1 MiB"):
        asked(wrapper(tmp_path, f"{url}/a"))


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachable, match="cannot be reached"):
        asked(wrapper(tmp_path, "http://127.0.0.1:9/a.tcia"))


def test_folders_of_idc_become_their_series(tmp_path: Path) -> None:
    [(uid, uuid)] = sql(
        "SELECT SeriesInstanceUID, crdc_series_uuid FROM series WHERE collection_id = 'cmb_aml' LIMIT 1"
    )
    [(revised, older)] = sql(
        """SELECT SeriesInstanceUID, prior.crdc_series_uuid FROM prior JOIN series USING (SeriesInstanceUID)
        WHERE prior.crdc_series_uuid <> series.crdc_series_uuid ORDER BY 1 LIMIT 1"""
    )
    path = tmp_path / "m.s5cmd"
    path.write_text("".join(f"cp s3://idc-open-data/{one}/* .\n" for one in (uuid, UNKNOWN_UUID, older)))
    manifest = asked(path)
    assert manifest.series_instance_uids == (uid,)
    assert manifest.crdc_series_uuids == (UNKNOWN_UUID, older)
    done = dry_run(path)
    assert done.returncode == 3
    assert "To send: 1 series" in done.stdout
    assert "1 series not available: IDC does not offer it\n" in done.stdout
    assert f"  {UNKNOWN_UUID}\n" in done.stdout
    assert f", of series {revised}\n" in done.stdout
    assert f"{path.name}: 3 lines, 3 folders of IDC: 1 series\n" in done.stdout


def study() -> tuple[str, list[str]]:
    """Return a study of several series, and those."""
    [(uid, series)] = sql(
        """SELECT StudyInstanceUID, list_sort(list(SeriesInstanceUID)) FROM series
        WHERE collection_id = 'cmb_aml' AND Modality <> 'SM'
        GROUP BY 1 HAVING count(*) BETWEEN 3 AND 6 ORDER BY 1 LIMIT 1"""
    )
    return uid, list(series)


def test_a_table_of_studies_brings_their_series(tmp_path: Path) -> None:
    uid, series = study()
    path = tmp_path / "m.csv"
    path.write_text(f"PatientID,StudyInstanceUID\nP,{uid}\nP,1.2.3\n")
    manifest = asked(path)
    assert list(manifest.series_instance_uids) == series
    assert manifest.study_instance_uids == ("1.2.3",)
    done = dry_run(path)
    assert done.returncode == 3
    assert f"To send: {len(series)} series" in done.stdout
    assert "\n  1.2.3\n" in done.stdout


def test_studies_that_the_index_does_not_know_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("StudyInstanceUID\n1.2.3\n1.2.4\n")
    with pytest.raises(ManifestError, match="studies, not series, and IDC's index knows none of the 2"):
        asked(path)


def test_studies_in_a_list_of_series_bring_their_series(tmp_path: Path) -> None:
    uid, series = study()
    path = tmp_path / "m.tcia"
    path.write_text(write_tcia([uid], "m"))
    done = dry_run(path)
    assert done.returncode == 0
    assert f"To send: {len(series)} series" in done.stdout
