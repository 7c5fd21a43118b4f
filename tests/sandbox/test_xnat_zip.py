"""What becomes of every kind of zip, good and bad (the matrix of xnat-http.md §5.7, §15.15)."""

import io
import itertools
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import Literal

import pytest

from tests.sandbox.xnat_case import PLAIN, SERIES, Site, dicom, message, zipped

ONE, TWO, THREE = dicom(1), dicom(2), dicom(3)
SHUT = {"Ignore-Unparsable": "true"}
UNREADABLE = "unable to read DICOM object 2.dcm"
NO_DATA = "unable to read data from file"
DESCRIPTOR = 8
_labels = (f"Z{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("xnat")) as site:
        site.settings.enable_sitewide_anonymization_script = False
        yield site


class Sent:
    """An upload into a session of its own, its answer and what was stored of it."""

    def __init__(self, site: Site, body: bytes, **more: str) -> None:
        label = next(_labels)
        self.answer = site.upload(body, PLAIN, session=label, **more)
        folders = list((site.directory / "prearchive").glob(f"*/*/{label}"))
        paths = [path for folder in folders for path in folder.rglob("*.dcm")]
        self.stored = {path.name: path.read_bytes() for path in sorted(paths)}

    @property
    def names(self) -> list[str]:
        return list(self.stored)

    def refused(self) -> str:
        assert self.answer.status_code == 400, self.answer.text
        return message(self.answer)


def local(name: bytes, content: bytes, data: bytes, method: int = 8, flags: int = 0, **fields: int) -> bytes:
    """Return a local header with its data; `fields` replace crc, packed and size."""
    known = {"crc": zlib.crc32(data), "packed": len(content), "size": len(data)} | fields
    values = (known["crc"], known["packed"], known["size"])
    return struct.pack("<4sHHHIIIIHH", b"PK\3\4", 20, flags, method, 0, *values, len(name), 0) + name + content


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def entry(name: str, data: bytes) -> bytes:
    """Return a healthy entry."""
    return local(name.encode(), deflated(data), data)


def streamed(name: str, data: bytes, descriptor: bytes) -> bytes:
    """Return an entry whose sizes follow it."""
    return local(name.encode(), deflated(data), data, flags=DESCRIPTOR, crc=0, packed=0, size=0) + descriptor


def healthy(site: Site, body: bytes, **more: str) -> Sent:
    sent = Sent(site, body, **more)
    assert sent.answer.status_code == 200, sent.answer.text
    return sent


# what is fine


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_whole_zips(site: Site, method: int) -> None:
    sent = healthy(site, zipped({"1.dcm": ONE, "2.dcm": TWO}, method))
    assert sent.stored == {"1.dcm": ONE, "2.dcm": TWO}


@pytest.mark.parametrize("signature", [b"PK\7\x08", b""])
def test_deflated_with_a_descriptor(site: Site, signature: bytes) -> None:
    descriptor = signature + struct.pack("<III", zlib.crc32(ONE), len(deflated(ONE)), len(ONE))
    sent = healthy(site, streamed("1.dcm", ONE, descriptor) + entry("2.dcm", TWO))
    assert sent.stored == {"1.dcm": ONE, "2.dcm": TWO}


def test_what_python_writes_to_a_stream(site: Site) -> None:
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise io.UnsupportedOperation

    made = Unseekable()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.dcm", ONE)
    assert healthy(site, made.getvalue()).names == ["1.dcm"]


def test_zip64_header_with_known_sizes(site: Site) -> None:
    for method, packed in ((8, deflated(ONE)), (0, ONE)):
        extra = struct.pack("<HHQQ", 1, 16, len(ONE), len(packed))
        head = struct.pack("<4sHHHIIIIHH", b"PK\3\4", 45, 0, method, 0, zlib.crc32(ONE), 2**32 - 1, 2**32 - 1, 5, 20)
        sent = healthy(site, head + b"1.dcm" + extra + packed + entry("2.dcm", TWO))
        assert sent.stored == {"1.dcm": ONE, "2.dcm": TWO}


def test_directories_are_skipped_and_folders_dropped(site: Site) -> None:
    other = dicom(5)
    body = zipped({"a/": b"", "a/1.dcm": ONE, "b/": b"", "b/1.dcm": other})
    sent = healthy(site, body)
    assert sent.names[-1] == "1.dcm"
    assert sent.names[0].startswith("1.2.826.1-3-5-")  # the same name, another object: the template
    assert sorted(sent.stored.values()) == sorted([ONE, other])


# what is silently nothing, or not all


@pytest.mark.parametrize("more", [{}, SHUT], ids=["default", "ignore"])
@pytest.mark.parametrize(
    "body",
    [b"<html>Service unavailable</html>", b"", zipped({}), b"junk" + zipped({"1.dcm": ONE})],
    ids=["html", "nothing", "empty", "junk"],
)
def test_no_zip_is_200_and_empty(site: Site, body: bytes, more: dict[str, str]) -> None:
    sent = healthy(site, body, **more)
    assert sent.answer.content == b""
    assert sent.answer.headers["Content-Length"] == "0"
    assert sent.names == []


@pytest.mark.parametrize("more", [{}, SHUT], ids=["default", "ignore"])
def test_cuts_between_entries_do_not_show(site: Site, more: dict[str, str]) -> None:
    first, second = entry("1.dcm", ONE), entry("2.dcm", TWO)
    for body in (first, first + second[:17], first + second[:33]):
        sent = healthy(site, body, **more)
        assert sent.names == ["1.dcm"]
        assert sent.answer.text.startswith("/data/prearchive/")


# what fails


@pytest.mark.parametrize("method", [0, 8])
def test_a_cut_inside_leaves_a_half_written_file(site: Site, method: int) -> None:
    whole = dicom(2, size=300_000)
    body = entry("1.dcm", ONE) + local(b"2.dcm", deflated(whole) if method else whole, whole, method)
    cut = body[: -len(body) // 4]
    sent = Sent(site, cut)
    assert sent.refused() == UNREADABLE
    assert sent.names == ["1.dcm", "2.dcm"]
    assert whole.startswith(sent.stored["2.dcm"][:1000])
    assert len(sent.stored["2.dcm"]) < len(whole)
    assert Sent(site, cut, **SHUT).refused() == NO_DATA


def test_rename_heals_a_half_written_file_and_the_same_name_does_not(site: Site) -> None:
    whole = dicom(2, size=300_000)
    body = local(b"2.dcm", whole, whole, method=0)
    for rename, expected in (("false", 2), ("true", 1)):
        label = next(_labels)
        assert site.upload(body[:2000], PLAIN, session=label, rename=rename).status_code == 400
        [half] = (site.directory / "prearchive").glob(f"*/*/{label}/SCANS/3/DICOM/*.dcm")
        half.write_bytes(half.read_bytes()[:200])  # cut so early that not even its header can be read
        assert site.upload(body, PLAIN, session=label, rename=rename).status_code == 200
        files = list((site.directory / "prearchive").glob(f"*/*/{label}/SCANS/3/DICOM/*.dcm"))
        assert len(files) == expected
        assert whole in [path.read_bytes() for path in files]


def test_wrong_crc_of_a_deflated_entry(site: Site) -> None:
    body = entry("1.dcm", ONE) + local(b"2.dcm", deflated(TWO), TWO, crc=1) + entry("3.dcm", THREE)
    sent = Sent(site, body)
    assert sent.refused() == UNREADABLE
    assert sent.stored == {"1.dcm": ONE, "2.dcm": TWO}  # the corrupt object stays
    assert Sent(site, body, **SHUT).refused() == NO_DATA


def test_broken_deflate(site: Site) -> None:
    packed = bytearray(deflated(dicom(2, size=100_000)))
    packed[len(packed) // 2 :] = b"\xff" * (len(packed) - len(packed) // 2)
    body = entry("1.dcm", ONE) + local(b"2.dcm", bytes(packed), TWO)
    assert Sent(site, body).refused() == UNREADABLE
    assert Sent(site, body, **SHUT).refused() == NO_DATA


def test_wrong_crc_of_a_stored_entry(site: Site) -> None:
    body = entry("1.dcm", ONE) + local(b"2.dcm", TWO, TWO, method=0, crc=1) + entry("3.dcm", THREE)
    assert Sent(site, body).refused() == UNREADABLE
    sent = healthy(site, body, **SHUT)
    assert {"1.dcm", "3.dcm"} <= set(sent.names)


@pytest.mark.parametrize("more", [{}, SHUT], ids=["default", "ignore"])
def test_stored_with_a_descriptor(site: Site, more: dict[str, str]) -> None:
    descriptor = struct.pack("<4sIII", b"PK\7\x08", zlib.crc32(TWO), len(TWO), len(TWO))
    body = entry("1.dcm", ONE) + local(b"2.dcm", TWO, TWO, method=0, flags=DESCRIPTOR) + descriptor
    sent = Sent(site, body, **more)
    assert sent.refused() == NO_DATA
    assert sent.names == ["1.dcm"]


def test_zip64_descriptor_on_a_small_entry(site: Site) -> None:
    descriptor = struct.pack("<4sIQQ", b"PK\7\x08", zlib.crc32(TWO), len(deflated(TWO)), len(TWO))
    body = entry("1.dcm", ONE) + streamed("2.dcm", TWO, descriptor) + entry("3.dcm", THREE)
    assert Sent(site, body).refused() == UNREADABLE
    assert Sent(site, body, **SHUT).refused() == NO_DATA
    site.settings.reads_small_zip64_descriptors = True  # as JDK 25 does
    try:
        assert healthy(site, body).names == ["1.dcm", "2.dcm", "3.dcm"]
    finally:
        site.settings.reads_small_zip64_descriptors = False


@pytest.mark.parametrize("more", [{}, SHUT], ids=["default", "ignore"])
def test_encrypted(site: Site, more: dict[str, str]) -> None:
    body = entry("1.dcm", ONE) + local(b"2.dcm", deflated(TWO), TWO, flags=1)
    assert Sent(site, body, **more).refused() == NO_DATA


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_java_does_not_know(site: Site, method: int) -> None:
    body = zipped({"2.dcm": TWO}, method)
    assert Sent(site, body).refused() == UNREADABLE
    assert Sent(site, body, **SHUT).refused() == NO_DATA


@pytest.mark.parametrize("more", [{}, SHUT], ids=["default", "ignore"])
def test_names_that_are_not_utf8(site: Site, more: dict[str, str]) -> None:
    body = local("é.dcm".encode("latin-1"), deflated(ONE), ONE)
    assert Sent(site, body, **more).refused().startswith("malformed input off : ")


def test_what_is_not_dicom_ends_the_import_and_earlier_objects_stay(site: Site) -> None:
    for name, said in (("README.txt", "README.txt"), ("folder/LICENSE", "LICENSE"), ("md5hashes.csv", "md5hashes.csv")):
        body = zipped({"1.dcm": ONE, name: b"some text", "2.dcm": TWO})
        sent = Sent(site, body)
        assert sent.refused() == f"unable to read DICOM object {said}"
        assert sent.names == ["1.dcm"]
        assert healthy(site, body, **SHUT).names == ["1.dcm", "2.dcm"]


def test_nothing_stored_tells_the_last_error_also_when_errors_are_ignored(site: Site) -> None:
    sent = Sent(site, zipped({"a.txt": b"text", "b.txt": b"text"}), **SHUT)
    assert sent.refused() == "unable to read DICOM object b.txt"


def test_objects_without_names(site: Site) -> None:
    assert Sent(site, zipped({"1.dcm": dicom(SOPClassUID=None)})).refused() == "object 1.dcm contains no SOP Class UID"
    nameless = Sent(site, zipped({"1.dcm": dicom(SOPInstanceUID=None)}))
    assert nameless.refused() == "object 1.dcm contains no SOP Instance UID"


# archives in archives, other formats


def test_archives_inside_are_unpacked(site: Site) -> None:
    body = zipped({"inner.zip": zipped({"1.dcm": ONE}), "2.dcm": TWO})
    assert healthy(site, body).names == ["1.dcm", "2.dcm"]
    assert Sent(site, zipped({"x.gz": b"\x1f\x8b"})).refused() == "Unsupported format GZ"


def test_tar(site: Site) -> None:
    modes: tuple[tuple[str, Literal["w", "w:gz"]], ...] = ((".tar", "w"), (".tgz", "w:gz"))
    for suffix, mode in modes:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode=mode) as archive:
            member = tarfile.TarInfo("1.dcm")
            member.size = len(ONE)
            archive.addfile(member, io.BytesIO(ONE))
        label = next(_labels)
        path = f"/data/services/import/x{suffix}"
        answer = site.ask("POST", path, made.getvalue(), **PLAIN | {"inbody": "true", "session": label})
        assert answer.status_code == 200, answer.text
        assert answer.text.strip().endswith(label)


def test_a_large_object_is_stored_as_it_came(site: Site) -> None:
    large = dicom(1, size=3_000_000, SeriesInstanceUID=f"{SERIES}.9")
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert healthy(site, zipped({"1.dcm": large}, method)).stored == {"1.dcm": large}


def test_an_object_that_compresses_very_well_is_stored_as_it_came(site: Site) -> None:
    large = dicom(1, SeriesInstanceUID=f"{SERIES}.10", PixelData=bytes(6_000_000))
    sent = healthy(site, zipped({"1.dcm": large}) + b"what follows")
    assert sent.stored == {"1.dcm": large}
    assert Sent(site, zipped({"1.dcm": large})[:6000]).refused() == "unable to read DICOM object 1.dcm"


def test_the_cache_is_left_clean(site: Site) -> None:
    Sent(site, zipped({"1.dcm": ONE, "2.txt": b"text"}))
    assert list((site.directory / "cache").iterdir()) == []
