"""UIDs from outside, and the names that are made of them."""

from pathlib import Path

import pytest

from tcia_xnat.core.dicom import Identity
from tcia_xnat.core.errors import SeriesDamaged
from tcia_xnat.core.model import Member, SeriesPackage, SourceName
from tcia_xnat.core.uids import checked_uid, image_name, is_uid
from tcia_xnat.destinations.disk.layout import Layout
from tcia_xnat.destinations.disk.writer import write_series
from tcia_xnat.sources.verification import proved_sop_instance_uid
from tcia_xnat.staging.spool import Spool
from tcia_xnat.staging.zipstream import ZipStream
from tests.images import SERIES, STUDY, series

HOSTILE = (
    "/elsewhere/evil",
    "../../evil",
    "..",
    "1..2",
    "1.2.\x003",
    "1.2.3\n",
    "1.2.\x1b[31m3",
    "1.2.\uff13",
    "1.2.é",
    "[]",
    "b'\\x1b$)C'",
    "1." + 63 * "2",
)


@pytest.mark.parametrize("uid", ["1.2", "1.02.003", "2.25.1", "0.0", "1." + 62 * "2"])
def test_what_archives_hold_is_a_uid(uid: str) -> None:
    assert is_uid(uid)
    assert image_name(uid) == f"{uid}.dcm"


@pytest.mark.parametrize("uid", [*HOSTILE, "", None, b"1.2", ["1.2"], 1.2])
def test_everything_else_is_none(uid: object) -> None:
    assert not is_uid(uid)
    with pytest.raises(SeriesDamaged, match=r"x\.dcm has"):
        checked_uid(uid, "SOPInstanceUID", "x.dcm")


@pytest.mark.parametrize("uid", HOSTILE)
def test_an_image_with_such_an_identifier_is_damaged(uid: str) -> None:
    with pytest.raises(SeriesDamaged, match=r"x\.dcm has .* as SOPInstanceUID"):
        proved_sop_instance_uid(series(1), Identity("1.2.840.1", uid, STUDY, SERIES), "x.dcm")


@pytest.mark.parametrize("uid", HOSTILE)
def test_no_name_is_made_of_it(uid: str, tmp_path: Path) -> None:
    member = Member(uid, 0, 3, 3, 0, 0)
    with Spool(tmp_path) as spool:
        spool.write_at(0, b"abc")
        with pytest.raises(SeriesDamaged):
            ZipStream(spool, [member])
        packages = iter([SeriesPackage(series(1), SourceName.IDC, (member,))])
        with pytest.raises(SeriesDamaged):
            write_series(Layout(), spool, packages, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
