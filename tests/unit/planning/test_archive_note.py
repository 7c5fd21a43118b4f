"""The note of an archived session: what is written is read again, and nothing else is taken for it."""

import pytest

from tcia_xnat.planning.archive_note import ArchiveNote, SeriesMark, mark, read_note

ONE, TWO = mark("1.2.1", 3, "uuid"), mark("1.2.2", 3, images=["1.2.2.1", "1.2.2.2", "1.2.2.3"])
NOTE = ArchiveNote("PAT 1", "1.2", frozenset({ONE, TWO}))


@pytest.mark.parametrize("note", [NOTE, ArchiveNote("ä, as published. Series: ", "1.2"), ArchiveNote("", "1.2")])
def test_what_is_written_is_read_again(note: ArchiveNote) -> None:
    assert read_note(note.text) == note


@pytest.mark.parametrize("patient", ["x" * 65, "two\nlines"])
def test_no_note_is_written_that_would_not_be_read_again(patient: str) -> None:
    assert not ArchiveNote(patient, "1.2").text


def test_no_note_is_written_that_is_too_long_for_an_address() -> None:
    assert ArchiveNote("P", "1.2", frozenset(mark(f"1.2.{number}", 1, "", ["1"]) for number in range(150))).text
    assert not ArchiveNote("P", "1.2", frozenset(mark(f"1.2.{number}", 1, "", ["1"]) for number in range(200))).text


@pytest.mark.parametrize(
    "text", ["", "scanned twice", f"{NOTE.text}; looks good", NOTE.text.replace("1.2", "1.x"), "x" * 9000]
)
def test_a_note_of_people_tells_nothing(text: str) -> None:
    assert read_note(text) is None


def test_a_series_is_told_by_its_uid_number_of_images_and_version() -> None:
    assert NOTE.has(mark("1.2.1", 3, "uuid"))
    assert not NOTE.has(mark("1.2.1", 2, "uuid"))
    assert not NOTE.has(mark("1.2.1", 3))
    assert not NOTE.has(mark("1.2.3", 3, "uuid"))


def test_images_are_compared_where_both_know_them() -> None:
    assert NOTE.has(mark("1.2.2", 3))
    assert NOTE.has(mark("1.2.2", 3, images=["1.2.2.3", "1.2.2.1", "1.2.2.2"]))
    assert not NOTE.has(mark("1.2.2", 3, images=["1.2.2.1", "1.2.2.2", "1.2.2.4"]))
    assert NOTE.has(mark("1.2.1", 3, "uuid", ["1"]))


def test_series_that_come_later_are_added_to_those_of_the_same_study() -> None:
    later = ArchiveNote("PAT 2", "1.2", frozenset({SeriesMark("new")}))
    assert later.and_also(NOTE) == ArchiveNote("PAT 1", "1.2", NOTE.marks | later.marks)
    assert later.and_also(None) == later
    assert later.and_also(ArchiveNote("PAT 1", "1.3", NOTE.marks)) == later
