"""verify.json and verify.csv for programs, and lines for people."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tcia_xnat import __version__
from tcia_xnat.core.tables import table_of
from tcia_xnat.folder.disk import replace_text
from tcia_xnat.progress import counted
from tcia_xnat.verify.job import Verified
from tcia_xnat.verify.model import Row, Sign, is_right

COLUMNS = (
    "sign",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "PatientID",
    "expected",
    "found",
    "where",
    "reasons",
)
_WORDS = {
    Sign.SAME: "same",
    Sign.MISSING: "missing",
    Sign.EXTRA: "extra",
    Sign.DIFFERS: "different",
    Sign.ERROR: "not to be compared",
}
_RIGHT, _WRONG = 0, 3


def exit_code(verified: Verified) -> int:
    """Return 0 when all is as it was asked for, else 3."""
    return _RIGHT if is_right(verified.rows, one_way=verified.one_way) else _WRONG


def verdict(verified: Verified) -> str:
    """Return the sentence that people read first."""
    counts = Counter(row.sign for row in verified.rows)
    told = ", ".join(f"{counts[sign]} {words}" for sign, words in _WORDS.items() if counts[sign])
    return f"{'Right' if exit_code(verified) == _RIGHT else 'Not right'}: {told or 'nothing was asked for'}."


def lines(verified: Verified) -> Iterator[str]:
    """Yield a line for each row, its sign first."""
    for row in verified.rows:
        named = row.series_instance_uid or row.where
        told = [f"{counted(row.found, 'image')} in {row.where}"] if row.series_instance_uid and row.where else []
        yield "  ".join(filter(None, [row.sign, named, *told, "; ".join(row.reasons)]))


def write(verified: Verified) -> Path:
    """Write verify.json and verify.csv into the job's report folder; return the first.

    Raises
    ------
    SpaceError, FolderError
        They cannot be written.
    """
    folder, rows = verified.job.report_dir, [_cells(row) for row in verified.rows]
    counts = Counter(row.sign for row in verified.rows)
    document: Mapping[str, Any] = {
        "verdict": verdict(verified),
        "exit_code": exit_code(verified),
        "tool": f"xnat-tcia-download {__version__}",
        "manifest": verified.manifest.name,
        "output_dir": str(verified.job.output_dir),
        "project": verified.job.project,
        "counts": {sign.value: counts[sign] for sign in Sign},
        "rows": rows,
    }
    replace_text(folder / "verify.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    replace_text(
        folder / "verify.csv", table_of(COLUMNS, (row | {"reasons": "; ".join(row["reasons"])} for row in rows))
    )
    return folder / "verify.json"


def _cells(row: Row) -> dict[str, Any]:
    values = (
        row.sign.value,
        row.series_instance_uid,
        row.study_instance_uid,
        row.patient_id,
        row.expected,
        row.found,
        row.where,
        list(row.reasons),
    )
    return dict(zip(COLUMNS, values, strict=True))
