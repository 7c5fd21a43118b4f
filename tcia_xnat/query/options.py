"""The options of query.py: which series are meant, where they are looked for, and where the answer goes."""

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tcia_xnat import cli
from tcia_xnat.cli.options import FiniteRange
from tcia_xnat.core.variables import PREFIX
from tcia_xnat.sources.idc.selection import Selection

FORMATS = ("table", "list", "csv", "tsv", "json")
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?B?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where series are looked for."""

    source: str
    idc_index: str | None
    nbia_url: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """Where an answer goes: a file, or stdout in one of `FORMATS`; None is a table on a terminal, a list on a pipe."""

    path: Path | None
    form: str | None
    limit: int | None


def _split(_context: click.Context, _option: click.Parameter, values: Iterable[str]) -> tuple[str, ...]:
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def _bytes(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    found = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(found[2].upper().removesuffix("B") + "B" if found[2] else "") if found else None
    if not found or unit is None:
        raise click.BadParameter(f"{text!r} is no size: write bytes, or 500MB, 2GB")
    return round(float(found[1]) * unit)


def _codes(*names: str, **settings: Any) -> Callable[..., Any]:  # noqa: ANN401  as click takes them
    return click.option(*names, multiple=True, callback=_split, **settings)


def _texts(*names: str, **settings: Any) -> Callable[..., Any]:  # noqa: ANN401  as above
    return click.option(*names, multiple=True, **settings)


_SELECTION = (
    _codes(
        "--collection", "-c", "collections", metavar="NAME", help="As IDC or TCIA spell it: cmb_aml, CMB-AML, cmb_*."
    ),
    _codes("--patient", "-p", "patients", metavar="ID", help="PatientID."),
    _codes("--study", "studies", metavar="UID", help="StudyInstanceUID."),
    _codes("--series", "series", metavar="UID", help="SeriesInstanceUID."),
    _codes("--modality", "-m", "modalities", metavar="CODE", help="CT, MR, PT, SEG, …"),
    _codes("--body-part", "body_parts", metavar="NAME", help="BodyPartExamined."),
    _texts("--manufacturer", "manufacturers", metavar="TEXT", help="Contains this."),
    _texts("--model", "models", metavar="TEXT", help="ManufacturerModelName contains this."),
    _texts("--description", "-d", "descriptions", metavar="TEXT", help="SeriesDescription contains this: 't2*flair'."),
    _texts("--study-description", "study_descriptions", metavar="TEXT", help="StudyDescription contains this."),
    _codes("--sex", "sexes", metavar="F|M|O", help="PatientSex."),
    _texts("--licence", "--license", "licences", metavar="NAME", help="'CC BY 4.0', 'CC BY-NC*'."),
    click.option(
        "--date-from",
        default="",
        show_default=False,
        metavar="DATE",
        help="First StudyDate: 2019, 2019-03 or 2019-03-31.",
    ),
    click.option(
        "--date-to", default="", show_default=False, metavar="DATE", help="Last StudyDate; most dates are shifted."
    ),
    click.option("--age-min", type=FiniteRange(0), metavar="YEARS", help="Least PatientAge."),
    click.option("--age-max", type=FiniteRange(0), metavar="YEARS", help="Greatest PatientAge."),
    click.option("--images-min", type=click.IntRange(0), metavar="N", help="Least number of images of a series."),
    click.option("--images-max", type=click.IntRange(0), metavar="N", help="Greatest number of images of a series."),
    click.option("--size-min", "bytes_min", callback=_bytes, metavar="SIZE", help="Least size of a series: 500MB."),
    click.option("--size-max", "bytes_max", callback=_bytes, metavar="SIZE", help="Greatest size of a series."),
)
_PLACE = (
    click.option(
        "--source", type=click.Choice(["idc", "nbia"]), default="idc", help="IDC's index, offline, or TCIA's server."
    ),
    click.option(
        "--idc-index",
        envvar=f"{PREFIX}_IDC_INDEX",
        metavar="FILE",
        help="Another parquet in the place of IDC's embedded index.",
    ),
    click.option(
        "--nbia-url",
        envvar=f"{PREFIX}_NBIA_URL",
        metavar="URL",
        help="NBIA's services, the part before /v4/.  [default: TCIA's]",
    ),
)
_TARGET = (
    click.option("-o", "--output", "path", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
        help="Write .tcia, .csv, .tsv, .xlsx, .json or .parquet, by its ending."),
    click.option("--format", "form", type=click.Choice(FORMATS),
        help="What stdout gets.  [default: a table on a terminal, a list for download.py on a pipe]"),
    click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N rows."),
)  # fmt: skip
_DEBUG = (click.option("--debug", is_flag=True, help="Show tracebacks."),)


def asks(*, selects: bool = True) -> Callable[[Callable[..., int]], Callable[..., None]]:
    """Give a command its options; it is called with `selection`, `place` and `target`, and returns its exit code.

    Parameters
    ----------
    selects
        Whether the command takes a choice of series; without one it gets the empty selection.
    """
    groups = (*(_SELECTION if selects else ()), *_PLACE, *_TARGET, *_DEBUG)

    def decorate(command: Callable[..., int]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapped(**options: Any) -> int:  # noqa: ANN401  click names and checks them
            chosen = {name: options.pop(name) for name in Selection.__dataclass_fields__ if name in options}
            place = Place(*(options.pop(name) for name in ("source", "idc_index", "nbia_url")))
            target = Target(*(options.pop(name) for name in ("path", "form", "limit")))
            return command(selection=Selection(**chosen), place=place, target=target, **options)

        reported: Callable[..., None] = cli.reports_errors(wrapped)
        for option in reversed(groups):
            reported = option(reported)
        return reported

    return decorate
