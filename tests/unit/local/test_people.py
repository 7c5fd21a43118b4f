"""A folder that names a subject has one patient's images; those of others are named, and stay out."""

from pathlib import Path

import pytest

from tcia_xnat.core.errors import UsageError
from tcia_xnat.sources.local import remembered
from tcia_xnat.sources.local.choice import Filters
from tcia_xnat.sources.local.layout import Layout
from tcia_xnat.sources.local.recognition import Decision
from tests.unit.local.look import Looked, look
from tests.upload.trees import Scan, write


def named(folder: Path, scans: dict[str, Scan], *, layout: Layout | None = Layout.FOLDERS) -> Looked:
    for name, scan in scans.items():
        write(folder / name, scan.all_images())
    return look(folder, layout=layout)


def test_a_series_in_the_folder_of_another_patient(tmp_path: Path) -> None:
    own, there, strange = Scan("A", 81, 1), Scan("B", 82, 1), Scan("A", 81, 2)
    found = named(tmp_path / "t", {"A/v1": own, "B/v1/t1": there, "B/v1/t2": strange})
    assert set(found.images) == {own.series_instance_uid, there.series_instance_uid}
    assert str(found.tree.catalogue.missing[strange.series_instance_uid]) == (
        "its images are PatientID A's and lie under subject B"
    )


def test_the_owner_need_not_be_called_after_the_folder(tmp_path: Path) -> None:
    own, there, strange = Scan("M1", 81, 1), Scan("M2", 82, 1), Scan("M1", 81, 2)
    found = named(tmp_path / "t", {"S1/v1": own, "S2/v1/t1": there, "S2/v1/t2": strange})
    assert set(found.tree.catalogue.missing) == {strange.series_instance_uid}


def test_two_patients_of_whom_nobody_is_plainly_the_owner(tmp_path: Path) -> None:
    one, two, other = Scan("P1", 83, 1), Scan("P1x", 83, 2), Scan("Q", 84, 1)
    found = named(tmp_path / "t", {"S/v1/a": one, "S/v1/b": two, "T/v1/a": other})
    assert set(found.tree.catalogue.missing) == {one.series_instance_uid, two.series_instance_uid}
    assert set(found.images) == {other.series_instance_uid}
    assert len(look(tmp_path / "t", layout=Layout.FOLDERS, same_patients={"P1x": "P1"}).images) == 3


def test_a_study_under_two_subjects(tmp_path: Path) -> None:
    one, two = Scan("P1", 85, 1), Scan("P1", 85, 2)
    found = named(tmp_path / "t", {"S1/v1": one, "S2/v1": two})
    assert {str(why) for why in found.tree.catalogue.missing.values()} == {"its study lies under the subjects S1, S2"}


def test_what_is_excluded_does_not_decide_the_layout(tmp_path: Path) -> None:
    scans = {"S1/v1": Scan("M1", 86, 1), "S2/v1": Scan("M2", 87, 1), "S3/v1": Scan("M3", 88, 1)}
    tree = write(tmp_path / "t", {"stray.dcm": Scan("M4", 89, 1).image(1)})
    with pytest.raises(UsageError, match="above the session folders"):
        named(tree, scans, layout=None)
    assert look(tree, filters=Filters(exclude=["stray.dcm"])).tree.layout is Layout.FOLDERS


def test_a_project_keeps_the_layout_that_nobody_chose(tmp_path: Path) -> None:
    file = tmp_path / "state/layouts.json"
    assert not remembered.here(file, "P")
    remembered.remember(file, "P", remembered.name_of(Layout.FOLDERS))
    before = remembered.here(file, "P")
    assert (before, remembered.here(file, "Q")) == ("folders", "")
    for layout in (Layout.FOLDERS, Layout.MAPPING):
        remembered.check(before, "P", Decision(layout, ""))
    for layout in (Layout.HEADERS, Layout.ZIPS):
        remembered.check("", "Q", Decision(layout, ""))
        with pytest.raises(UsageError, match="gave its names by folders"):
            remembered.check(before, "P", Decision(layout, ""))
    remembered.remember(file, "P", remembered.name_of(Layout.MAPPING))
    assert remembered.here(file, "P") == "folders"
    remembered.remember(file, "P", remembered.name_of(Layout.HEADERS))
    remembered.check(remembered.here(file, "P"), "P", Decision(Layout.ZIPS, ""))
    for damaged in ("{", "[]", '{"P": 7}', '{"P": "mapping"}'):
        file.write_text(damaged)
        assert not remembered.here(file, "P")


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[]", b'{"layout": 7}', b'{"layout": ["folders"]}', b'{"layout": "x"}']
)
def test_what_is_no_layout_of_ours_decides_nothing(content: bytes | None) -> None:
    assert not remembered.decoded(content)
    assert remembered.decoded(remembered.encoded("folders")) == "folders"


def test_a_series_with_images_of_two_patients_is_nobodys_and_the_others_of_its_study_are_sent(tmp_path: Path) -> None:
    mixed, own, other = Scan("A", 90, 1), Scan("A", 90, 2), Scan("B", 90, 3)
    write(tmp_path / "t/mixed", {"1.dcm": mixed.image(1), "2.dcm": mixed.image(2, PatientID="B")})
    found = named(tmp_path / "t", {"own": own, "other": other}, layout=Layout.HEADERS)
    assert {uid: str(why) for uid, why in found.tree.problems.items()} == {
        mixed.series_instance_uid: "its images name several patients: A, B"
    }
