"""The sandbox's DicomEdit: every statement of the subset, and what is no script (xnat-http.md §11.2)."""

import pytest
from pydicom.dataset import Dataset

from sandbox.xnat.dicomedit import ScriptError, parse
from sandbox.xnat.dicomedit.elements import EVERYTHING

UID = "1.2.840.113619.2.1"
HASHED = "2.25.277858812342701216514900173046223630212"
VARIABLES = {"project": "P", "subject": "S", "session": "E"}


def image() -> Dataset:
    dataset = Dataset()
    for name, value in {
        "SOPInstanceUID": UID,
        "Modality": "MR",
        "StudyDescription": "Head",
        "PatientID": "X-1",
        "InstanceNumber": "80",
    }.items():
        setattr(dataset, name, value)
    dataset.add_new(0x00190010, "LO", "SIEMENS")
    dataset.add_new(0x00191001, "LO", "private")
    return dataset


def applied(*lines: str) -> Dataset | None:
    """Return an image as a script leaves it; None when it is rejected."""
    dataset = image()
    return dataset if parse("\n".join(('version "6.6"', *lines))).accepts(dataset, VARIABLES) else None


def changed(*lines: str) -> Dataset:
    dataset = applied(*lines)
    assert dataset is not None
    return dataset


@pytest.mark.parametrize(
    ("lines", "keyword", "expected"),
    [
        (['(0010,0020) := "Y"'], "PatientID", "Y"),
        (['(0010, 0010) := "made" // a comment'], "PatientName", "made"),
        (["(0010,0010) := (0010,0020)"], "PatientName", "X-1"),
        (["(0008,1030) := project", "(0010,0010) := subject", "(0010,0020) := session"], "PatientID", "E"),
        (['site := "Z"', '(0010,0020) := concatenate[site, "-", session]'], "PatientID", "Z-E"),
        (["(0008,0018) := hashUID[(0008,0018)]"], "SOPInstanceUID", HASHED),
        (['hashUIDList["(0008,0018)", "(0020,000E)"]'], "SOPInstanceUID", HASHED),
        (["hashUIDList[(0008,0018)]"], "SOPInstanceUID", HASHED),
        (["- (0010,0020)"], "PatientID", None),
        (["-(0010,00XX)"], "PatientID", None),
        (['(0010,0010) ?= "no"'], "PatientName", None),
        (['(0010,0020) ?= "yes"'], "PatientID", "yes"),
        (['(0008,0060) = "MR" ? (0010,0020) := "mr" : (0010,0020) := "other"'], "PatientID", "mr"),
        (['(0008,0060) != "MR" ? (0010,0020) := "mr" : (0010,0020) := "other"'], "PatientID", "other"),
        (['(0008,1030) ~ "H.*" ? -(0008,1030)'], "StudyDescription", None),
        (['(0008,1030) !~ "H.*" ? -(0008,1030)'], "StudyDescription", "Head"),
        (['(0010,0010) = "" ? -(0008,1030)'], "StudyDescription", "Head"),
        (['if ((0008,0060) = "MR") {', '  (0010,0020) := "mr"', "} else {", "-(0010,0020)", "}"], "PatientID", "mr"),
        (['if ((0008,0060) = "CT") {', "}", "else {", "-(0010,0020)", "}"], "PatientID", None),
        (
            ['if ((0008,0060) = "CT") { reject }', 'elseif ((0008,0060) = "MR") { (0010,0020) := "2" }'],
            "PatientID",
            "2",
        ),
        (['describe x "words"', 'export x "y"', "describe z hidden", "(0010,0020) := uppercase[z]"], "PatientID", ""),
    ],
)
def test_statements(lines: list[str], keyword: str, expected: str | None) -> None:
    found = changed(*lines).get(keyword)
    assert (None if found is None else str(found)) == expected


def test_hashes_are_those_of_dicom_edit() -> None:
    """Version 5 of UUIDs, of the text alone, as one number under 2.25: valid, the same each time."""
    again = changed("(0008,0018) := hashUID[(0008,0018)]").SOPInstanceUID
    assert again == HASHED
    assert (int(HASHED.removeprefix("2.25.")) >> 76) & 0xF == 5


def test_mapped_uids_begin_with_the_root_and_stay_the_same() -> None:
    first, second = (changed('root := "9.99"', 'mapReferencedUIDs[root, "(0008,0018)"]') for _ in range(2))
    assert first.SOPInstanceUID.startswith("9.99.")
    assert first.SOPInstanceUID == second.SOPInstanceUID != UID


def test_private_elements_go() -> None:
    dataset = changed("removeAllPrivateTags")
    assert 0x00191001 not in dataset
    assert dataset.PatientID == "X-1"


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        ('(0020,0013) = "80" ? reject', False),
        ('(0020,0013) = "80" ? reject[]', False),
        ('(0020,0013) = "81" ? reject', True),
        ('(0020,0013) = "81" ? (0010,0010) := "x" : reject', False),
        ("reject", False),
        ("reject[]", False),
    ],
)
def test_reject(line: str, *, is_kept: bool) -> None:
    assert (applied(line) is not None) == is_kept


@pytest.mark.parametrize(
    "line",
    [
        "(0010,0020) :=",
        '(0010,0020) "x"',
        "PatientID := unknown",
        '(0010,0020) := nothing["x"]',
        '(0010,0020) := "x" (0010,0010) := "y"',
        "alterPixels[]",
        '(0008,0060) = "MR"',
        'if ((0008,0060) = "MR") { reject',
        "-(0019,{SIEMENS}01)",
        "hashUID[",
        "words;",
        'version "7.0"',
    ],
)
def test_anything_else_is_a_script_error(line: str) -> None:
    with pytest.raises(ScriptError):
        parse(line)


def test_scripts_tell_how_far_they_read() -> None:
    assert parse('(0010,0020) := "x"\n').last_tag == 0x00100020
    assert parse("-(0010,XXXX)").last_tag == EVERYTHING
    assert parse("").accepts(image(), VARIABLES)
