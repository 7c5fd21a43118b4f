"""Lists in lines: .tcia, pipe lines of NBIA, s5cmd lists, bare UIDs (tcia-nbia-and-idc.md §1.1 to §1.5)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.model import Rejected
from tcia_xnat.core.uids import is_uid
from tcia_xnat.manifest.broken import no_uids, wrong_lines
from tcia_xnat.manifest.entries import folder_in, is_broken, is_identifier, is_old_image, words
from tcia_xnat.manifest.model import Level, Manifest, Reading

LIST_KEY = "listofseriestodownload"

_KEY = re.compile(r"([A-Za-z][A-Za-z0-9]*)\s*=(.*)", re.DOTALL)
_LIST = re.compile(rf"{LIST_KEY}\s*(?:[=:](.*))?", re.IGNORECASE | re.DOTALL)
_HEADINGS = {"seriesid", "seriesuid", "seriesinstanceuid"}  # pasted from a spreadsheet
_S5CMD_HEADING = "_manifest_cp_command"
_HEADINGS_HINT = "correct the line, or begin the list with a line of headings, such as PatientID,SeriesInstanceUID"
_PIPE_STUDY, _PIPE_SERIES = 2, 3  # fields of a pipe line (§1.2)


@dataclass(slots=True)
class _Reading:
    """What the lines have given so far."""

    name: str
    has_list: bool  # somewhere a line `ListOfSeriesToDownload=` ends a header
    in_list: bool = False
    uids: dict[str, None] = field(default_factory=dict)
    folders: dict[str, set[str]] = field(default_factory=dict)  # and which images are named, where single ones are
    whole: set[str] = field(default_factory=set)
    rows: list[tuple[str, ...]] = field(default_factory=list)
    lines: int = 0
    header: list[str] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    wrong: list[Rejected] = field(default_factory=list)
    duplicates: int = 0

    def add(self, uid: str) -> None:
        self.duplicates += uid in self.uids
        self.uids[uid] = None

    def pass_over(self, number: int, line: str, reason: str) -> None:
        self.rejected.append(Rejected(number, line, reason, self.name))


def parse_text(text: str, name: str) -> Manifest:
    """Read a list in lines.

    Raises
    ------
    ManifestError
        A line is no UID and nothing harmless, or the file holds no list: a broken line would lose its series unseen.
    """
    lines = re.split(r"\r\n|\n|\r", text)
    reading = _Reading(name, has_list=any(_key(line.strip())[0] == LIST_KEY for line in lines))
    for number, line in enumerate(lines, 1):
        _take(reading, number, line.strip())
    _refuse(reading)
    return Manifest(
        name,
        tuple(reading.uids),
        header=tuple(reading.header) if reading.has_list else (),
        rejected=tuple(reading.rejected),
        duplicates=reading.duplicates,
        crdc_series_uuids=tuple(reading.folders),
        images={folder: len(images) for folder, images in reading.folders.items() if folder not in reading.whole},
        readings=tuple(_readings(reading)),
    )


def _readings(reading: _Reading) -> Iterator[Reading]:
    if reading.uids:
        yield Reading(reading.name, Level.UID, tuple(reading.uids), reading.lines, rows=tuple(reading.rows))
    if reading.folders:
        yield Reading(reading.name, Level.FOLDER, tuple(reading.folders), len(reading.folders))


def _key(line: str) -> tuple[str, str]:
    """Return the key of a line in lower case, and its value; no key is empty."""
    if line[:1].isdigit():
        return "", ""  # most lines are UIDs
    if found := _LIST.fullmatch(line):
        return LIST_KEY, (found[1] or "").strip()
    found = _KEY.fullmatch(line)
    return (found[1].lower(), found[2].strip()) if found else ("", "")


def _take(reading: _Reading, number: int, line: str) -> None:
    if not line:
        return
    if is_uid(line):
        reading.lines += 1
        reading.add(line)
    elif _key(line)[0]:
        _take_key(reading, number, line)
    elif line.startswith("#"):
        reading.pass_over(number, line, "a comment")
    elif _is_heading(line):
        if reading.header or reading.uids:  # at the top it is what a column should have
            reading.pass_over(number, line, "a heading")
    elif reading.has_list and not reading.in_list:
        reading.header.append(line)
        reading.pass_over(number, line, "stands before the list")
    else:
        _take_entry(reading, number, line)


def _take_key(reading: _Reading, number: int, line: str) -> None:
    key, value = _key(line)
    reading.keys.setdefault(key, value)
    if reading.in_list:
        reading.pass_over(number, line, "a key within the list")
    else:
        reading.header.append(line if key != LIST_KEY else line[: len(LIST_KEY)] + "=")
    if key == LIST_KEY:
        reading.in_list = True
        for entry in filter(None, re.split(r"[,;\s]+", value)):
            _take_entry(reading, number, entry)


def _take_entry(reading: _Reading, number: int, line: str) -> None:
    folder, image = folder_in(line)
    if folder:
        reading.folders.setdefault(folder, set()).add(image)
        if not image:
            reading.whole.add(folder)
        return
    row = _row(line)
    uids = list(filter(None, row))
    if not uids:
        reading.wrong.append(Rejected(number, line, "no UID", reading.name))
        return
    reading.lines += 1
    if len(row) > 1:
        reading.rows.append(tuple(row))
    for uid in uids:
        reading.add(uid)


def _row(line: str) -> list[str]:
    """Return the fields of a line, empty where there is no UID: the fourth of NBIA's pipe fields is its only one.

    Labels and numbers beside UIDs name no series. What looks like a UID and is broken makes the line wrong, and so does
    a line of pipes that is not whole: what it names may be the study.
    """
    fields = [part.strip() for part in line.split("|")]
    if len(fields) > _PIPE_SERIES and is_uid(fields[_PIPE_STUDY]) and not is_uid(fields[0]):
        return [fields[_PIPE_SERIES]] if is_uid(fields[_PIPE_SERIES]) else []
    content = re.split(r"\s#", line, maxsplit=1)[0]
    named = words(content)
    if named and is_uid(named[0]) and all(map(is_identifier, named[1:])):
        return named
    if len(fields) > _PIPE_STUDY or any(map(is_broken, named)):
        return []
    first, *others = (words(part) for part in re.split(r"[,;\t|]", content))
    row = [part[0] if len(part) == 1 and is_identifier(part[0]) else "" for part in others]
    return [first[0] if len(first) == 1 and is_uid(first[0]) else "", *row]


def _is_heading(line: str) -> bool:
    return re.sub(r"[\s_\"',;]", "", line).lower() in _HEADINGS or line.lower().endswith(_S5CMD_HEADING)


def _refuse(reading: _Reading) -> None:
    name, keys = reading.name, reading.keys
    found = len(reading.uids) + len(reading.folders)
    version = keys.get("manifestversion", "")
    if not found and (version.startswith(("1", "2")) or ("databasketid" in keys and not reading.in_list)):
        raise ManifestError(
            f"{name} is a manifest of version {version or '1'}, which holds no list of series",
            "it names a basket on TCIA's server; have the manifest made anew there, or list the series yourself",
        )
    if single := next((one for one in reading.wrong if is_old_image(one.text)), None):
        raise ManifestError(
            f"{name}, line {single.line} names a single file of IDC as it was before version 14",
            "name the series by their UIDs, as query.py search writes them: IDC has folders of series since then",
        )
    if reading.wrong and (found or reading.in_list):
        raise wrong_lines(name, reading.wrong)
    if reading.wrong:
        has_uid = any(map(is_identifier, words(reading.wrong[0].text)))
        hint = _HEADINGS_HINT if has_uid else "name a .tcia, a list of UIDs or a table"
        raise ManifestError(f"{name} is no manifest: {no_uids(reading.wrong[:1])}", hint)
    if not found:
        raise ManifestError(
            f"{name} holds no series",
            "look whether it is the right file, or was cut off, and have the manifest made anew",
        )
