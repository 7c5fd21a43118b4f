"""What other tools, users and earlier runs leave of a series: kept or replaced, never doubled, as --verify says."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tcia_xnat.core.model import State
from tcia_xnat.destinations.disk.layout import CLASSIC, ZIPS, Layout
from tcia_xnat.verify.model import Sign
from tests.images import SERIES, image, md5
from tests.unit.folder.case import HOME, IMAGES, Archive, bring, images_in, put, verified

WHOLE = sorted(md5(content) for content in IMAGES.values())


def idc_index(number: int) -> str:
    return f"0000{number}-crdc-instance-uuid.dcm"


def retriever(number: int) -> str:
    return f"1-{number}.dcm"


def part(root: Path) -> None:
    put(root, HOME, idc_index, 1, 2)


def whole(root: Path) -> None:
    put(root, HOME, idc_index, 1, 2, 3)


def damaged_beside(root: Path) -> None:
    put(root, HOME, idc_index, 1, 2, 3)[2].write_bytes(image(3)[:-100])


def damaged_and_whole(root: Path) -> None:
    put(root, HOME, idc_index, 1, 2, 3)
    (put(root, HOME, retriever, 2)[0]).write_bytes(image(2)[:-100])


def stump_and_whole(root: Path) -> None:
    put(root, HOME, idc_index, 1, 2, 3)
    (root / HOME / "1-9.dcm").write_bytes(bytes(100))


def two_tools(root: Path) -> None:
    put(root, HOME, idc_index, 1, 2, 3)
    put(root, HOME, retriever, 1, 2)


def tcia_utils(root: Path) -> None:
    put(root, SERIES, retriever, 1, 2, 3)


def tcia_utils_in_part(root: Path) -> None:
    put(root, SERIES, retriever, 1, 2)


def without_suffix(root: Path) -> None:
    put(root, HOME, "IM{}".format, 1, 2)


def zip_of_ours(root: Path) -> None:
    (root / HOME).mkdir(parents=True)
    with zipfile.ZipFile(root / HOME / "img.zip", "w") as archive:
        for uid, content in list(IMAGES.items())[:2]:
            archive.writestr(f"{uid}.dcm", content)


FETCHED = [part, damaged_beside, tcia_utils_in_part, without_suffix, zip_of_ours]
KEPT = [whole, damaged_and_whole, stump_and_whole, two_tools, tcia_utils]


@pytest.mark.parametrize("left", FETCHED + KEPT)
@pytest.mark.parametrize("layout", [Layout(), CLASSIC], ids=["template", "classic"])
def test_a_run_ends_with_each_image_once(tmp_path: Path, left: Callable[[Path], None], layout: Layout) -> None:
    archive = Archive()
    left(tmp_path)
    for turn, state in enumerate([State.STORED if left in FETCHED else State.PRESENT, State.PRESENT]):
        outcome = bring(tmp_path, archive, layout)
        assert (turn, outcome.state, outcome.reason) == (turn, state, "")
        assert images_in(tmp_path) == WHOLE
        assert verified(tmp_path, archive) is Sign.SAME
    assert archive.fetched == (left in FETCHED)
    shutil.rmtree(tmp_path / "state")
    assert bring(tmp_path, archive, layout).state is State.PRESENT
    assert archive.fetched == (left in FETCHED)


@pytest.mark.parametrize("left", FETCHED + KEPT)
def test_what_was_done_to_files_of_others_is_said(tmp_path: Path, left: Callable[[Path], None]) -> None:
    left(tmp_path)
    notes = " ".join(bring(tmp_path, Archive()).notes)
    assert ("set aside" in notes) == (left is stump_and_whole)
    assert ("removed" in notes) == (left in {damaged_and_whole, two_tools})
    assert ("replaced" in notes) == (left in FETCHED)


def test_what_cannot_be_read_is_kept_outside_of_the_images(tmp_path: Path) -> None:
    stump_and_whole(tmp_path)
    bring(tmp_path, Archive())
    assert (tmp_path / "state" / "aside" / HOME / "1-9.dcm").read_bytes() == bytes(100)


@pytest.mark.parametrize("with_state", [True, False])
def test_a_copy_that_comes_later_is_seen(tmp_path: Path, with_state: bool) -> None:  # noqa: FBT001  a parameter
    archive = Archive()
    assert bring(tmp_path, archive).state is State.STORED
    put(tmp_path, HOME, "copy{}.dcm".format, 2)
    if not with_state:
        shutil.rmtree(tmp_path / "state")
    assert verified(tmp_path, archive) is Sign.DIFFERS
    assert bring(tmp_path, archive).state is State.PRESENT
    assert sorted(path.stem for path in (tmp_path / HOME).iterdir()) == sorted(IMAGES)
    assert verified(tmp_path, archive) is Sign.SAME
    assert archive.fetched == 1


@pytest.mark.parametrize("numbers", [(1, 2, 3), (1,)])
def test_a_series_in_two_folders_is_named_and_nothing_of_it_is_touched(
    tmp_path: Path, numbers: tuple[int, ...]
) -> None:
    archive = Archive()
    assert bring(tmp_path, archive).state is State.STORED
    put(tmp_path, "study of mine", "{}.dcm".format, *numbers)
    before = images_in(tmp_path)
    for _ in range(2):
        outcome = bring(tmp_path, archive)
        assert outcome.state is State.FAILED
        assert "study of mine" in outcome.reason
        assert HOME in outcome.reason
        assert outcome.hint
        assert verified(tmp_path, archive) is Sign.DIFFERS
    assert images_in(tmp_path) == before
    assert archive.fetched == 1


def test_parts_in_two_folders_are_one_series_or_are_named(tmp_path: Path) -> None:
    archive = Archive()
    put(tmp_path, "a", retriever, 1, 2)
    put(tmp_path, "b", retriever, 3)
    for _ in range(2):
        assert bring(tmp_path, archive).state is State.PRESENT
        assert verified(tmp_path, archive) is Sign.SAME
    (tmp_path / "b" / "1-3.dcm").write_bytes(image(3)[:-10])
    assert bring(tmp_path, archive).state is State.FAILED
    assert verified(tmp_path, archive) is Sign.DIFFERS


@pytest.mark.parametrize("layout", [Layout("%PatientID"), Layout("%Modality/%SeriesInstanceUID"), CLASSIC, ZIPS])
@pytest.mark.parametrize("with_state", [True, False])
def test_after_a_change_of_the_layout_the_old_tree_counts(
    tmp_path: Path,
    layout: Layout,
    with_state: bool,  # noqa: FBT001  a parameter
) -> None:
    archive = Archive()
    assert bring(tmp_path, archive).state is State.STORED
    if not with_state:
        shutil.rmtree(tmp_path / "state")
    assert bring(tmp_path, archive, layout).state is State.PRESENT
    next((tmp_path / HOME).iterdir()).unlink()
    assert bring(tmp_path, archive, layout).state is State.STORED
    assert verified(tmp_path, archive) is Sign.SAME
    assert [path.name for path in tmp_path.iterdir() if path.is_dir() and path.name != "state"] == ["coll"]


def test_files_of_others_stay(tmp_path: Path) -> None:
    archive = Archive()
    part(tmp_path)
    (tmp_path / HOME / "notes.txt").write_text("mine")
    (tmp_path / HOME / "masks").mkdir()
    assert bring(tmp_path, archive).state is State.STORED
    assert {path.name for path in (tmp_path / HOME).iterdir()} == {
        *(f"{uid}.dcm" for uid in IMAGES),
        "notes.txt",
        "masks",
    }


def test_an_image_that_the_series_does_not_list_is_never_removed(tmp_path: Path) -> None:
    archive = Archive()
    mine = put(tmp_path, HOME, "mine{}.dcm".format, 9)[0]
    for _ in range(2):
        outcome = bring(tmp_path, archive)
        assert (outcome.state, mine.read_bytes()) == (State.FAILED, image(9))
        assert "mine9.dcm" in outcome.reason
        assert verified(tmp_path, archive) is Sign.DIFFERS
    assert not list((tmp_path / HOME).glob("[!m]*"))


def test_what_is_fetched_over_what_is_there_leaves_it_once(tmp_path: Path) -> None:
    archive = Archive()
    whole(tmp_path)
    assert bring(tmp_path, archive, replaces=True).state is State.STORED
    assert images_in(tmp_path) == WHOLE


@pytest.mark.parametrize("in_part", [True, False])
def test_without_hashes_what_is_there_is_compared_with_what_is_fetched(
    tmp_path: Path,
    in_part: bool,  # noqa: FBT001  a parameter
) -> None:
    archive = Archive(hashes=[])
    (tcia_utils_in_part if in_part else tcia_utils)(tmp_path)
    assert bring(tmp_path, archive).state is State.STORED
    assert images_in(tmp_path) == WHOLE
    assert (tmp_path / SERIES / "1-1.dcm").exists() == (not in_part)
    assert bring(tmp_path, archive).state is State.PRESENT
    assert verified(tmp_path, archive) is Sign.SAME
    assert archive.fetched == 1


@pytest.mark.parametrize("hashes", [True, False])
@pytest.mark.parametrize("numbers", [(1, 2, 3), (1, 2)])
def test_a_folder_of_several_series_is_never_written_to(
    tmp_path: Path,
    numbers: tuple[int, ...],
    hashes: bool,  # noqa: FBT001  a parameter
) -> None:
    archive = Archive() if hashes else Archive(hashes=[])
    put(tmp_path, "flat", "{}.dcm".format, *numbers)
    (tmp_path / "flat" / "other.dcm").write_bytes(image(1, "1.2.826.1.3"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "flat").iterdir()}
    for _ in range(2):
        outcome = bring(tmp_path, archive)
        is_whole = len(numbers) == len(IMAGES)
        assert (outcome.state in {State.PRESENT, State.STORED}) == is_whole
        assert (verified(tmp_path, archive) is Sign.SAME) == is_whole
        assert "flat" in outcome.reason + "flat" * is_whole
        assert {path: path.stat().st_mtime_ns for path in (tmp_path / "flat").iterdir()} == before


def test_a_folder_on_another_disk_that_a_link_leads_to_counts(tmp_path: Path) -> None:
    archive, out = Archive(), tmp_path / "out"
    assert bring(out, archive).state is State.STORED
    (out / "coll").rename(tmp_path / "disk")
    (out / "coll").symlink_to(tmp_path / "disk")
    for _ in range(2):
        assert bring(out, archive).state is State.PRESENT
        assert verified(out, archive) is Sign.SAME
        shutil.rmtree(out / "state", ignore_errors=True)


@pytest.mark.parametrize("is_new", [True, False])
def test_an_entry_that_cannot_be_looked_at_ends_no_run(tmp_path: Path, is_new: bool) -> None:  # noqa: FBT001  a parameter
    archive = Archive()
    assert is_new or bring(tmp_path, archive).state is State.STORED
    (tmp_path / HOME).mkdir(parents=True, exist_ok=True)
    (tmp_path / HOME / "self").symlink_to("self")
    assert bring(tmp_path, archive).state is (State.STORED if is_new else State.PRESENT)
    assert bring(tmp_path, archive).state is State.PRESENT
    assert (archive.fetched, images_in(tmp_path)) == (1, WHOLE)
    assert verified(tmp_path, archive) is Sign.ERROR
