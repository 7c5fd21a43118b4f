"""What the user says of people who are one, as it is typed and as it is listed."""

from pathlib import Path

import pytest

from tcia_xnat.core.errors import UsageError
from tcia_xnat.planning.identity.same_patient import parse


def test_pairs_are_typed_and_listed(tmp_path: Path) -> None:
    listed = tmp_path / "pairs.csv"
    listed.write_text('\ufeffheld,PatientID\r\nS01,P 1\r\n\r\n"S,2",P2=x\r\n')
    said = parse(["A=B", "S03=P=3", str(listed)])
    assert said.pairs == {("A", "B"), ("S03", "P=3"), ("S01", "P 1"), ("S,2", "P2=x")}
    assert said.held_by("B") == ["A"]
    assert said.says("A", "B")
    assert not said.says("B", "A")


@pytest.mark.parametrize("typed", ["A", "A=", "=B", "no-such-file.csv", ""])
def test_what_is_no_pair_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="--same-patient"):
        parse([typed])


@pytest.mark.parametrize("content", [b"A,B,C\n", b"A\n", b"A,\n", b"\xff\xfe\x00"])
def test_a_list_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"pairs\.csv"):
        parse([str(path)])
