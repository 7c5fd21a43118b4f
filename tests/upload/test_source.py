"""A tree on disk as a source, without XNAT: what is proved, and what is refused."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tcia_xnat.core.errors import SeriesDamaged
from tcia_xnat.core.model import Member
from tcia_xnat.sources.local.inventory import Inventory
from tcia_xnat.sources.local.source import LocalSource
from tcia_xnat.sources.local.tree import Wanted, gather
from tcia_xnat.staging.spool import Spool
from tests.upload.trees import Scan, write, zipped

SCAN = Scan("A", 1, 1)


def fetched(root: Path, meanwhile: Callable[[], object]) -> list[tuple[Member, bytes]]:
    """Look through a tree, let something happen, and fetch its only series."""
    with Inventory(root.parent / "files.sqlite", root) as inventory, Spool() as spool:
        tree = gather(Wanted(root), inventory, lambda: None, lambda _count, _total: None)
        (series,) = tree.catalogue.series.values()
        meanwhile()
        source = LocalSource(inventory, tree.problems, tree.notes, 1 << 30)
        (package,) = source.fetch(series, spool, lambda _count: None)
        read = [b"".join(spool.read(member.offset, member.compressed_size)) for member in package.members]
        return list(zip(package.members, read, strict=True))


def test_what_is_sent_are_the_bytes_of_the_files(tmp_path: Path) -> None:
    root = write(tmp_path / "tree", SCAN.all_images())
    members = fetched(root, lambda: None)
    assert [content for _, content in members] == list(SCAN.all_images().values())
    assert [member.sop_instance_uid for member, _ in members] == [SCAN.sop_instance_uid(nth) for nth in (1, 2, 3)]


@pytest.mark.parametrize("in_zip", [False, True])
@pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_an_identifier_that_changes_behind_an_equal_size_and_time(tmp_path: Path, keyword: str, in_zip: bool) -> None:  # noqa: FBT001  a parameter
    files = SCAN.all_images()
    root = write(tmp_path / "tree", {"all.zip": zipped(files, zipfile.ZIP_STORED)} if in_zip else files)
    path = root / ("all.zip" if in_zip else "IM0002.dcm")
    before = {"PatientID": "A", "StudyInstanceUID": SCAN.study_instance_uid}
    before |= {"SeriesInstanceUID": SCAN.series_instance_uid, "SOPInstanceUID": SCAN.sop_instance_uid(2)}
    other = SCAN.image(2, **{keyword: before[keyword][:-1] + ("B" if keyword == "PatientID" else "7")})

    def change() -> None:
        times = path.stat()
        content = zipped({**files, "IM0002.dcm": other}, zipfile.ZIP_STORED) if in_zip else other
        assert len(content) == times.st_size
        path.write_bytes(content)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    with pytest.raises(SeriesDamaged, match=f"IM0002.dcm (names another {keyword}|says {keyword}|is another image)"):
        fetched(root, change)


@pytest.mark.parametrize("in_zip", [False, True])
@pytest.mark.parametrize("how", ["touched", "grown", "gone", "another"])
def test_a_file_that_changes_after_it_was_looked_at(tmp_path: Path, how: str, in_zip: bool) -> None:  # noqa: FBT001  a parameter
    root = write(tmp_path / "tree", {"all.zip": zipped(SCAN.all_images())} if in_zip else SCAN.all_images())
    path = root / ("all.zip" if in_zip else "IM0002.dcm")
    changes: dict[str, Callable[[], object]] = {
        "touched": lambda: os.utime(path, (1, 1)),
        "grown": lambda: path.write_bytes(path.read_bytes() + b"x"),
        "gone": path.unlink,
        "another": lambda: path.write_bytes(b"something else"),
    }
    with pytest.raises(SeriesDamaged, match=f"{path.name}.* (has changed since|cannot be read: No such file)"):
        fetched(root, changes[how])
