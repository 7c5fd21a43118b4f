"""Effects of anonymization scripts, and the file name template."""

import pytest

from tcia_xnat.xnat.dicomedit import read_script
from tcia_xnat.xnat.scripts import NameTemplate, ScriptEffect, Scripts, unknown_script

STUDY, SERIES, SOP = "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"

UIDS = {
    "(0020,000D) := hashUID[(0020,000D)]": {STUDY},
    "  (0020,000d) := hashUID[(0020,000d)]": {STUDY},
    "( 0008 , 0018 ) := newUID[]": {SOP},
    "-(0008,0018)": {SOP},
    "- (0008,0018)": {SOP},
    '(0008,0060) = "MR" ? (0020,000E) := "1"': {SERIES},
    '(0008,0060) = "MR" ? -(0020,000E) : (0020,000D) := "1"': {SERIES, STUDY},
    'if ((0008,0060) = "MR") {\n  (0020,000E) := hashUID[(0020,000E)]\n} else {\n -(0020,000D) }': {SERIES, STUDY},
    'hashUIDList["(0020,000D)", "(0020,000E)"]': {STUDY, SERIES},
    'HASHUIDLIST["StudyInstanceUID"]': {STUDY},
    "hashUIDList[(0020,000D), (0008,0018)]": {STUDY, SOP},
    'root := "1.2.3"\nmapReferencedUIDs[root, "(0020,000D)"]': {STUDY},
    "StudyInstanceUID := hashUID[StudyInstanceUID]": {STUDY},
    "-SOPInstanceUID": {SOP},
    '(0020,000X) := "1"': {STUDY, SERIES},
    '(0020,XXXX) := ""': {STUDY, SERIES},
    "-(00@@,@@@#)": {STUDY},
    '*/(0008,0018) := "1"': {SOP},
    'set["(0008,0018)", "1"]': {SOP},
    "describe uid\n(0020,000D) := uid": {STUDY},
}


@pytest.mark.parametrize("script", UIDS)
def test_scripts_that_change_uids(script: str) -> None:
    effect = read_script(f'version "6.6"\n{script}\n')
    assert (set(effect.changed_uids), effect.changes_uids, effect.unread) == (UIDS[script], True, "")


HARMLESS = [
    "// (0020,000D) := x",
    "/* (0020,000D) := x\n -(0008,0018) */",
    '(0008,1030) := "see http://x (0020,000D) := y"',
    '(0008,1030) := "// no comment"\n(0010,0010) := subject',
    '(0020,000D) = "1.2.3" ? (0010,0030) := ""',
    "uid := hashUID[(0020,000D)]",
    "(0020,0052) := hashUID[(0020,0052)]",
    '(0008,1140)[%]/(0008,0018) := "1"',
    'hashUIDList["(0020,0052)"]',
    "removeAllPrivateTags",
    "-(0029,{SIEMENS MEDCOM HEADER}XX)",
    '(0019,"GEMS_ACQU_01"10) := ""',
    'describe p "x"\nexport p',
    "(0008,0020) := shiftDateByIncrement[(0008,0020), -5]",
    "- (50XX,XXXX)",
    "",
]


@pytest.mark.parametrize("script", HARMLESS)
def test_scripts_that_leave_uids_and_images_alone(script: str) -> None:
    effect = read_script(f'version "6.1"\n{script}\n')
    assert (effect.changes_uids, effect.may_reject, effect.unread) == (False, False, "")


@pytest.mark.parametrize(
    "script",
    ['(0020,0013) = "2" ? reject', "if (isPresent[(0028,0301)]) { reject }", '(0008,0060) != "CT" ? REJECT'],
)
def test_scripts_that_reject(script: str) -> None:
    effect = read_script(f'version "6.6"\n{script}\n')
    assert (effect.may_reject, effect.changes_uids) == (True, False)


def test_the_word_reject_in_texts_and_comments_rejects_nothing() -> None:
    assert read_script('(0008,1030) := "reject" // reject').may_reject is False


UNREAD = [
    'version "7.0"\n(0010,0010) := subject',
    'frobnicate["(0008,0018)"]',
    'version "6.1"\nif (x) frobnicate',
    "hashUIDList[list]",
    '(0010,0010) := "no end',
    "(0010,0010) := \u00a7",
    "<!DOCTYPE html><html>no</html>",
    '{"error": "no"}',
    "x" * 2_000_000,
    12,
    None,
    ["(0020,000D)"],
]


@pytest.mark.parametrize("script", UNREAD)
def test_what_cannot_be_read_is_unknown(script: object) -> None:
    effect = read_script(script)
    assert (effect.changes_uids, effect.may_reject) == (None, None)
    assert effect.unread


def test_what_was_read_before_an_unreadable_line_still_counts() -> None:
    effect = read_script('(0020,000D) := "1"\nfrobnicate[]\n(0008,0060) = "SR" ? reject')
    assert (effect.changes_uids, effect.may_reject) == (True, True)
    assert effect.unread == "line 2 cannot be read: frobnicate"


def test_the_default_script_of_xnat_changes_names_only() -> None:
    effect = read_script('version "6.1"\n(0008,1030) := project\n(0010,0010) := subject\n(0010,0020) := session\n')
    assert effect.changed == ("0008,1030", "0010,0010", "0010,0020")
    assert (effect.changes_uids, effect.may_reject) == (False, False)


TEMPLATES = {
    "${StudyInstanceUID}-${SeriesNumber}-${InstanceNumber}-${HashSOPClassUIDWithSOPInstanceUID}": True,
    "${SOPInstanceUID}": True,
    "${StudyInstanceUID}-${SeriesNumber}": False,
    "SOPInstanceUID": False,
    "${HashStudyInstanceUIDWithSeriesInstanceUID}": False,
    "": None,
}


@pytest.mark.parametrize("text", TEMPLATES)
def test_templates(text: str) -> None:
    assert NameTemplate(text).is_unique is TEMPLATES[text]


def test_site_and_project_together() -> None:
    on = read_script("(0020,000D) := hashUID[(0020,000D)]")
    assert Scripts().changes_uids is False
    assert Scripts(site=unknown_script("no")).changes_uids is None
    assert Scripts(site=unknown_script("no"), project=on).changes_uids is True
    assert Scripts(project=ScriptEffect(is_on=True, may_reject=True)).may_reject is True
