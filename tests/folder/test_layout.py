"""Folders of series: names that every file system takes, and never two series in one."""

import re
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.model import Series
from tcia_xnat.destinations.disk.layout import Layout, assign, checked_template, clean
from tcia_xnat.destinations.disk.names import Head, classic_names

FIELDS = st.text(max_size=300)


def series(uid: str, **fields: Any) -> Series:  # noqa: ANN401  fields of a series
    return replace(Series(uid, "1.2", "P"), **fields)


@given(FIELDS)
def test_a_name_is_taken_by_every_file_system(text: str) -> None:
    name = clean(text)
    assert 0 < len(name.encode("utf-8", "replace")) <= 151
    assert not re.search(r'[\x00-\x1f<>:"/\\|?*]', name)
    assert name not in {".", ".."}
    assert name == name.strip()
    assert not name.endswith(".") or name == "_."


@given(FIELDS, FIELDS, FIELDS)
def test_a_folder_stays_inside(patient: str, collection: str, description: str) -> None:
    one = series("1.2.3", patient_id=patient, collection_id=collection, series_description=description)
    parts = Layout("%collection_id/%PatientID/a %SeriesDescription/%SeriesNumber").folder(one).split("/")
    assert len(parts) == 4
    assert ".." not in parts
    assert parts[0].lower() not in {"state", "report"}


def _holder(held: dict[str, str], folder: str) -> str:
    return held.get(folder, "")


@given(st.lists(st.sampled_from(["A", "a", "A_1.1", "B", ".."]), min_size=1, max_size=8), st.randoms())
def test_no_two_series_share_a_folder_in_any_order_of_runs(patients: list[str], dice: Random) -> None:
    """Whatever is asked for first, everybody has a folder of his own and keeps it."""
    whole = [series(f"1.{number}", patient_id=patient) for number, patient in enumerate(patients)]
    held: dict[str, str] = {}
    layout = Layout("%PatientID")
    order = list(whole)
    dice.shuffle(order)
    for end in range(1, len(order) + 1):
        found = assign(order[:end], layout, partial(_holder, held))
        assert len({folder.lower() for folder in found.values()}) == end
        assert all(found[uid] == folder for folder, uid in held.items())
        held |= {folder: uid for uid, folder in found.items()}


@pytest.mark.parametrize("template", ["/a", "a//b", "a/../b", "a\\b", "%Nothing", "100%", "./a"])
def test_templates_that_are_none(template: str) -> None:
    with pytest.raises(UsageError) as refused:
        checked_template(template)
    assert "%SeriesInstanceUID" in refused.value.hint


def test_fields_side_by_side() -> None:
    one = series("1.2.3", modality="CT", series_number="4", study_date="2020-01-02")
    assert Layout(checked_template("%Modality_%SeriesNumber-%StudyDate")).folder(one) == "CT_4-2020-01-02"


@pytest.mark.parametrize(
    ("template", "folder"),
    [("%collection_id/%PatientID/x", "c"), ("tcia/%collection_id/%PatientID", "tcia/c"), ("%PatientID/x", "")],
)
def test_the_folder_of_a_licence(template: str, folder: str) -> None:
    assert Layout(template).licence_folder(series("1.2.3", collection_id="c")) == folder


def head(number: int | None, acquisition: int = 0, file: str = "") -> Head:
    return Head(file or f"{acquisition}-{number}", number, acquisition, "", "")


def test_classic_names_count_as_nbia_does() -> None:
    assert sorted(classic_names([head(number) for number in range(1, 11)]).values())[::9] == ["1-01.dcm", "1-10.dcm"]
    interleaved = [head(1, 1), head(2, 2), head(3, 1), head(4, 1)]
    assert list(classic_names(interleaved).values()) == ["1-1.dcm", "2-1.dcm", "3-1.dcm", "3-2.dcm"]
    same = [head(None, file=str(number)) for number in range(12)]
    assert list(classic_names(same).values())[-1] == "1-12.dcm"
    assert len(set(classic_names(same).values())) == 12


def test_a_series_that_another_run_puts_there_meanwhile_stays_where_it_is() -> None:
    asked: list[str] = []

    def holder(folder: str) -> str:
        asked.append(folder)
        return "1.2.3" if folder == "P" and asked.count("P") > 1 else ""

    assert assign([series("1.2.3")], Layout("%PatientID"), holder) == {"1.2.3": "P"}
    assert asked.count("P") > 1
