"""What the user says of people who are one: `--same-patient HELD=PATIENTID`, or a CSV of such pairs."""

import csv
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tcia_xnat.core.errors import UsageError

OPTION = "--same-patient"
_HINT = f"write {OPTION} HELD=PATIENTID, or name a CSV of two columns: what XNAT holds, and the PatientID"
_COLUMNS = 2
_MAX_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class SamePatient:
    """Pairs of what XNAT holds, a subject label or a PatientID, and of a PatientID that is the same person."""

    pairs: frozenset[tuple[str, str]] = frozenset()

    def says(self, held: str, patient_id: str) -> bool:
        """Whether the user says that a held name is this PatientID."""
        return (held, patient_id) in self.pairs

    def held_by(self, patient_id: str) -> list[str]:
        """Return the held names that are this PatientID."""
        return sorted(held for held, patient in self.pairs if patient == patient_id)

    @staticmethod
    def hint(held: str, patient_id: str) -> str:
        """Return the option that says that two names are one."""
        return shlex.join([OPTION, f"{held}={patient_id}"])


def parse(values: Iterable[str]) -> SamePatient:
    """Return the pairs of options: each is HELD=PATIENTID, or the name of a CSV file.

    Raises
    ------
    UsageError
        One is neither.
    """
    pairs: set[tuple[str, str]] = set()
    for value in values:
        held, equals, patient_id = (part.strip() for part in value.partition("="))
        if equals and held and patient_id:
            pairs.add((held, patient_id))
        elif not equals and Path(value).is_file():
            pairs.update(_listed(Path(value)))
        else:
            raise UsageError(f"{OPTION} is {value!r}", _HINT)
    return SamePatient(frozenset(pairs))


def _listed(path: Path) -> list[tuple[str, str]]:
    """Return the pairs of a CSV; a heading whose second cell is PatientID is none of them."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"{path} is too large for {OPTION}", _HINT)
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {error}", _HINT) from error
    pairs = [tuple(cell.strip() for cell in row) for row in rows if any(cell.strip() for cell in row)]
    if wrong := next((pair for pair in pairs if len(pair) != _COLUMNS or not all(pair)), None):
        raise UsageError(f"{path} has the line {','.join(wrong)!r}", _HINT)
    return [(held, patient) for held, patient in pairs if patient.lower() not in {"patientid", "patient_id"}]
