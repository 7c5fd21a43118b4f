"""A report.json that somebody hands in, checked field by field: what is made of it is opened and typed by people."""

import json
import math
import re
import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.events import Step
from tcia_xnat.core.markup import web_address
from tcia_xnat.core.model import SourceName, State
from tcia_xnat.core.tables import printable
from tcia_xnat.report.document import COLUMNS, Document

_LARGEST = 1 << 30  # characters; what is cut off is no JSON
_IDENTIFIER = re.compile(r"[A-Za-z0-9._/-]{1,300}")
_RUN = re.compile(r"[A-Za-z0-9-]{1,60}")
_SHARD = re.compile(r"\d{1,9}/\d{1,9}")
_NUMBERS = {"images", "bytes"}
_NEWER = {"idc_version": "", "recorded": ""}
"""Columns that reports of earlier versions lack, with what stands in their place."""


def read_document(path: Path) -> Document:
    """Read a report.json, given itself or its folder.

    Raises
    ------
    UsageError
        It is missing, not a report of this version, or holds what no run writes.
    """
    file = path / "report.json" if path.is_dir() else path
    try:
        with file.open(encoding="utf-8") as opened:
            return checked(json.loads(opened.read(_LARGEST)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        said = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        raise UsageError(
            f"{file} is no report: {said}", "name folders that hold a report.json of this version, or these files"
        ) from error


def checked(found: Any) -> Document:  # noqa: ANN401  JSON
    """Return a report in values that the rest of the program may trust.

    Raises
    ------
    ValueError, KeyError, TypeError
        It is none, or holds what no run writes.
    """
    document: dict[str, Any] = {key: _text(found[key]) for key in ("verdict", "ended_by", "tool", "manifest")}
    document |= {key: _text(found[key]) for key in ("project", "place", "source", "output_dir")}
    document |= {key: _moment(found[key]) for key in ("started", "ended")}
    document["exit_code"] = _number(found["exit_code"])
    document["host"] = _host(found["host"])
    document["idc_version"] = _text(found["idc_version"])
    document["given_project"] = _text(found.get("given_project", ""))
    document["archive"] = bool(found.get("archive", True))
    document["next_command"] = _command(found["next_command"])
    document["runs"] = [_matching(_RUN, name) for name in found.get("runs", ())]
    document["asked"] = [_asked(one) for one in found.get("asked", ())]
    document["notes"] = [_text(one) for one in found.get("notes", ())]
    document["rejected_lines"] = [_rejected(line) for line in found["rejected_lines"]]
    document["timeline"] = _timeline(found["timeline"])
    document["series"] = [_row(row, document["ended"]) for row in found["series"]]
    document["states"], document["sessions"], document["causes"] = {}, [], []
    return document


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return printable(value)


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise ValueError(f"{value!r:.40} is no number of anything")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{value!r:.40} is no time")
    return float(value)


def _moment(value: object) -> str:
    """Return a time with its zone, to the second, as runs write it."""
    moment = datetime.fromisoformat(_text(value))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")


def _matching(pattern: re.Pattern[str], value: object) -> str:
    text = _text(value)
    if not pattern.fullmatch(text):
        raise ValueError(f"{text!r:.60} is not what a run writes")
    return text


def _host(value: object) -> str:
    host = _text(value)
    if host and not all(web_address(one) for one in host.split(", ")):
        raise ValueError(f"host {host!r:.60} is no address of an XNAT")
    return host


def _command(value: object) -> str:
    """Return a command of ours that nothing else can hide in; people copy it."""
    text = _text(value)
    words = shlex.split(text)
    is_ours = bool({"download.py", "upload.py"} & {Path(word).name for word in words[:2]})
    return text if is_ours and shlex.join(words) == text else ""


def _asked(one: Mapping[str, Any]) -> dict[str, Any]:
    texts = {key: _text(one[key]) for key in ("manifest", "digest", "left_of", "left_by", "left_digest")}
    return texts | {
        "series": _number(one["series"]),
        "shards": [_matching(_SHARD, text) for text in one["shards"]],
        "limit": None if one["limit"] is None else _number(one["limit"]),
        "licence_filter": [_text(name) for name in one["licence_filter"]],
        "not_taken": [_matching(_IDENTIFIER, uid) for uid in one["not_taken"]],
        "read": [_list_read(told) for told in one.get("read", ())],
        "tree": _text(one.get("tree", "")),
        "left_out": _text(one.get("left_out", "")),
    }


def _list_read(told: Mapping[str, Any]) -> dict[str, Any]:
    texts = {key: _text(told[key]) for key in ("text", "file", "kind", "sheet", "column")}
    return texts | {key: _number(told[key]) for key in ("series", "lines", "entries")}


def _rejected(line: Mapping[str, Any]) -> dict[str, Any]:
    return {"line": _number(line["line"]), **{key: _text(line[key]) for key in ("text", "reason", "file")}}


def _row(row: Mapping[str, Any], ended: str) -> dict[str, Any]:
    checks: Mapping[str, Callable[[object], Any]] = {
        "SeriesInstanceUID": lambda value: _matching(_IDENTIFIER, value),
        "state": lambda value: State(_text(value)).value,
        "source": lambda value: SourceName(_text(value)).value if value else "",
        "seconds": _seconds,
        "recorded": lambda value: _moment(value or ended),
        **dict.fromkeys(_NUMBERS, _number),
    }
    whole = _NEWER | dict(row)
    return {column: checks.get(column, _text)(whole[column]) for column in COLUMNS}


def _timeline(found: Mapping[str, Any]) -> dict[str, Any]:
    bin_seconds = _number(found["bin_seconds"])
    if not bin_seconds:
        raise ValueError("its timeline has no seconds")
    return {
        "bin_seconds": bin_seconds,
        "bytes": {SourceName(name).value: [_number(n) for n in counts] for name, counts in found["bytes"].items()},
        "steps": {Step(name).value: _spent(spent) for name, spent in found["steps"].items()},
    }


def _spent(found: Mapping[str, Any]) -> dict[str, float]:
    spent = {name: _seconds(found[name]) for name in ("seconds", "longest")}
    return {"count": _number(found["count"]), **spent}
