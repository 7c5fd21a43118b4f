"""The worker process and what waits for it: the middle of a series, and nothing that a picture can do to a transfer."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tcia_xnat.staging.spool import Spool
from tcia_xnat.thumbnails.middle import place
from tcia_xnat.thumbnails.painter import Painter, painter
from tcia_xnat.thumbnails.store import read_pictures
from tests.report.dicoms import SERIES, dicom, package, placed, ramp, square, white_column

COUNT = 8


@pytest.fixture
def spool() -> Iterator[Spool]:
    with Spool() as made:
        yield made


@pytest.fixture
def draws(tmp_path: Path) -> Iterator[Painter]:
    made = Painter(tmp_path / "pictures", 64, 3000, seconds=30)
    yield made
    made.close()


def picture(folder: Path) -> bytes:
    """Return the one picture that was kept."""
    return read_pictures([folder / "pictures"], [SERIES], 1 << 20).get(SERIES, b"")


@pytest.mark.parametrize("deflated", [False, True])
def test_the_slice_in_the_middle_by_position_whatever_the_order(
    draws: Painter,
    spool: Spool,
    tmp_path: Path,
    deflated: bool,  # noqa: FBT001  a parameter
) -> None:
    order = [5, 0, 7, 2, 6, 1, 4, 3]
    files = [placed(number, depth=-10.5 * number, of=COUNT, InstanceNumber=str(number)) for number in order]
    with draws(package(spool, files, deflated=deflated), spool):
        pass
    assert white_column(picture(tmp_path), COUNT) == 3  # from below: 7 6 5 4 3 2 1 0


def test_without_positions_numbers_count(draws: Painter, spool: Spool, tmp_path: Path) -> None:
    files = [dicom(square(n, COUNT), InstanceNumber=str(10 * n)) for n in (4, 7, 0, 3, 6, 1, 5, 2)]
    with draws(package(spool, files), spool):
        pass
    assert white_column(picture(tmp_path), COUNT) == 4


def test_an_image_of_another_kind_in_the_series_is_not_in_the_middle(
    draws: Painter, spool: Spool, tmp_path: Path
) -> None:
    files = [dicom(None, Modality="SR"), *(placed(n, n, COUNT) for n in range(3))]
    with draws(package(spool, files), spool):
        pass
    assert white_column(picture(tmp_path), COUNT) == 1


def test_a_slide_is_shown_by_its_thumbnail_else_by_its_smallest_level(
    draws: Painter, spool: Spool, tmp_path: Path
) -> None:
    level = dicom(square(1, COUNT), ImageType=["ORIGINAL", "PRIMARY", "VOLUME"])
    smaller = dicom(square(2, COUNT, 32), ImageType=["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"])
    thumbnail = dicom(square(3, COUNT, 128), ImageType=["DERIVED", "PRIMARY", "THUMBNAIL", "RESAMPLED"])
    label = dicom(square(4, COUNT, 16), ImageType=["ORIGINAL", "PRIMARY", "LABEL", "NONE"])
    for files, shown in (([level, label, thumbnail], 3), ([level, label, smaller], 2)):
        with draws(package(spool, files, modality="SM"), spool):
            pass
        assert white_column(picture(tmp_path), COUNT) == shown


BROKEN = {
    "cut": dicom(ramp())[:3000],
    "noise": bytes(range(256)) * 20,
    "empty": b"",
    "lies about its size": dicom(ramp(8, 8), Rows=4000, Columns=4000),
    "lies about its frames": dicom(np.stack([ramp(8, 8)] * 2), NumberOfFrames=2).replace(
        b"IS\x02\x002 ", b"IS\x02\x0099"
    ),
    "no pixels": dicom(None, Modality="SR"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_leaves_nothing_and_the_next_is_drawn(
    draws: Painter, spool: Spool, tmp_path: Path, name: str
) -> None:
    with draws(package(spool, [BROKEN[name]]), spool):
        pass
    assert not picture(tmp_path)
    assert not list(tmp_path.glob("pictures/*"))
    with draws(package(spool, [dicom(ramp())]), spool):
        pass
    assert picture(tmp_path)


def test_a_dead_worker_costs_one_picture(draws: Painter, spool: Spool, tmp_path: Path) -> None:
    with draws(package(spool, [dicom(ramp())]), spool):
        pass
    (tmp_path / "pictures" / f"{SERIES}.webp").unlink()
    assert draws._worker
    draws._worker._process.kill()
    draws._worker._process.wait()
    for expected in (False, True):
        with draws(package(spool, [dicom(ramp())]), spool):
            pass
        assert bool(picture(tmp_path)) is expected


def test_a_worker_that_hangs_is_given_up_after_its_time(spool: Spool, tmp_path: Path) -> None:
    hanging = Painter(tmp_path / "pictures", 64, 3000, seconds=0.0)  # no worker is as fast
    started = time.monotonic()
    for _ in range(8):
        with hanging(package(spool, [dicom(ramp())]), spool):
            pass
    hanging.close()
    assert time.monotonic() - started < 5
    assert not picture(tmp_path)


def test_an_error_in_the_block_passes_and_nothing_is_waited_for(draws: Painter, spool: Spool) -> None:
    with pytest.raises(ZeroDivisionError), draws(package(spool, [dicom(ramp())]), spool):
        _ = 1 / 0
    with draws(package(spool, [dicom(ramp())]), spool):
        pass


def test_after_the_end_nothing_is_drawn_and_no_process_is_left(spool: Spool, tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with painter(tmp_path / "pictures", 64, 1) as depict:
        with depict(package(spool, [dicom(ramp())]), spool):
            pass
        assert isinstance(depict, Painter)
        assert depict._worker
        process = depict._worker._process
    assert process.returncode is not None
    with depict(package(spool, [dicom(ramp())]), spool):
        pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_worker_sees_no_credentials(spool: Spool, draws: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XNAT_PASS", "secret")
    with draws(package(spool, [dicom(ramp())]), spool):
        pass
    assert draws._worker
    assert b"secret" not in Path(f"/proc/{draws._worker._process.pid}/environ").read_bytes()


def test_no_picture_is_drawn_when_none_is_wanted(spool: Spool, tmp_path: Path) -> None:
    for pixels, count in ((0, 5), (64, 0)):
        with painter(tmp_path / "pictures", pixels, count) as depict, depict(package(spool, [dicom(ramp())]), spool):
            pass
    assert not (tmp_path / "pictures").exists()


def test_the_more_series_the_fewer_bytes_each(tmp_path: Path) -> None:
    allowed = []
    for count in (1, 2000, 4000, 10_000, 10_000_000):
        with painter(tmp_path, 64, count) as depict:
            assert isinstance(depict, Painter)
            allowed.append(depict._size.most_bytes)
    assert allowed == [3000, 3000, 2000, 800, 300]


def test_pictures_are_read_until_there_is_no_more_room(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, uid, data in ((one, "1", b"a" * 5), (two, "1", b"b" * 5), (two, "2", b"c" * 5), (two, "3", b"d" * 2)):
        folder.mkdir(exist_ok=True)
        (folder / f"{uid}.webp").write_bytes(data)
    assert read_pictures([tmp_path / "missing", one, two], ["3", "1", "2", "4"], 8) == {"3": b"dd", "1": b"aaaaa"}


def test_places_are_read_from_both_encodings() -> None:
    explicit = placed(1, 12.5, COUNT, InstanceNumber="7")
    implicit = dicom(
        square(1, COUNT),
        "1.2.840.10008.1.2",
        ImagePositionPatient=[0, 0, 12.5],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        InstanceNumber="7",
    )
    for data in (explicit, implicit):
        found = place(data[:4000])
        assert (found.depth, found.number) == (12.5, 7)
    assert place(b"") == place(bytes(100))
