"""Filters are what the user wrote: literally first, folders as they are shown, and none of them without a word."""

import dataclasses
from pathlib import Path

import pytest

from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.model import Label
from tcia_xnat.sources.local.choice import Filters
from tcia_xnat.sources.local.layout import Layout, folder_label
from tcia_xnat.sources.local.left_out import LeftOut, sentence
from tests.unit.local.look import look
from tests.upload.trees import Scan, write
from upload import read_filters

PLAIN, BURNT, CONTRAST = Scan("C3", 93, 1), Scan("C3", 93, 2, "Patient Protocol"), Scan("C3", 93, 3, "AX T1 [C+]")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for scan, name in ((PLAIN, "a"), (BURNT, "b"), (CONTRAST, "c")):
        write(tmp_path / "t/S1/V1" / name, scan.all_images())
    return tmp_path / "t"


@pytest.mark.parametrize(
    ("exclude", "stay"),
    [
        (["AX T1 [C+]", "patient protocol"], [PLAIN]),
        (["S1/V1/b"], [PLAIN, CONTRAST]),
        (["S1/V1/b/"], [PLAIN, CONTRAST]),
        (["s1/v1/[bc]"], [PLAIN]),
        (["S1/V1/b/IM0001.dcm", "b/*"], [PLAIN, BURNT, CONTRAST]),
    ],
)
def test_exclude(tree: Path, exclude: list[str], stay: list[Scan]) -> None:
    found = look(tree, filters=Filters(exclude=exclude), allows_unmatched=True)
    assert set(found.images) == {scan.series_instance_uid for scan in stay}
    assert not found.lost


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (Filters(exclude=["Patient Protokol"]), "--exclude 'Patient Protokol' fits nothing"),
        (Filters(include=["a", "typo"]), "--include 'typo' fits nothing"),
        (Filters(exclude=["a", "S1/V1/x"], include=["c"]), "--exclude 'S1/V1/x' fits nothing"),
        (Filters(modalities=["MR", "XX"]), "--modality 'XX' fits nothing"),
        (Filters(folders=["b", "Localizers"]), "Exclude 'Localizers' fits nothing"),
    ],
)
def test_a_pattern_that_fits_nothing(tree: Path, filters: Filters, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("[", r"\[")):
        look(tree, filters=filters)
    assert look(tree, filters=filters, allows_unmatched=True).images


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("M\udcfcller", "M\udcfcller"),  # Latin-1 on disk, as a shell completes it
        ("M\udcfcller", "M\\xfcller"),  # as left_out.csv and the dry run show it
        ("Mu\u0308ller", "Müller"),  # as macOS writes it, and as people type it
        ("Müller", "MU\u0308LLER"),
    ],
)
def test_a_name_that_systems_write_in_other_ways(tmp_path: Path, name: str, pattern: str) -> None:
    write(tmp_path / f"t/S1/V1/{name}", PLAIN.all_images())
    write(tmp_path / "t/S1/V1/b", BURNT.all_images())
    for one in (pattern, f"S1/V1/{pattern}", f"S1/V1/{pattern}/IM0001.dcm", f"{pattern[:4]}*"):
        found = look(tmp_path / "t", filters=Filters(exclude=[one]))
        left = {path for path, why in found.left.items() if why.startswith("excluded")}
        assert len(left) == (1 if one.endswith(".dcm") else 3)
    by_config = Filters(folders=[pattern.replace("\udcfc", "\\xfc")])
    assert set(look(tmp_path / "t", filters=by_config).images) == {BURNT.series_instance_uid}


def test_the_modalities_that_are_there_are_named(tree: Path) -> None:
    with pytest.raises(UsageError) as caught:
        look(tree, filters=Filters(modalities=["CT"]))
    assert caught.value.hint.startswith("the images are of MR; correct it, or say --allow-unmatched")


def test_patterns_that_fit_the_same_are_no_mistake(tree: Path) -> None:
    assert len(look(tree, filters=Filters(exclude=["b", "S1/V1/b", "Patient*"], include=["*"])).images) == 2


def test_excluded_folders_are_no_patients(tmp_path: Path) -> None:
    one, two = Scan("P1", 94, 1), Scan("P2", 95, 1)
    write(tmp_path / "t/Block_07/x", one.all_images())
    write(tmp_path / "t/Miller/loc", two.all_images())
    found = look(tmp_path / "t", layout=Layout.HEADERS, filters=Filters(folders=["loc"]))
    assert set(found.images) == {one.series_instance_uid}
    assert set(found.left.values()) == {"excluded by the configuration: loc"}


def test_a_part_of_a_folders_name_is_named(tree: Path) -> None:
    write(tree / "S1/V1/aahead_scout", Scan("C3", 93, 4).all_images())
    found = look(tree, layout=Layout.FOLDERS, filters=Filters(folders=["AAHEAD"]))
    assert set(found.left.values()) == {"excluded by the configuration: AAHEAD, a part of aahead_scout"}
    assert found.tree.catalogue.notes == (
        "the configuration's 'AAHEAD' leaves out folders of which it is a part: aahead_scout; write whole names",
    )
    whole = look(tree, layout=Layout.FOLDERS, filters=Filters(folders=["aahead_scout"]))
    assert not whole.tree.catalogue.notes


def test_pet_is_pt() -> None:
    options = {"config": None, "exclude": (), "include": (), "modality": ("ct, pet", "MR")}
    assert read_filters(options).modalities == ("CT", "PT", "MR")


def test_the_sentence() -> None:
    left = [LeftOut("excluded: x", 10, 1), LeftOut("not included", 2, 1), LeftOut("", 3, 0)]
    assert sentence(left) == (
        "Left out: 12 DICOM images in 2 series (excluded: x; not included), 3 other files: left_out.csv."
    )
    assert sentence([dataclasses.replace(left[2], count=1)]) == "Left out: 1 other file: left_out.csv."
    assert not sentence([])


@pytest.mark.parametrize("subject", ["s" * 63, "s" * 64, "s" * 90])
def test_a_long_folder_name_leaves_the_session_its_own(subject: str) -> None:
    label = folder_label([subject, "visit_2", "x"])
    assert label is not None
    assert label.session.endswith("_visit_2")
    assert len(label.session) == 64
    assert folder_label(["007", "pre", "x"]) == Label("007", "007_pre")
