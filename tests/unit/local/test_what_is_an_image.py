"""Content and neighbours decide what is an image: nothing that may be one stays behind without a word."""

import gzip
import io
import tarfile
import zipfile
from contextlib import nullcontext
from pathlib import Path

import pytest
from pydicom.fileset import FileSet

from tcia_xnat.core.errors import SeriesDamaged
from tcia_xnat.sources.local.layout import Layout
from tests.unit.local.look import look, sent
from tests.upload.trees import Scan, write, zipped

SCAN = Scan("P7", 71, 1, images=4)
NAMED = {name.removesuffix(".dcm"): data for name, data in SCAN.all_images().items()}
ALL = {SCAN.series_instance_uid: 4}
WITHOUT_THIRD = {name: data for name, data in NAMED.items() if name != "IM0003"}


def tarred(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


IN_PLACE = {
    "empty": b"",
    "zeros": bytes(4000),
    "text": b"transfer failed",
    "a page": b"<html><body>404</body></html>",
    "annex": b"/annex/objects/MD5E-s1234--00112233445566778899aabbccddeeff\n",
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    "a zip": zipped({"x": SCAN.image(3)}),
    "half a zip": zipped({"x": SCAN.image(3)})[:200],
    "7z": b"7z\xbc\xaf\x27\x1c" + bytes(90),
    "half an image": SCAN.image(3)[:60],
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_what_stands_in_the_place_of_an_image_is_lost(tmp_path: Path, name: str) -> None:
    found = look(write(tmp_path / "tree", {**NAMED, "IM0003": IN_PLACE[name]}))
    assert list(found.lost) == ["IM0003"]
    assert found.images == {SCAN.series_instance_uid: 3}


def test_what_is_named_otherwise_is_no_loss(tmp_path: Path) -> None:
    others = {"readme": b"x", "IM0003.txt": b"x", "VERSION": b"", "dose.pdf": b"%PDF-1.4", "a.json": b"{}"}
    found = look(write(tmp_path / "tree", {**NAMED, **others, "deep/IM0009": b"x"}))
    assert (found.images, found.lost) == (ALL, {})


@pytest.mark.parametrize("name", [".5mm bone/IM1", ".IM1", "._IM1", "IM1.img", "IM1.0", "a.txt", "DICOMDIR", "x y/ .z"])
def test_names_do_not_matter(tmp_path: Path, name: str) -> None:
    image = SCAN.image(1) + bytes(5000)  # zeros behind the last value are padding
    tree = write(tmp_path / "tree", {**NAMED, name: image})
    (tree / "IM0001").unlink()
    assert look(tree).images == ALL


@pytest.mark.parametrize("size", [4096, 40])
def test_junk_is_passed_over(tmp_path: Path, size: int) -> None:
    junk = {"._IM0001": bytes(size), ".DS_Store": b"x", "Thumbs.db": b"x", "Desktop.ini": b"x", "__MACOSX/IM9": b"x"}
    found = look(write(tmp_path / "tree", {**NAMED, **junk, ".git/annex/IM0001": SCAN.image(2)}))
    assert (found.images, found.lost) == (ALL, {})
    assert len(found.left) == 6


@pytest.mark.parametrize("start", [132, 128 + 4])
@pytest.mark.parametrize("drops_meta", [False, True])
def test_a_data_set_without_preamble(tmp_path: Path, start: int, *, drops_meta: bool) -> None:
    image = SCAN.image(3)[start:]
    if drops_meta:
        image = image[image.index(b"\x08\0\x16\0UI") :]
    tree = write(tmp_path / "tree", {**NAMED, "IM0003": image})
    assert image in sent(tree)[SCAN.series_instance_uid]


@pytest.mark.parametrize("padding", [b"\xff", b"\xff" * 700, bytes(512)])
def test_padding_is_no_damage(tmp_path: Path, padding: bytes) -> None:
    padded = SCAN.image(3) + padding
    assert padded in sent(write(tmp_path / "tree", {**NAMED, "IM0003": padded}))[SCAN.series_instance_uid]


@pytest.mark.parametrize(
    "packed",
    [
        {f"{name}.dcm.gz": gzip.compress(data) for name, data in NAMED.items()},
        {"all.tar": tarred(NAMED)},
        {"all.tgz": gzip.compress(tarred(NAMED))},
        {"sent.out": gzip.compress(tarred({f"a/{name}": data for name, data in NAMED.items()}))},
        {"cd.zip": zipped({f"DATA\\{name}": data for name, data in NAMED.items()}, zipfile.ZIP_STORED)},
    ],
)
def test_packed_images_are_read(tmp_path: Path, packed: dict[str, bytes]) -> None:
    assert sent(write(tmp_path / "tree", packed)) == {SCAN.series_instance_uid: list(NAMED.values())}


def test_zips_of_windows(tmp_path: Path) -> None:
    members = {f"DATA\\{name}": data for name, data in NAMED.items()}
    tree = write(tmp_path / "tree", {"cd.zip": zipped({**members, "__MACOSX\\DATA\\._IM0001": bytes(64)})})
    found = look(tree)
    assert (found.images, found.lost) == (ALL, {})
    assert "cd.zip/__MACOSX/DATA/._IM0001" in found.left


@pytest.mark.parametrize(
    "content",
    [tarred(NAMED)[:3000], gzip.compress(tarred(NAMED))[:-400], gzip.compress(bytes(9))[:-9]],
    ids=[
        "a tar",
        "a tar in gzip",
        "a file in gzip",
    ],  # what gzip makes holds the time: tests are named alike everywhere
)
def test_archives_that_are_cut(tmp_path: Path, content: bytes) -> None:
    assert "all.tgz" in look(write(tmp_path / "tree", {**NAMED, "all.tgz": content})).lost


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(tarred({"IM0009": bytes(96 << 20)}), 9)
    assert "more than" in look(write(tmp_path / "tree", {**NAMED, "b.gz": bomb})).lost["b.gz"]


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """Return a medium with a DICOMDIR; standard media have names of eight letters."""
    files = FileSet()
    made = {name: SCAN.image(nth, StudyTime="101010", StudyID="1") for nth, name in enumerate(NAMED, 1)}
    for path in sorted(write(tmp_path / "made", made).iterdir()):
        files.add(path)
    files.write(tmp_path / "medium")
    files._stage["t"].cleanup()  # pydicom leaves it to the collector, which warns in any other test
    return tmp_path / "medium"


def images_of(medium: Path) -> list[Path]:
    return sorted(path for path in medium.rglob("*") if path.is_file() and path.name != "DICOMDIR")


def test_what_a_dicomdir_names_is_there(medium: Path) -> None:
    assert (look(medium).images, look(medium).lost) == (ALL, {})
    for path in images_of(medium):
        path.rename(path.with_name(f"{path.name.lower()};1"))
    assert (look(medium).images, look(medium).lost) == (ALL, {})


@pytest.mark.parametrize("content", [None, b"", b"x"])
def test_what_a_dicomdir_names_and_is_not_there_is_lost(medium: Path, content: bytes | None) -> None:
    gone = images_of(medium)[2]
    look(medium)  # the headers are known from then on
    gone.unlink()
    if content is not None:
        gone.write_bytes(content)
    assert list(look(medium).lost) == [str(gone.relative_to(medium))]


def test_a_dicomdir_in_a_zip_names_what_is_not_there(medium: Path, tmp_path: Path) -> None:
    files = {str(path.relative_to(medium)): path.read_bytes() for path in medium.rglob("*") if path.is_file()}
    gone = str(images_of(medium)[2].relative_to(medium))
    tree = write(tmp_path / "tree", {"cd.zip": zipped({name: files[name] for name in files if name != gone})})
    assert list(look(tree).lost) == [f"cd.zip/{gone}"]


@pytest.mark.parametrize("where", ["S/v1/more.zip", "stray.dcm"])
def test_a_copy_that_is_not_sent_must_be_the_same_image(tmp_path: Path, where: str) -> None:
    tree = write(tmp_path / "tree/S/v1/a", {"IM1.dcm": SCAN.image(1)}).parents[2]
    for image in (SCAN.image(1), SCAN.image(1, SeriesDescription="other")):
        write(tree, {where: zipped({"x.dcm": image}) if where.endswith(".zip") else image})
        assert not look(tree, layout=Layout.FOLDERS).lost
        is_same = image == SCAN.image(1)
        with nullcontext() if is_same else pytest.raises(SeriesDamaged, match="same instance with different content"):
            assert sent(tree, layout=Layout.FOLDERS) == {SCAN.series_instance_uid: [SCAN.image(1)]}


@pytest.mark.parametrize("holds", ["other images", "the same images"])
def test_a_zip_that_nobody_decided_about(tmp_path: Path, holds: str) -> None:
    tree = write(tmp_path / "tree/S/v1", NAMED).parents[1]
    inside = {"a.dcm": SCAN.image(9 if holds == "other images" else 1), "notes.txt": b"x"}
    write(tree / "S/v1", {"more.zip": zipped(inside), "papers.zip": zipped({"a.txt": b"x"})})
    lost = {} if holds == "the same images" else {"S/v1/more.zip/a.dcm"}
    assert set(look(tree).lost) == set(lost)
