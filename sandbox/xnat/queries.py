"""Listings of sessions, scans and subjects with the columns that were asked for (xnat-http.md §10)."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from sandbox.xnat.modalities import all_session_types

Record = Mapping[str, Any]
Cell = Callable[[Record], Any]

_DEFAULT = ("ID", "project", "date", "xsiType", "label", "insert_date", "URI")
_SCAN_DEFAULT = ("xnat_imagescandata_id", "ID", "type", "quality", "xsiType", "note", "series_description", "URI")
_SUBJECT_DEFAULT = ("ID", "project", "label", "insert_date", "insert_user", "URI")
_PARENT_TYPES = ("xnat:imageSessionData", "xnat:subjectAssessorData", "xnat:experimentData")
_SCAN_PATH = re.compile(r"(?P<type>[^/]+)/scans/scan(?:\[[^]]*\])?/(?P<field>[^/]+)")
_SESSION_PATH = re.compile(r"(?P<type>[^/]+)/(?P<field>[^/]+)")


class BrokenQuery(Exception):
    """XNAT cannot make SQL of it, and says nothing: the answer is 200 with an empty body (§10.2)."""


def insert_date(record: Record) -> str:
    """Return when a record was made, as listings show it."""
    date = datetime.fromtimestamp(record["inserted"], UTC)
    return f"{date:%Y-%m-%d %H:%M:%S}.{date.microsecond // 1000:03}"


def _of(name: str) -> Cell:
    return lambda record: record[name]


_SESSION_CELLS: dict[str, Cell] = {
    "ID": _of("id"),
    "project": _of("project"),
    "label": _of("label"),
    "date": _of("date"),
    "time": _of("time"),
    "xsiType": _of("xsi_type"),
    "note": _of("note"),
    "UID": _of("uid"),
    "modality": _of("modality"),
    "dcmPatientId": _of("patient_id"),
    "dcmPatientName": _of("patient_name"),
    "dcmAccessionNumber": _of("accession_number"),
    "subject_ID": _of("subject"),
    "subject_label": _of("subject_label"),
    "subject_project": _of("project"),
    "insert_user": _of("user"),
    "insert_date": insert_date,
    "last_modified": insert_date,
    "URI": lambda record: f"/data/experiments/{record['id']}",
}
_SCAN_CELLS: dict[str, Cell] = {
    "xnat_imagescandata_id": _of("key"),
    "ID": _of("id"),
    "UID": _of("uid"),
    "type": _of("type"),
    "quality": _of("quality"),
    "xsiType": _of("xsi_type"),
    "note": _of("note"),
    "series_description": _of("series_description"),
    "modality": _of("modality"),
    "frames": _of("frames"),
    "URI": lambda record: f"/data/experiments/{record['experiment']}/scans/{record['id']}",
}
_SUBJECT_CELLS: dict[str, Cell] = {
    "ID": _of("id"),
    "project": _of("project"),
    "label": _of("label"),
    "insert_date": insert_date,
    "insert_user": lambda _: "admin",
    "URI": lambda record: f"/data/subjects/{record['id']}",
}


def session_rows(
    sessions: Iterable[Record], scans: Callable[[str], Sequence[Record]], query: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the rows of a query for sessions: one per scan when a column of scans is asked for (§10.1).

    Raises
    ------
    BrokenQuery
    """
    columns = _columns(query, _DEFAULT)
    paths = {name: _path(name) for name in columns if "/" in name}
    is_wanted = _type_filter(query.get("xsiType", ""))
    rows: list[dict[str, Any]] = []
    for session in sessions:
        if is_wanted(session["xsi_type"]) and _matches(session, query, _SESSION_CELLS):
            found = scans(session["id"]) if any(of_scan for of_scan, _ in paths.values()) else ()
            rows += [_session_row(session, scan, columns, paths) for scan in found or ({},)]
    return rows


def _session_row(
    session: Record, scan: Record, columns: Sequence[str], paths: Mapping[str, tuple[bool, Cell]]
) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name in columns:
        if name in _SESSION_CELLS:
            row[name] = _SESSION_CELLS[name](session)
        elif name in paths:
            of_scan, cell = paths[name]
            source = scan if of_scan else session
            row[name.lower()] = cell(source) if source else ""
    return row


def _path(name: str) -> tuple[bool, Cell]:
    """Return whether a path leads to scans, and how to read what it leads to."""
    for pattern, cells, of_scan in ((_SCAN_PATH, _SCAN_CELLS, True), (_SESSION_PATH, _SESSION_CELLS, False)):
        found = pattern.fullmatch(name)
        known = {key.lower(): cell for key, cell in cells.items()}
        if found and found["field"].lower() in known and _is_type(found["type"]):
            return of_scan, known[found["field"].lower()]
    raise BrokenQuery(name)


def _is_type(name: str) -> bool:
    return name.lower() in {known.lower() for known in (*_PARENT_TYPES, *all_session_types())}


def _type_filter(wanted: str) -> Callable[[str], bool]:
    names = [name.lower() for name in wanted.split(",") if name]
    if any(not _is_type(name) for name in names):
        raise BrokenQuery(wanted)
    if not names or any(parent.lower() in names for parent in _PARENT_TYPES):
        return lambda _: True
    return lambda xsi_type: xsi_type.lower() in names


def scan_rows(scans: Iterable[Record], query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the rows of a listing of scans (§10.3)."""
    return list(_plain(scans, query, _SCAN_CELLS, _SCAN_DEFAULT))


def subject_rows(subjects: Iterable[Record], query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the rows of a listing of subjects."""
    return list(_plain(subjects, query, _SUBJECT_CELLS, _SUBJECT_DEFAULT))


def _plain(
    records: Iterable[Record], query: Mapping[str, str], cells: Mapping[str, Cell], default: Sequence[str]
) -> Iterator[dict[str, Any]]:
    columns = [name for name in _columns(query, default) if name in cells]
    for record in records:
        if _matches(record, query, cells):
            yield {name: cells[name](record) for name in columns}


def _columns(query: Mapping[str, str], default: Sequence[str]) -> Sequence[str]:
    """Return the columns asked for; whoever asks for the ID gets the URI, too, and pyxnat relies on it."""
    asked = [name for name in query.get("columns", "").split(",") if name]
    if not asked or asked == ["DEFAULT"]:
        return default
    return [*asked, "URI"] if "ID" in asked and "URI" not in asked else asked


def _matches(record: Record, query: Mapping[str, str], cells: Mapping[str, Cell]) -> bool:
    """Whether a record has the values that the query gives for columns, `*` standing for anything."""
    return all(
        fnmatchcase(str(cells[name](record) or ""), value)
        for name, value in query.items()
        if name in cells and name not in {"xsiType", "URI"}
    )
