"""What NBIA may send instead of a whole series, and what becomes of it: repaired and proved, or a clear error."""

import io
import json
import socket
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.serve import Server
from tcia_xnat.core.errors import SeriesDamaged, SeriesIncomplete, SeriesUnavailable, SourceUnreachable
from tcia_xnat.core.model import Member, SeriesPackage
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.sources.nbia.client import TCIAClient
from tcia_xnat.sources.nbia.source import NbiaSource
from tcia_xnat.staging.spool import Spool
from tcia_xnat.staging.zipstream import ZipStream
from tests.images import SERIES, image, images, md5, nbia_zip, series

WHOLE = images(5)
NOT_PUBLIC = (
    f"The user has not been granted the access to image with given SeriesInstanceUID,{SERIES}."
    " Please contact System Admin to resolve this issue."
)


@dataclass
class Nbia:
    """A server that answers getImage from a list, one answer after the other, the last one for ever."""

    zips: list[Any] = field(default_factory=lambda: [nbia_zip(WHOLE)])
    singles: Mapping[str, bytes] = field(default_factory=lambda: {f"{SERIES}.{n}": image(n) for n in range(1, 6)})
    hashed: Mapping[str, str] | None = None
    asked: list[str] = field(default_factory=list)

    def application(self) -> Starlette:
        return Starlette(routes=[Route("/v4/{endpoint}", self.answer, methods=["GET", "POST"])])

    async def answer(self, request: Request) -> Response:
        endpoint, sop = request.path_params["endpoint"], request.query_params.get("SOPInstanceUID", "")
        self.asked.append(f"{endpoint} {sop}".strip())
        if endpoint == "getImage":
            content = self.zips.pop(0) if len(self.zips) > 1 else self.zips[0]
            return content if isinstance(content, Response) else Response(content)
        if endpoint == "getSOPInstanceUIDs":
            return Response(json.dumps([{"SOPInstanceUID": uid} for uid in self.singles]))
        if endpoint == "getSingleImage":
            return Response(self.singles[sop]) if self.singles.get(sop) else Response("null", 500)
        hashes = self.hashed if self.hashed is not None else {uid: md5(data) for uid, data in self.singles.items()}
        return Response(hashes.get(sop, ""))


@pytest.fixture
def nbia() -> Nbia:
    return Nbia()


@pytest.fixture
def spool() -> Iterator[Spool]:
    with Spool() as opened:
        yield opened


def fetch(nbia: Nbia, spool: Spool, count: int = 5, attempts: int = 1) -> SeriesPackage:
    with Server(nbia.application()) as server:
        client = TCIAClient(server.url)
        try:
            source = NbiaSource(client, Patience(RetryPolicy(attempts), lambda _seconds: None))
            (package,) = source.fetch(series(count), spool, lambda _count: None)
        finally:
            client.close()
        return package


def contents(spool: Spool, members: tuple[Member, ...]) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(b"".join(ZipStream(spool, members)))) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


EXPECTED = {f"{SERIES}.{number}.dcm": image(number) for number in range(1, 6)}


def test_a_whole_zip_gives_its_images_under_their_instance_uids_and_nothing_else(nbia: Nbia, spool: Spool) -> None:
    assert contents(spool, fetch(nbia, spool).members) == EXPECTED
    assert nbia.asked == ["getImage"]


def test_a_short_zip_that_is_valid_is_repaired_image_by_image(nbia: Nbia, spool: Spool) -> None:
    nbia.zips = [nbia_zip(images(3), listed=False)]
    assert contents(spool, fetch(nbia, spool).members) == EXPECTED
    singles = [question for question in nbia.asked if question.startswith("getSingleImage")]
    assert singles == [f"getSingleImage {SERIES}.{number}" for number in (4, 5)]


def test_an_older_nbia_that_knows_no_hashes_in_zips_is_asked_without(nbia: Nbia, spool: Spool) -> None:
    refused = Response("Invalid query parameter: 'IncludeMD5'. Allowed parameters are: [SeriesInstanceUID]", 400)
    nbia.zips = [refused, nbia_zip(WHOLE, listed=False)]
    assert contents(spool, fetch(nbia, spool).members) == EXPECTED
    assert nbia.asked[:2] == ["getImage", "getImage"]
    assert not [question for question in nbia.asked if question.startswith("getSingleImage")]


def test_an_image_cut_off_within_a_valid_zip_is_fetched_alone(nbia: Nbia, spool: Spool) -> None:
    short = {**images(3), "1-04.dcm": image(4)[:-100]}
    nbia.zips = [nbia_zip(short, listed=False)]
    assert contents(spool, fetch(nbia, spool).members) == EXPECTED


def test_a_zip_with_the_licence_alone_is_repaired(nbia: Nbia, spool: Spool) -> None:
    nbia.zips = [nbia_zip({}, listed=False)]
    assert contents(spool, fetch(nbia, spool).members) == EXPECTED


def test_a_short_series_that_cannot_be_repaired_fails_with_its_numbers(nbia: Nbia, spool: Spool) -> None:
    nbia.zips = [nbia_zip(images(3))]
    nbia.singles = {uid: data if uid != f"{SERIES}.4" else b"" for uid, data in nbia.singles.items()}
    with pytest.raises(SeriesIncomplete, match="3 of 5 images"):
        fetch(nbia, spool)


def test_a_list_of_instances_that_is_short_as_well_cannot_repair(nbia: Nbia, spool: Spool) -> None:
    nbia.zips = [nbia_zip(images(3))]
    nbia.singles = dict(list(nbia.singles.items())[:3])
    with pytest.raises(SeriesIncomplete, match="3 of 5 images"):
        fetch(nbia, spool)


def test_a_file_that_the_list_of_hashes_names_and_the_zip_lacks_is_fetched(nbia: Nbia, spool: Spool) -> None:
    nbia.zips = [nbia_zip(images(4), {"1-05.dcm": md5(image(5))})]
    assert contents(spool, fetch(nbia, spool).members) == EXPECTED


def test_bytes_that_changed_on_the_way_are_fetched_again(nbia: Nbia, spool: Spool) -> None:
    changed = {**WHOLE, "1-02.dcm": WHOLE["1-02.dcm"][:-1] + b"!"}
    nbia.zips = [nbia_zip(changed, {"1-02.dcm": md5(WHOLE["1-02.dcm"])})]
    assert contents(spool, fetch(nbia, spool).members) == EXPECTED


def test_a_hash_that_never_fits_fails(nbia: Nbia, spool: Spool) -> None:
    nbia.zips = [nbia_zip(WHOLE, {"1-02.dcm": "0" * 32})]
    nbia.hashed = {f"{SERIES}.2": "0" * 32}
    with pytest.raises(SeriesIncomplete, match="4 of 5 images"):
        fetch(nbia, spool)


def test_hashes_in_capitals_are_hashes(nbia: Nbia, spool: Spool) -> None:
    nbia.zips = [nbia_zip(WHOLE, {name: md5(data).upper() for name, data in WHOLE.items()})]
    fetch(nbia, spool)
    assert nbia.asked == ["getImage"]


def test_an_empty_hash_proves_nothing_and_the_image_is_fetched_alone(nbia: Nbia, spool: Spool) -> None:
    nbia.zips = [nbia_zip(WHOLE, {"1-02.dcm": ""})]
    assert contents(spool, fetch(nbia, spool).members) == EXPECTED
    assert f"getMD5HashForImage {SERIES}.2" in nbia.asked


@pytest.mark.parametrize(
    "body",
    [b"", b"<html><body>Sorry</body></html>", nbia_zip(WHOLE)[:-200], nbia_zip(WHOLE)[: len(nbia_zip(WHOLE)) // 2]],
    ids=["empty", "html", "no directory", "half"],
)
def test_a_body_that_is_no_whole_zip_is_asked_for_again(nbia: Nbia, spool: Spool, body: bytes) -> None:
    nbia.zips = [body, nbia_zip(WHOLE)]
    assert contents(spool, fetch(nbia, spool, attempts=2).members) == EXPECTED
    nbia.zips = [body]
    with pytest.raises(SeriesDamaged):
        fetch(nbia, spool, attempts=2)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_answer_that_says_later_is_asked_again(nbia: Nbia, spool: Spool, status: int) -> None:
    nbia.zips = [Response("later", status), nbia_zip(WHOLE)]
    assert contents(spool, fetch(nbia, spool, attempts=2).members) == EXPECTED
    nbia.zips = [Response("later", status)]
    with pytest.raises(SourceUnreachable, match=str(status)):
        fetch(nbia, spool, attempts=2)


def test_a_series_that_is_not_public_is_asked_for_once(nbia: Nbia, spool: Spool) -> None:
    nbia.zips = [Response(NOT_PUBLIC, 400, media_type="application/json")]
    with pytest.raises(SeriesUnavailable):
        fetch(nbia, spool, attempts=5)
    assert nbia.asked == ["getImage"]


@pytest.mark.parametrize("name", ["../1-05.dcm", "/1-05.dcm", "a\\1-05.dcm", ".1-05.dcm"])
def test_a_name_that_leads_elsewhere_is_refused(nbia: Nbia, spool: Spool, name: str) -> None:
    nbia.zips = [nbia_zip({**images(4), name: image(5)})]
    with pytest.raises(SeriesDamaged, match="no plain file name"):
        fetch(nbia, spool)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_refused(nbia: Nbia, spool: Spool) -> None:
    made = io.BytesIO(nbia_zip(WHOLE))
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr("1-05.dcm", image(6))
    nbia.zips = [made.getvalue()]
    with pytest.raises(SeriesDamaged, match="twice"):
        fetch(nbia, spool)


def test_the_same_instance_under_two_names_is_no_complete_series(nbia: Nbia, spool: Spool) -> None:
    nbia.zips = [nbia_zip({**images(4), "1-05.dcm": image(4)})]
    with pytest.raises(SeriesDamaged, match="twice under the same SOPInstanceUID"):
        fetch(nbia, spool)


def test_an_image_of_another_series_does_not_pass_as_one_of_this(nbia: Nbia, spool: Spool) -> None:
    nbia.zips = [nbia_zip({**images(4), "1-05.dcm": image(5, series="1.2.3")})]
    assert contents(spool, fetch(nbia, spool).members) == EXPECTED
    nbia.singles = {
        uid: data if uid != f"{SERIES}.5" else image(5, series="1.2.3") for uid, data in nbia.singles.items()
    }
    with pytest.raises(SeriesIncomplete, match="4 of 5 images"):
        fetch(nbia, spool)


def test_more_images_than_nbia_counts_are_not_its_series(nbia: Nbia, spool: Spool) -> None:
    with pytest.raises(SeriesDamaged, match="5 images, although the catalogue lists 4"):
        fetch(nbia, spool, count=4)


def test_a_connection_that_breaks_off_is_no_end() -> None:
    """The server closes in the middle of a chunk: raw bytes, as no framework would send them."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nPK\x03\x04 and no more")

    thread = threading.Thread(target=serve)
    thread.start()
    client = TCIAClient(f"http://127.0.0.1:{listening.getsockname()[1]}")
    with pytest.raises(SourceUnreachable):
        client.get_image(SERIES, lambda _chunk: None)
    thread.join()
    listening.close()
    client.close()
