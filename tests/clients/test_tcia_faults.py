"""What NBIA, or something in front of it, may answer instead of rows: each ends in one of our errors."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sandbox.faults import Fault, answer, cut, reset, stall
from sandbox.sandbox import Sandbox
from tcia_xnat.core.errors import SeriesUnavailable, SourceError, SourceUnreachable
from tcia_xnat.sources.nbia.client import TCIAClient

PAGE = "<html><head><title>Maintenance</title></head><body><h1>We will be back &amp; soon</h1></body></html>"
JSON = {"content-type": "application/json"}


@pytest.fixture
def client(archives: Sandbox) -> Iterator[TCIAClient]:
    with TCIAClient(archives.environment["TCIA_XNAT_NBIA_URL"]) as made:
        yield made
    archives.nbia_faults.lift()


Ask = Callable[[TCIAClient], Any]
OF_ROWS: dict[str, Ask] = {
    "getCollectionValues": lambda client: client.get_collection_values(),
    "getPatient": lambda client: client.get_patient("CMB-AML"),
    "getSeries": lambda client: client.get_series(collection="CMB-AML"),
    "getSeriesMetadata": lambda client: client.get_series_metadata(["1.2"]),
    "getSOPInstanceUIDs": lambda client: client.get_sop_instance_uids("1.2"),
    "getContentsByName": lambda client: client.contents_by_name("x"),
    "getDicomTags": lambda client: client.get_dicom_tags("1.2"),
}
OTHERS: dict[str, Ask] = {
    "getManifestForCollection": lambda client: client.get_manifest_for_collection("CMB-AML"),
    "getImage": lambda client: client.get_image("1.2", lambda _chunk: None),
    "getSingleImage": lambda client: client.get_single_image("1.2", "1.2.3"),
}
ALL = OF_ROWS | OTHERS


def fault(archives: Sandbox, endpoint: str, action: Any) -> None:  # noqa: ANN401  one of the sandbox's
    archives.nbia_faults.add(Fault(f"/{endpoint}", action))


@pytest.mark.parametrize("endpoint", OF_ROWS)
@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_an_empty_body_is_an_empty_list(archives: Sandbox, client: TCIAClient, endpoint: str, body: bytes) -> None:
    fault(archives, endpoint, answer(200, body))
    assert OF_ROWS[endpoint](client) == []


@pytest.mark.parametrize("endpoint", [*OF_ROWS, "getManifestForCollection"])
def test_a_page_in_the_place_of_rows_may_pass(archives: Sandbox, client: TCIAClient, endpoint: str) -> None:
    fault(archives, endpoint, answer(200, PAGE))
    with pytest.raises(SourceUnreachable, match=f"NBIA's {endpoint} sent no .*Maintenance") as caught:
        ALL[endpoint](client)
    assert caught.value.retryable


@pytest.mark.parametrize("endpoint", ALL)
def test_later_comes_with_the_wait_that_was_asked_for(archives: Sandbox, client: TCIAClient, endpoint: str) -> None:
    for status, headers, wait in ((503, {"retry-after": "7"}, 7.0), (429, {"retry-after": "x"}, None), (500, {}, None)):
        fault(archives, endpoint, answer(status, PAGE, headers))
        with pytest.raises(SourceUnreachable, match=f"{endpoint} answered {status}: .*back & soon") as caught:
            ALL[endpoint](client)
        assert caught.value.retry_after == wait


@pytest.mark.parametrize("endpoint", ALL)
def test_a_connection_that_breaks_off_may_pass(archives: Sandbox, client: TCIAClient, endpoint: str) -> None:
    fault(archives, endpoint, reset())
    with pytest.raises(SourceUnreachable, match="cannot be reached or broke off"):
        ALL[endpoint](client)


def test_rows_that_break_off_may_pass(archives: Sandbox, client: TCIAClient) -> None:
    fault(archives, "getSeries", cut(100))
    with pytest.raises(SourceUnreachable, match="broke off"):
        client.get_series(collection="CMB-AML")
    assert client.get_series(collection="CMB-AML")


def test_silence_has_an_end(archives: Sandbox) -> None:
    fault(archives, "getPatient", stall())
    with (
        TCIAClient(archives.environment["TCIA_XNAT_NBIA_URL"], silent_seconds=0.3) as client,
        pytest.raises(SourceUnreachable),
    ):
        client.get_patient("CMB-AML")
    archives.nbia_faults.lift()


@pytest.mark.parametrize(
    "body", ['{"errorMessage":"java.lang.IndexOutOfBounds"}', "null", '"x"', "[1]", '[["a"]]', "7"]
)
def test_json_that_is_no_list_of_rows_is_an_error(archives: Sandbox, client: TCIAClient, body: str) -> None:
    fault(archives, "getSeries", answer(200, body, JSON))
    with pytest.raises(SourceError, match="NBIA's getSeries sent no list of rows") as caught:
        client.get_series(collection="CMB-AML")
    assert not caught.value.retryable


@pytest.mark.parametrize("body", ['[{"Modality":"CT"}', "[{'a':1}]", "\xff", '[{"SeriesInstanceUID":"1.2"},'])
def test_json_that_is_none_may_pass(archives: Sandbox, client: TCIAClient, body: str) -> None:
    fault(archives, "getSeries", answer(200, body.encode("latin-1"), JSON))
    with pytest.raises(SourceUnreachable, match="sent no JSON"):
        client.get_series(collection="CMB-AML")


@pytest.mark.parametrize(
    ("endpoint", "missing"),
    [
        ("getCollectionValues", "Collection"),
        ("getPatient", "PatientId"),
        ("getSeries", "SeriesInstanceUID"),
        ("getSeriesMetadata", "SeriesInstanceUID"),
        ("getSOPInstanceUIDs", "SOPInstanceUID"),
        ("getContentsByName", "SeriesInstanceUID"),
        ("getDicomTags", "data and element and name"),
    ],
)
def test_a_row_without_what_it_must_have_is_an_error(
    archives: Sandbox, client: TCIAClient, endpoint: str, missing: str
) -> None:
    fault(archives, endpoint, answer(200, '[{"another":"column"}]', JSON))
    with pytest.raises(SourceError, match=f"NBIA's {endpoint} sent a row without {missing}: "):
        OF_ROWS[endpoint](client)


def test_rows_of_null_are_left_out_of_values(archives: Sandbox, client: TCIAClient) -> None:
    fault(archives, "getBodyPartValues", answer(200, '[{},{"BodyPartExamined":"CHEST"}]', JSON))
    assert client.get_body_part_values() == ["CHEST"]


def test_numbers_may_be_text_but_must_be_numbers(archives: Sandbox, client: TCIAClient) -> None:
    size = {"TotalSizeInBytes": "149149266.000000", "ObjectCount": 133.0}
    fault(archives, "getSeriesSize", answer(200, json.dumps([size]), JSON))
    assert client.get_series_size("1.2") == [{"TotalSizeInBytes": 149149266, "ObjectCount": 133}]
    for wrong in ("many", "inf", [1], {"a": 1}):
        fault(archives, "getSeries", answer(200, json.dumps([{"SeriesInstanceUID": "1", "ImageCount": wrong}]), JSON))
        with pytest.raises(SourceError, match=r"NBIA's getSeries sent .* as ImageCount"):
            client.get_series()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_a_refusal_is_an_error_that_stays(archives: Sandbox, client: TCIAClient, status: int) -> None:
    fault(archives, "getSeries", answer(status, "Invalid query parameter: 'x'. Allowed parameters are: [y]"))
    with pytest.raises(SourceError, match=f"getSeries answered {status}: Invalid query parameter: 'x'") as caught:
        client.get_series()
    assert not caught.value.retryable
    assert not isinstance(caught.value, SeriesUnavailable)
    assert ("does not let everybody in" in caught.value.hint) == (status in {401, 403})


def test_v1_words_its_refusals_in_another_way(archives: Sandbox, client: TCIAClient) -> None:
    refusal = "Image with given SeriesInstanceUID,1.2, is not in public domain."
    fault(archives, "getContentsByName", answer(400, refusal, JSON))
    with pytest.raises(SeriesUnavailable):
        client.contents_by_name("x")


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n[{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n[{}]",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
def test_raw_bytes_that_no_server_should_send(raw: bytes) -> None:
    with _serving(raw) as url, TCIAClient(url) as client, pytest.raises(SourceUnreachable):
        client.get_collection_values()


@contextmanager
def _serving(raw: bytes) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(raw)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread.join()
    listening.close()
