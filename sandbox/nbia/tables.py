"""Rows of NBIA's query endpoints, and the forms in which they are sent (tcia-nbia-and-idc.md §2.4 to §2.8)."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from html.entities import codepoint2name
from typing import Any, NamedTuple

from starlette.responses import Response

from sandbox.index import Index, Row

POLICY = (
    "Data Usage Policy\n\nAny user accessing TCIA data must agree not to identify or contact individual participants,"
    " to acknowledge the data set and the archive in all presentations, disclosures and publications, and to pass"
    " this policy on with the data.\n"
)
NOT_GRANTED = (
    "The user has not been granted the access to image with given SeriesInstanceUID,{}."
    " Please contact System Admin to resolve this issue."
)
UNABLE = "Server was not able to process your request"

Table = Sequence[Mapping[str, Any]]


class Licence(NamedTuple):
    """A licence as NBIA's table of licences has it."""

    short: str
    name: str
    url: str | None


_LICENCES = {
    "CC BY 3.0": ("Creative Commons Attribution 3.0 Unported License", "http://creativecommons.org/licenses/by/3.0/"),
    "CC BY 4.0": (
        "Creative Commons Attribution 4.0 International License",
        "https://creativecommons.org/licenses/by/4.0/",
    ),
    "CC BY-NC 3.0": (
        "Creative Commons Attribution-NonCommercial 3.0 Unported License",
        "http://creativecommons.org/licenses/by-nc/3.0/",
    ),
    "CC BY-NC 4.0": (
        "Creative Commons Attribution-NonCommercial 4.0 International License",
        "https://creativecommons.org/licenses/by-nc/4.0/",
    ),
}


def licence(short: str | None) -> Licence:
    """Return the licence with a short name."""
    name, url = _LICENCES.get(short or "", (short, None))
    return Licence(short or "Not Specified", name or "Not Specified", url)


def released(row: Row) -> date:
    """Return when a series came into the archive: IDC's versions, one in three months, stand for NBIA's dates."""
    months = 9 + 3 * (row["series_revised_idc_version"] - 1)
    return date(2020 + months // 12, months % 12 + 1, 15)


def known(row: Row, index: Index) -> dict[str, Any]:
    """Return all that NBIA's columns tell of a series; dates are dates, absent values None."""
    terms, number = licence(row["license_short_name"]), row["SeriesNumber"] or ""
    doi = f"https://doi.org/{row['source_DOI']}" if row["source_DOI"] else None
    volume = row["Modality"] in {"CT", "MR", "PT"}
    return row | {
        "PatientName": row["PatientID"],
        "PatientSex": row["PatientSex"],
        "Phantom": "NO",
        "SpeciesCode": "337915000",
        "SpeciesDescription": "Homo sapiens",
        "StudyDate": _date(row["StudyDate"]),
        "StudyDesc": row["StudyDescription"],
        "Collection": index.collection(row["collection_id"]),
        "Site": index.collection(row["collection_id"]),
        "SeriesDate": _date(row["SeriesDate"]),
        "SeriesNumber": int(number) if re.fullmatch(r"-?\d{1,9}", number) else None,
        "AnnotationsFlag": False,
        "AnnotationSize": 0,
        "SliceThickness(mm)": 2.5 if volume else None,
        "ImageCount": row["instanceCount"],
        "MaxSubmissionTimestamp": released(row),
        "TimeStamp": released(row),
        "DateReleased": released(row),
        "LicenseName": terms.name,
        "LicenseURI": terms.url,
        "DataDescriptionURI": doi,
        "CollectionURI": doi,
        "FileSize": round(row["series_size_MB"] * 1e6),
        "ReleasedStatus": "YES",
        "ThirdPartyAnalysis": "YES" if row["analysis_result_id"] else "NO",
        "Authorized": 1,
    }


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | Mapping[str, str], *, v1: bool = False) -> Table:
    """Return the columns that an endpoint shows of rows, dates as its version writes them (§2.6)."""
    names = columns if isinstance(columns, Mapping) else {name: name for name in columns}
    return [{shown: _written(row.get(name), v1=v1) for shown, name in names.items()} for row in rows]


def answer(rows: Table, form: str | None = None) -> Response:
    """Return rows in the form asked for; none are 200 with an empty body, an unknown form is 500 (§2.3, §2.4)."""
    if not rows:
        return Response(b"", 200)
    written = _FORMS.get((form or "json").lower())
    if written is None:
        return Response(UNABLE, 500, media_type="text/plain")
    make, kind = written
    headers = {}
    if (form or "").lower() == "csv-download":
        headers = {"Content-Disposition": 'attachment; filename="SeriesMetaData.csv"'}
        kind = "application/force-download" if len(rows[0]) == 1 else kind
    return Response(make(rows), headers={"Content-Type": kind} | headers)


def refused(text: str) -> Response:
    """Return a refusal; NBIA calls its plain text JSON (§2.3)."""
    return Response(text, 400, media_type="application/json")


def _json(rows: Table) -> str:
    shown = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def _csv(rows: Table) -> str:
    if len(rows[0]) == 1:
        return "".join(f"{value}\n" for value in (*rows[0], *(value for row in rows for value in row.values())))
    return "".join(map(_csv_line, (list(rows[0]), *(list(row.values()) for row in rows))))


def _csv_line(values: Sequence[Any]) -> str:
    """Return a line as NBIA's toCsvQuoted writes it: without a first value it has one column too many (§2.4)."""
    first, *others = ["" if value is None else _java(value).replace('"', '""') for value in values]
    return ('","' if values[0] is None else f'"{first}') + "".join(f'","{other}' for other in others) + '"\n'


def _xml(rows: Table) -> str:
    shown = "".join(f"<Row>{''.join(_xml_column(*item) for item in row.items())}</Row>" for row in rows)
    return f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Results>{shown}</Results>'


def _xml_column(name: str, value: object) -> str:
    """Return one column; its name is the element's, even where XML forbids such a name (§2.4)."""
    if value is None:
        return ""
    kind = {bool: "Boolean", int: "Integer", float: "Double"}.get(type(value), "String")
    return f"<{name} type='java.lang.{kind}'>{_encoded(value)}</{name}>"


def _html(rows: Table) -> str:
    head = "".join(f"<TH>{name}</TH>" for name in rows[0])
    body = "".join(f"<TR>{''.join(f'<TD>{_cell(value)}</TD>' for value in row.values())}</TR>" for row in rows)
    return f"<P ALIGN='center'><TABLE BORDER=1><TR>{head}</TR>{body}</TABLE></P>"


def _cell(value: object) -> str:
    return "&nbsp;" if value is None else _encoded(value)


def _encoded(value: object) -> str:
    """Return a text as ESAPI's encodeForHTML does: all but letters, digits and `, . - _` and blanks becomes a code."""
    if not isinstance(value, str):
        return _java(value)
    return re.sub(r"[^A-Za-z0-9,.\-_ ]", lambda found: _entity(ord(found[0])), value)


def _entity(code: int) -> str:
    return f"&{codepoint2name[code]};" if code in codepoint2name else f"&#x{code:x};"


def _java(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_FORMS: dict[str, tuple[Callable[[Table], str], str]] = {
    "json": (_json, "application/json"),
    "csv": (_csv, "text/csv"),
    "csvquoted": (_csv, "text/csv"),
    "csv-download": (_csv, "text/csv"),
    "xml": (_xml, "application/xml"),
    "html": (_html, "text/html"),
}


def _date(iso: str | None) -> date | None:
    try:
        return date.fromisoformat(iso or "")
    except ValueError:
        return None


def _written(value: object, *, v1: bool) -> object:
    """Return a value as it is sent: v4 has MM-DD-YYYY, v1 and v2 the text of a java.sql.Timestamp (§2.6)."""
    if not isinstance(value, date):
        return value
    return f"{value:%Y-%m-%d} 00:00:00.0" if v1 else f"{value:%m-%d-%Y}"
