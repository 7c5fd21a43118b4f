"""Whether a series is there, and what has to leave its folder: by SOPInstanceUID and hash, whatever the names."""

from collections.abc import Mapping, Sequence

import pytest

from tcia_xnat.core.errors import FolderError
from tcia_xnat.core.model import Series
from tcia_xnat.destinations.disk.headers import Header
from tcia_xnat.destinations.disk.kept import KeptFile
from tcia_xnat.destinations.disk.presence import Clearing, Known, clearing, whole_part, wrong
from tcia_xnat.destinations.disk.scan import File, Image

SERIES, OTHER = "1.2.1", "1.2.2"
IMAGES = frozenset({"1.1", "1.2", "1.3"})
HASHES = ("md5 of 1.1", "md5 of 1.2", "md5 of 1.3")


def image(number: str, *, series: str = SERIES, md5: str = "") -> Image:
    return Image(Header(number, "1.2", series, "P"), md5 or f"md5 of {number}")


def file(path: str, *numbers: str, series: str = SERIES, md5: str = "") -> File:
    """Return a file, or a zip, with the images of these numbers."""
    images = tuple(image(number, series=series, md5=md5) for number in numbers)
    return File(path, 10, images[0].md5 if len(images) == 1 else "md5 of zip", images)


def damaged(path: str, number: str = "") -> File:
    """Return a file that is cut off: with a number, behind the header."""
    return File(path, 5, "?", problem="cut off", damaged=frozenset({(SERIES, number)} if number else ()))


def known(kept: Mapping[str, str] | None = None, hashes: Sequence[str] = HASHES) -> Known:
    files = {path: KeptFile(path, 10, 1, f"md5 of {number}") for path, number in (kept or {}).items()}
    return Known(Series(SERIES, "1.2", "P", image_count=3), 3, files, hashes)


WHOLE = [file("a/x1", "1.1"), file("a/x2", "1.2"), file("a/x3", "1.3")]
BY_NAME = {"a/x1": "1.1", "a/x2": "1.2", "a/x3": "1.3"}


@pytest.mark.parametrize("kept", [None, BY_NAME, {f"old/{number}.dcm": number for number in IMAGES}])
def test_names_and_folders_do_not_count(kept: Mapping[str, str] | None) -> None:
    assert not wrong(known(kept), WHOLE)
    assert set(whole_part(known(kept), WHOLE, "b")) == set(WHOLE)


def test_a_series_may_lie_in_several_folders() -> None:
    files = [file("a/x1", "1.1"), file("b/x2", "1.2"), file("c/x3", "1.3")]
    assert len(whole_part(known(), files, "a")) == 3


def test_what_nothing_is_known_of_is_never_proved() -> None:
    assert not wrong(known(hashes=()), WHOLE)
    assert not whole_part(known(hashes=()), WHOLE, "a")


@pytest.mark.parametrize("kept", [None, BY_NAME])
@pytest.mark.parametrize(
    "more",
    [
        file("a/copy", "1.1"),
        file("b/copy", "1.1"),
        file("a/new", "1.4"),
        file("a/1.dcm", "1.1", md5="other"),
        damaged("a/1.dcm", "1.1"),
        damaged("a/1.dcm"),
    ],
    ids=["copy", "copy elsewhere", "one more", "other bytes", "cut off", "unreadable"],
)
def test_what_lies_there_besides_is_wrong_and_the_whole_is_found_in_it(
    kept: Mapping[str, str] | None, more: File
) -> None:
    files = [more, *WHOLE]
    assert wrong(known(kept), files)
    found = whole_part(known(kept), files, "a")
    assert {image.md5 for file in found for image in file.images} == set(HASHES)
    assert {file.folder for file in found} == {"a"}
    assert len(found) == 3


@pytest.mark.parametrize("kept", [None, BY_NAME])
@pytest.mark.parametrize("files", [[], WHOLE[:2], [*WHOLE[:2], damaged("a/x3", "1.3")], [*WHOLE[:2], WHOLE[1]]])
def test_what_is_not_whole_is_no_part(kept: Mapping[str, str] | None, files: list[File]) -> None:
    assert wrong(known(kept), files)
    assert not whole_part(known(kept), files, "a")


def test_of_two_files_with_one_image_the_remembered_one_counts_then_that_at_home() -> None:
    twice = [file("a/0", "1.1"), *WHOLE]
    assert twice[0] not in whole_part(known(BY_NAME), twice, "a")
    away = [file("0/x1", "1.1"), *WHOLE]
    assert set(whole_part(known(), away, "a")) == set(WHOLE)
    named = [*WHOLE, file("a/z/1.1.dcm", "1.1"), file("a/1.1.dcm", "1.1")]
    assert "a/1.1.dcm" in {file.path for file in whole_part(known(), named, "a")}


def test_a_whole_zip_counts_more_than_a_part_of_its_images() -> None:
    zipped = file("a/img.zip", "1.1", "1.2", "1.3")
    assert whole_part(known(), [file("a/0", "1.1"), zipped], "a") == (zipped,)


def test_bytes_as_listed_of_another_patient_are_wrong() -> None:
    files = [*WHOLE[:2], File("a/x3", 10, "md5 of 1.3", (Image(Header("1.3", "1.2", SERIES, "Q"), "md5 of 1.3"),))]
    assert any("of patient Q, not P" in reason for reason in wrong(known(), files))
    assert not whole_part(known(), files, "a")


def test_what_the_series_has_under_another_name_is_removed() -> None:
    files = [file("a/1.1.dcm", "1.1"), file("a/x1", "1.1"), damaged("a/IM2", "1.2"), file("a/img.zip", "1.2", "1.3")]
    found = clearing(files, SERIES, IMAGES, {"1.1.dcm", "1.2.dcm", "1.3.dcm"})
    assert found == Clearing(remove=("x1", "IM2", "img.zip"))


def test_what_cannot_be_read_is_set_aside_and_other_files_stay() -> None:
    files = [damaged("a/1-1.dcm"), damaged("a/notes.txt"), damaged("a/1.1.dcm")]
    assert clearing(files, SERIES, IMAGES, {"1.1.dcm"}) == Clearing(aside=("1-1.dcm",))


def test_images_of_an_earlier_version_go_where_we_put_them() -> None:
    files = [file("a/1.0.dcm", "1.0")]
    assert clearing(files, SERIES, IMAGES, {"1.1.dcm"}, ours={"1.0.dcm"}) == Clearing(remove=("1.0.dcm",))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (file("a/1.1.dcm", "1.1", series=OTHER), f"images of series {OTHER}"),
        (file("a/img.zip", "1.1", series=OTHER), f"images of series {OTHER}"),
        (file("a/mine.dcm", "1.9"), "a/mine.dcm holds image 1.9"),
        (file("a/1.1.dcm", "1.9"), "a/1.1.dcm holds image 1.9"),
        (File("a/x", problem="a/x cannot be read: EIO", is_error=True), "cannot be read"),
    ],
)
def test_what_nothing_replaces_is_refused(found: File, words: str) -> None:
    with pytest.raises(FolderError, match=words):
        clearing([found], SERIES, IMAGES, {"1.1.dcm"})


def test_a_bad_sector_in_a_file_of_the_series_is_replaced() -> None:
    assert clearing([File("a/1.1.dcm", is_error=True)], SERIES, IMAGES, {"1.1.dcm"}) == Clearing()


def test_in_a_folder_that_series_share_what_is_not_of_the_series_stays() -> None:
    files = [*WHOLE, file("9.9.dcm", "9.9", series=OTHER), damaged("9.8.dcm"), file("old.dcm", "1.1")]
    names = {"x1", "x2", "x3"}
    assert clearing(files, SERIES, IMAGES, names, is_shared=True) == Clearing(remove=("old.dcm",))
    with pytest.raises(FolderError, match=f"holds images of series {OTHER}"):
        clearing(files, SERIES, IMAGES, {*names, "9.9.dcm"}, is_shared=True)
    assert clearing(files, SERIES, IMAGES, {*names, "9.8.dcm"}, is_shared=True) == Clearing(remove=("old.dcm",))
