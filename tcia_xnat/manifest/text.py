"""Lists in lines: .tcia with all its oddities, pipe lines of NBIA, s5cmd lists, bare UIDs (§1.1 to §1.5)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tcia_xnat.errors import ManifestError
from tcia_xnat.manifest.model import Manifest, Rejected, is_uid

LIST_KEY = "listofseriestodownload"

_SHOWN_LINES, _SHOWN_CHARACTERS = 3, 60
_KEY = re.compile(r"\s*([A-Za-z][A-Za-z0-9]*)\s*=(.*)", re.DOTALL)
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_FOLDER = re.compile(rf"""^(?:(?:cp|sync)\s+)?["']?s3://[^/\s]+/({_UUID})/""", re.IGNORECASE)
_HEADINGS = {"seriesid", "seriesuid", "seriesinstanceuid"}  # pasted from a spreadsheet
_PIPE_FIELDS = {16, 24}
_PIPE_UID = 3  # SeriesInstanceUID is the fourth field (§1.2)


@dataclass(slots=True)
class _Reading:
    """What the lines have given so far."""

    uids: dict[str, None] = field(default_factory=dict)
    folders: dict[str, None] = field(default_factory=dict)
    header: list[str] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    wrong: list[Rejected] = field(default_factory=list)
    duplicates: int = 0
    in_list: bool = False

    def add(self, uid: str) -> None:
        self.duplicates += uid in self.uids
        self.uids[uid] = None


def parse_text(text: str, name: str) -> Manifest:
    """Read a list in lines.

    Raises
    ------
    ManifestError
        A line is no UID and nothing harmless, or the file holds no list: a broken line would lose its series unseen.
    """
    reading = _Reading()
    has_list = any(_key(line) == LIST_KEY for line in _lines(text))
    for number, line in enumerate(_lines(text), 1):
        _take(reading, number, line.strip(), has_list=has_list)
    _refuse(reading, name)
    return Manifest(
        name,
        tuple(reading.uids),
        header=tuple(reading.header) if has_list else (),
        rejected=tuple(reading.rejected),
        duplicates=reading.duplicates,
        crdc_series_uuids=tuple(reading.folders),
    )


def _lines(text: str) -> Sequence[str]:
    return re.split(r"\r\n|\n|\r", text)


def _key(line: str) -> str:
    found = _KEY.fullmatch(line.strip())
    return found[1].lower() if found else ""


def _take(reading: _Reading, number: int, line: str, *, has_list: bool) -> None:
    if not line:
        return
    if found := _KEY.fullmatch(line):
        _take_key(reading, number, line, found[1].lower(), found[2].strip())
    elif has_list and not reading.in_list:
        reading.header.append(line)
        reading.rejected.append(Rejected(number, line, "stands before the list"))
    elif line.startswith("#"):
        reading.rejected.append(Rejected(number, line, "a comment"))
    elif _squeezed(line) in _HEADINGS or line.lower().endswith("_manifest_cp_command"):
        reading.rejected.append(Rejected(number, line, "a heading"))
    else:
        _take_entry(reading, number, line)


def _take_key(reading: _Reading, number: int, line: str, key: str, value: str) -> None:
    reading.keys[key] = value
    if reading.in_list:
        reading.rejected.append(Rejected(number, line, "a key within the list"))
        return
    reading.header.append(line if key != LIST_KEY else line.split("=", maxsplit=1)[0] + "=")
    if key == LIST_KEY:
        reading.in_list = True
        for entry in filter(None, re.split(r"[,;\s]+", value)):
            _take_entry(reading, number, entry)


def _take_entry(reading: _Reading, number: int, line: str) -> None:
    if folder := _FOLDER.match(line):
        reading.folders[folder[1].lower()] = None
        return
    uids = [entry for entry in _entries(line) if is_uid(entry)]
    if not uids:
        reading.wrong.append(Rejected(number, line, "no UID"))
    for uid in uids:
        reading.add(uid)


def _entries(line: str) -> Iterator[str]:
    """Yield what may be UIDs: the fourth of NBIA's pipe fields, or what stands before the first comma."""
    fields = [part.strip() for part in line.split("|")]
    if len(fields) in _PIPE_FIELDS:
        yield fields[_PIPE_UID]
    elif len(fields) == 1:
        first, *others = (part.strip(" \t\"'") for part in re.split(r"[,;\t]", line))
        yield first
        if not is_uid(first) or all(is_uid(other) or not other for other in others):
            yield from others  # `UID,UID` is two series, `UID,label` is one


def _squeezed(text: str) -> str:
    return re.sub(r"[\s_\"']", "", text).lower()


def _refuse(reading: _Reading, name: str) -> None:
    found = len(reading.uids) + len(reading.folders)
    version = reading.keys.get("manifestversion", "")
    if not found and (
        version.startswith(("1", "2")) or (reading.keys.keys() >= {"databasketid"} and not reading.in_list)
    ):
        raise ManifestError(
            f"{name} is a manifest of version {version or '1'}, which holds no list of series",
            "it names a basket on TCIA's server; have the manifest made anew there, or list the series yourself",
        )
    if reading.wrong and (found or reading.in_list):
        raise ManifestError(
            f"{name} has {_wrong(reading.wrong)}",
            "mend or delete the line: a series whose UID is broken would be lost without a word",
        )
    if reading.wrong:
        raise ManifestError(
            f"{name} is no manifest: {_wrong(reading.wrong[:1])}", "a .tcia, a list of UIDs or a table is"
        )
    if not found:
        raise ManifestError(f"{name} holds no series", "look whether it is the right file, or was cut off")


def _wrong(lines: Sequence[Rejected]) -> str:
    shown = "; ".join(f"line {one.line}: {_short(one.text)!r}" for one in lines[:_SHOWN_LINES])
    more = f" and {len(lines) - _SHOWN_LINES} more" if len(lines) > _SHOWN_LINES else ""
    return f"a UID that is none, {shown}{more}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def unique(uids: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """Return each UID once, in order, and how many were there before."""
    listed = list(uids)
    kept = tuple(dict.fromkeys(listed))
    return kept, len(listed) - len(kept)
