"""Lists in tables: CSV, TSV and XLSX, under any of the headings that series have in the wild (§1.5)."""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tcia_xnat.errors import ManifestError
from tcia_xnat.manifest.model import Manifest, is_uid
from tcia_xnat.manifest.text import unique

if TYPE_CHECKING:
    import pandas as pd

_SERIES = ("seriesinstanceuid", "seriesuid", "seriesid")
_STUDY = ("studyinstanceuid", "studyuid")
_PAIR = ("petseriesinstanceuid", "ctseriesinstanceuid")
_SEPARATORS = (",", "\t", ";")


def heading(text: str) -> str:
    """Return a heading as it is compared: lower case, without blanks, underscores and quotes."""
    return re.sub(r"[\s_\"'\ufeff]", "", text).lower()


def is_table(first_line: str) -> bool:
    """Whether a line is the heading of a table of series; a lone column of them is a list as any other."""
    cells = {heading(cell) for cell in re.split(r"[,;\t]", first_line)}
    return (len(cells) > 1 and not cells.isdisjoint({*_SERIES, *_PAIR})) or not cells.isdisjoint(_STUDY)


def parse_table(text: str, name: str) -> Manifest:
    """Read a table in text; the separator is the one that cuts its heading.

    Raises
    ------
    ManifestError
    """
    import pandas as pd  # noqa: PLC0415  0.25 s that lists in lines need not wait

    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)
    try:
        frame = pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, index_col=False)
    except (pd.errors.ParserError, ValueError) as error:
        raise ManifestError(f"{name} cannot be read as a table: {error}") from error
    return _from_frame(frame, name)


def parse_workbook(content: bytes, name: str) -> Manifest:
    """Read the sheets of an XLSX file.

    Raises
    ------
    ManifestError
    """
    import pandas as pd  # noqa: PLC0415  as above

    try:
        sheets = pd.read_excel(io.BytesIO(content), sheet_name=None, dtype=str, keep_default_na=False)
    except ImportError as error:
        raise ManifestError(f"{name} is a workbook, and openpyxl is not installed", "save it as CSV") from error
    except Exception as error:  # openpyxl and zipfile have many names for a broken workbook
        raise ManifestError(f"{name} cannot be read as a workbook: {error}", "save it as CSV") from error
    frames = [sheet for sheet in sheets.values() if _columns(sheet)]
    if not frames:
        raise ManifestError(f"{name} has no sheet with a column of series", f"name a column {_SERIES[0]}")
    return _from_frame(pd.concat(frames), name)


def _from_frame(frame: "pd.DataFrame", name: str) -> Manifest:
    columns = _columns(frame)
    if not columns:
        raise ManifestError(f"{name} lists studies, not series", "add a column SeriesInstanceUID with their series")
    rows = frame[columns].fillna("").to_numpy().tolist()
    cells = [(number, str(cell).strip()) for number, row in enumerate(rows, 2) for cell in row]
    wrong = [(number, cell) for number, cell in cells if cell and not is_uid(cell)]
    if wrong:
        number, cell = wrong[0]
        raise ManifestError(f"{name} has a UID that is none, line {number}: {cell!r}", "mend or delete the line")
    uids, duplicates = unique(cell for _, cell in cells if cell)
    if not uids:
        raise ManifestError(f"{name} holds no series", "look whether it is the right file, or was cut off")
    return Manifest(name, uids, duplicates=duplicates)


def _columns(frame: "pd.DataFrame") -> Sequence[str]:
    """Return the columns of series: both of a PET/CT pair where there are pairs, else the one of the table."""
    named = {heading(str(column)): str(column) for column in frame.columns}
    if set(_PAIR) <= named.keys():
        return [named[key] for key in _PAIR]
    return [named[key] for key in _SERIES if key in named][:1]
