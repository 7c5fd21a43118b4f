"""verify.json and verify.csv for programs, and lines for people."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tcia_xnat import __version__
from tcia_xnat.console.sanitize import one_line
from tcia_xnat.core.exit_codes import ExitCode
from tcia_xnat.core.tables import table_of
from tcia_xnat.destinations.disk.disk import replace_text
from tcia_xnat.manifest import write_tcia
from tcia_xnat.planning.settings import FAILED
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
    Sign.STRANGER: "under another patient's subject",
    Sign.ERROR: "not to be compared",
}


def exit_code(verified: Verified) -> int:
    """Return 0 when all is as it was asked for, else 3."""
    return ExitCode.DONE if is_right(verified.rows, one_way=verified.one_way) else ExitCode.MISSING


def verdict(verified: Verified) -> str:
    """Return the sentence that people read first."""
    counts = Counter(row.sign for row in verified.rows)
    told = ", ".join(f"{counts[sign]} {words}" for sign, words in _WORDS.items() if counts[sign])
    return f"{'Right' if exit_code(verified) == ExitCode.DONE else 'Not right'}: {told or 'nothing was asked for'}."


def lines(verified: Verified) -> Iterator[str]:
    """Yield a line for each row, its sign first."""
    for row in verified.rows:
        named = row.series_instance_uid or row.where
        told = [f"{counted(row.found, 'image')} in {row.where}"] if row.series_instance_uid and row.where else []
        yield "  ".join(filter(None, [row.sign, named, *told, "; ".join(row.reasons)]))


def write(verified: Verified) -> list[Path]:
    """Write verify.json, verify.csv and verify.html into the job's report folder; return them.

    `report/verify/<UTC time>/` keeps them of each comparison, and failed.tcia with the series that were disproved;
    `report/verify/failed.tcia` is that of the last one.

    Raises
    ------
    SpaceError, FolderError
        They cannot be written.
    """
    folder = verified.job.report_dir
    texts = dict(_texts(verified))
    made = folder / "verify" / f"{verified.started:%Y%m%dT%H%M%SZ}"
    for name, text in texts.items():
        replace_text(made / name, text)
        replace_text((folder / "verify" if name == FAILED else folder) / name, text)
    if FAILED not in texts:
        (folder / "verify" / FAILED).unlink(missing_ok=True)
    return [made / name for name in texts]


def failed_list(verified: Verified) -> Path | None:
    """Return the list of the series that were disproved, if there is one."""
    wrong = any(row.is_disproved for row in verified.rows)
    return verified.job.report_dir / "verify" / FAILED if wrong else None


def _texts(verified: Verified) -> Iterator[tuple[str, str]]:
    from tcia_xnat.report.page import verify_page  # noqa: PLC0415  its libraries are loaded when all is compared

    document = _document(verified)
    yield "verify.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    flat = (row | {"reasons": "; ".join(row["reasons"])} for row in document["rows"])
    yield "verify.csv", table_of(COLUMNS, flat)
    yield "verify.html", verify_page(document, {sign.value: words for sign, words in _WORDS.items()})
    if wrong := [row for row in verified.rows if row.is_disproved]:
        said = (
            f"# {one_line('; '.join([row.series_instance_uid, _WORDS[row.sign], *row.reasons]))}\n" for row in wrong
        )
        yield FAILED, "".join([*said, write_tcia((row.series_instance_uid for row in wrong), FAILED)])


def _document(verified: Verified) -> dict[str, Any]:
    counts = Counter(row.sign for row in verified.rows)
    return {
        "verdict": verdict(verified),
        "exit_code": exit_code(verified),
        "tool": f"xnat-tcia-download {__version__}",
        "started": verified.started.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "manifest": verified.manifest.name,
        "idc_version": verified.idc_version,
        "output_dir": str(verified.job.output_dir),
        "host": verified.host,
        "project": verified.job.project,
        "counts": {sign.value: counts[sign] for sign in Sign},
        "rows": [_cells(row) for row in verified.rows],
    }


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
