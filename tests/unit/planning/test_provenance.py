"""Provenance as it is kept, and as strangers may have written it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcia_xnat.core.model import Label
from tcia_xnat.planning.provenance import Provenance, SeriesProvenance, decode

ONE = SeriesProvenance("idc", 3, frozenset({"1.1.1", "1.1.2", "1.1.3"}), "2", "2.25.7", 2, sends=2)
KEPT = Provenance("PAT", "1.1", Label("S", "E"), "xnat-tcia-download 2.0.0", "2026-11-27T00:00:00Z", {"1.1.9": ONE})


def test_what_is_written_is_read() -> None:
    assert decode(KEPT.encoded()) == KEPT


def test_what_is_added_later_replaces_and_keeps() -> None:
    later = Provenance("PAT", "1.1", Label("S", "E"), "t", "w", {"1.1.8": ONE})
    assert set(KEPT.updated(later).series) == {"1.1.8", "1.1.9"}
    assert KEPT.updated(later).written == "w"


def test_images_that_are_added_to_a_series_are_all_there_afterwards() -> None:
    more = SeriesProvenance("local", 2, frozenset({"1.1.3", "1.1.4"}), "2", "2.25.7", 4, version="v")
    merged = KEPT.updated(Provenance("PAT", "1.1", Label("S", "E"), "t", "w", {"1.1.9": more})).series["1.1.9"]
    assert merged.images == frozenset({"1.1.1", "1.1.2", "1.1.3", "1.1.4"})
    assert (merged.image_count, merged.lists(4), merged.lists(3), merged.version) == (4, True, False, "v")
    moved = SeriesProvenance("local", 1, frozenset({"1.1.4"}), "2", "2.25.8", 1)
    assert ONE.and_also(moved) == moved  # it is another scan now


def test_what_is_short_in_the_same_way_after_two_sends_is_left_out() -> None:
    assert ONE.left_out == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 2),
        (("patient_id",), None),
        (("study_instance_uid",), "../../etc"),
        (("series",), {}),
        (("series", 0, "image_count"), -1),
        (("series", 0, "image_count"), True),
        (("series", 0, "archived_image_count"), 1 << 60),
        (("series", 0, "sop_instance_uids"), ["x" * 10]),
        (("series", 0, "archived_series_instance_uid"), 7),
    ],
)
def test_what_is_no_provenance_proves_nothing(path: tuple[Any, ...], value: object) -> None:
    document = json.loads(KEPT.encoded())
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    found = decode(json.dumps(document).encode())
    assert found is None or not found.series


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text(), st.lists).map(
    lambda value: json.dumps(value).encode()))  # fmt: skip
def test_strangers_cannot_break_the_reader(content: bytes) -> None:
    assert decode(content) is None
