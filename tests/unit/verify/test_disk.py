"""What --verify says of files on disk that do not say of which series they are."""

import pytest

from tcia_xnat.core.model import Series
from tcia_xnat.destinations.disk.headers import Header
from tcia_xnat.destinations.disk.presence import Known
from tcia_xnat.destinations.disk.scan import File, Image
from tcia_xnat.verify.disk import compare
from tcia_xnat.verify.model import Sign


def image(path: str, series: str) -> File:
    return File(path, 10, f"md5 of {path}", (Image(Header(f"{series}.1", "1.2", series, "P"), f"md5 of {path}"),))


@pytest.mark.parametrize(
    ("folders", "signs"),
    [
        (("a", "b"), {"1.2.1": Sign.DIFFERS, "1.2.2": Sign.SAME}),
        (("a", "a"), {"1.2.1": Sign.SAME, "1.2.2": Sign.SAME, "": Sign.EXTRA}),
    ],
)
def test_an_unreadable_file_is_of_the_series_of_its_folder_if_that_is_one(
    folders: tuple[str, str], signs: dict[str, Sign]
) -> None:
    uids = ("1.2.1", "1.2.2")
    files = [image(f"{folder}/{uid}.dcm", uid) for folder, uid in zip(folders, uids, strict=True)]
    known = {
        uid: Known(Series(uid, "1.2", "P", image_count=1), 1, hashes=[file.md5])
        for uid, file in zip(uids, files, strict=True)
    }
    rows = compare(known, (), [*files, File("a/x.dcm", 3, "?", problem="cut off")])
    assert {row.series_instance_uid: row.sign for row in rows} == signs
