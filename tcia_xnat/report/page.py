"""report.html: one page without anything outside of it, made of report.json and the pictures of its series.

Descriptions come from foreign DICOM: the template escapes all of them, and the page's own policy lets nothing run but
the one script that is in it, nor anything be loaded.
"""

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from tcia_xnat.core.model import State
from tcia_xnat.core.viewers import viewer_link
from tcia_xnat.progress import counted, size
from tcia_xnat.report import links
from tcia_xnat.report.causes import heading
from tcia_xnat.report.charts import charts
from tcia_xnat.report.citation import citation
from tcia_xnat.report.document import Document, Row, licences
from tcia_xnat.report.figures import duration, moment
from tcia_xnat.sources.idc.index import Dataset

_TEMPLATES = Path(__file__).with_name("templates")
REPORT, COMPARISON = "report.html.j2", "verify.html.j2"
_SERIES = 10_000  # that are shown; report.csv has all
_NAMED, _LISTED = 5, 200  # series that are named at once for each cause, and on demand
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Tile:
    """One series on the contact sheet; `picture` is WebP, `problem` says in words that it is not in."""

    title: str
    modality: str
    images: str
    viewer: str
    picture: bytes
    state: State
    problem: str


@dataclass(frozen=True, slots=True)
class Session:
    """One study under its label."""

    label: str
    xnat: str
    viewer: str
    about: str
    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class Subject:
    """The sessions of one patient."""

    label: str
    sessions: Sequence[Session]


def page(
    document: Document, pictures: Mapping[str, bytes], datasets: Mapping[str, Dataset] = MappingProxyType({})
) -> Iterator[str]:
    """Yield the page, piece by piece: all of it at once is 20 MB.

    Parameters
    ----------
    document
        What report.json holds.
    pictures
        SeriesInstanceUID → WebP.
    datasets
        DOI → what is known of it, for the words to cite.
    """
    return template(REPORT).generate(_values(_printable(document), pictures, datasets))


def verify_page(document: Document, words: Mapping[str, str]) -> str:
    """Return the page of a comparison; `words` names each sign."""
    document = _printable(document)
    wrong = [row for row in document["rows"] if row["sign"] != "="]
    return template(COMPARISON).render(
        document=document,
        words=words,
        rows=wrong[:_SERIES],
        more=len(wrong[_SERIES:]),
        style=Markup(_text("report.css")),  # noqa: S704  our own file
    )


@cache
def template(name: str) -> Template:
    """Return a template, compiled once in a process: a run writes two pages, and compiling takes 0.2 s."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"size": size, "moment": moment, "counted": counted, "base64": _base64}
    return environment.get_template(name)


def _printable(value: Any) -> Any:  # noqa: ANN401  JSON
    """Return JSON without characters that no page may hold, or that turn the writing around."""
    if isinstance(value, str):
        return value if value.isprintable() else _CONTROL.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {key: _printable(one) for key, one in value.items()}
    return [_printable(one) for one in value] if isinstance(value, list) else value


def _values(document: Document, pictures: Mapping[str, bytes], datasets: Mapping[str, Dataset]) -> dict[str, Any]:
    rows: Sequence[Row] = document["series"]
    shown = sorted((row for row in rows if row["session"]), key=_order)[:_SERIES]
    script = _text("report.js")
    return {
        "document": document,
        "mood": _mood(document),
        "not_taken": len({uid for one in document["asked"] for uid in one["not_taken"]} - set(_uids(rows))),
        "figures": _figures(document),
        "collections": _collections(rows),
        "causes": [_cause(cause, rows) for cause in document["causes"]],
        "subjects": _subjects(shown, pictures, document["host"], document["project"]),
        "left_out": sum(bool(row["session"]) for row in rows) - len(shown),
        "charts": charts(rows, document["timeline"]),
        "licences": licences(rows),
        "citations": [citation(doi, datasets.get(doi)) for doi in _dois(rows)],
        "project_link": links.project_link(document["host"], document["project"]),
        "prearchive_link": links.prearchive_link(document["host"]),
        "style": Markup(_text("report.css")),  # noqa: S704  our own file
        "script": Markup(script),  # noqa: S704  our own file
        "script_hash": _base64(hashlib.sha256(script.encode()).digest()),
    }


def _uids(rows: Iterable[Row]) -> Iterator[str]:
    return (row["SeriesInstanceUID"] for row in rows)


def _dois(rows: Iterable[Row]) -> list[str]:
    return sorted({row["source_DOI"] for row in rows if row["source_DOI"]})


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8").rstrip("\n")


def _order(row: Row) -> tuple[str, ...]:
    return row["subject"], row["session"], row["SeriesNumber"].rjust(9), row["SeriesInstanceUID"]


def _mood(document: Document) -> str:
    if not document["exit_code"]:
        return "good"
    return "mixed" if document["sessions"] else "bad"


def _figures(document: Document) -> list[tuple[str, str]]:
    """Return what is worth a large number, as name and value."""
    rows = [row for row in document["series"] if State(row["state"]).is_in]
    seconds = (datetime.fromisoformat(document["ended"]) - datetime.fromisoformat(document["started"])).total_seconds()
    moved = sum(map(sum, document["timeline"]["bytes"].values()))
    figures = [
        (f"series {document['place']}", f"{len(rows):,} of {len(document['series']):,}"),
        _figure(len(document["sessions"]), "session"),
        _figure(len({session["subject"] for session in document["sessions"]}), "subject"),
        _figure(sum(row["images"] for row in rows), "image"),
        ("in all", size(sum(row["bytes"] for row in rows))),
        ("time", duration(seconds)),
    ]
    return [*figures, *([("on average", f"{size(moved / seconds)}/s")] if moved and seconds else [])]


def _figure(count: int, noun: str) -> tuple[str, str]:
    return noun if count == 1 else f"{noun}s", f"{count:,}"


def _collections(rows: Iterable[Row]) -> list[dict[str, Any]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["collection_id"]].append(row)
    return [_collection(name, members) for name, members in sorted(grouped.items(), key=_known_first)]


def _known_first(group: tuple[str, list[Row]]) -> tuple[bool, str]:
    name, _ = group
    return not name, name


def _collection(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    is_in = [row for row in rows if State(row["state"]).is_in]
    return {
        "name": name or "not known",
        "asked": len(rows),
        "series": len(is_in),
        "subjects": len({row["subject"] for row in is_in}),
        "sessions": len({row["session"] for row in is_in}),
        "images": sum(row["images"] for row in is_in),
        "bytes": sum(row["bytes"] for row in is_in),
    }


def _cause(cause: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    wanted = set(cause["series"][:_LISTED])
    listed = [row for row in rows if row["SeriesInstanceUID"] in wanted]
    return {
        "heading": heading(cause["series"], cause["kind"], State(cause["state"])),
        "reason": cause["reason"],
        "hint": cause["hint"],
        "is_held": cause["state"] == State.HELD,
        "named": listed[:_NAMED],
        "listed": listed[_NAMED:],
        "more": cause["count"] - len(listed),
    }


def _subjects(rows: Iterable[Row], pictures: Mapping[str, bytes], host: str, project: str) -> list[Subject]:
    grouped: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        grouped[row["subject"]][row["session"]].append(row)
    return [
        Subject(subject, [_session(members, pictures, host, project) for members in sessions.values()])
        for subject, sessions in grouped.items()
    ]


def _session(rows: Sequence[Row], pictures: Mapping[str, bytes], host: str, project: str) -> Session:
    first = rows[0]
    is_in = any(State(row["state"]).is_in for row in rows)
    in_idc = [row for row in rows if row["crdc_series_uuid"]]
    modalities = {row["Modality"] for row in rows}
    about = (
        first["StudyDate"],
        first["StudyDescription"],
        counted(len(rows), "series", "series"),
        counted(sum(row["images"] for row in rows), "image"),
        size(sum(row["bytes"] for row in rows)),
    )
    return Session(
        first["session"],
        links.session_link(host, project, first["subject"], first["session"]) if is_in else "",
        viewer_link(first["StudyInstanceUID"], modalities) if in_idc else "",
        " · ".join(filter(None, about)),
        [_tile(row, modalities, pictures.get(row["SeriesInstanceUID"], b"")) for row in rows],
    )


def _tile(row: Row, modalities: Collection[str], picture: bytes) -> Tile:
    state = State(row["state"])
    viewer = viewer_link(row["StudyInstanceUID"], modalities, row["SeriesInstanceUID"], row["Modality"])
    return Tile(
        row["SeriesDescription"] or f"Series {row['SeriesNumber'] or row['SeriesInstanceUID']}",
        row["Modality"] or "?",
        counted(row["images"], "image") if row["images"] else "",
        viewer if row["crdc_series_uuid"] else "",
        picture,
        state,
        "" if state.is_in else state.told,
    )
