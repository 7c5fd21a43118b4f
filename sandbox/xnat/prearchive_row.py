"""One session of the prearchive: its fields, its statuses, and how a listing shows it (xnat-http.md §7)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.xnat.store import UNASSIGNED

RECEIVING, INTERRUPT, BUILDING, READY = "RECEIVING", "RECEIVING_INTERRUPT", "BUILDING", "READY"
CONFLICT, ERROR, ARCHIVING, DELETING, MOVING = "CONFLICT", "ERROR", "ARCHIVING", "DELETING", "MOVING"
QUEUED_BUILDING, QUEUED_ARCHIVING = "QUEUED_BUILDING", "QUEUED_ARCHIVING"
AUTO_ARCHIVE_CODES = {0: "Manual", 4: "AutoArchive", 5: "AutoArchiveOverwrite"}
AUTO_ARCHIVE, OVERWRITE = 4, 5


@dataclass(frozen=True, slots=True)
class Row:
    """One session of the prearchive; an empty project is Unassigned."""

    id: int
    project: str
    timestamp: str
    folder: str
    name: str
    tag: str
    subject: str
    status: str
    lastmod: float
    uploaded: float
    scan_date: str
    scan_time: str
    autoarchive: str
    prevent_anon: int
    prevent_auto_commit: int
    source: str
    visit: str
    direct: int

    @property
    def uri(self) -> str:
        """Where the session is found, without /data."""
        return f"/prearchive/projects/{self.project or UNASSIGNED}/{self.timestamp}/{self.folder}"

    @property
    def is_locked(self) -> bool:
        """Whether something works on it (§7.2)."""
        return self.status.startswith("_")

    @property
    def is_auto_archive(self) -> bool:
        """Whether XNAT archives it by itself."""
        return self.autoarchive.startswith("Auto")

    @property
    def overwrites(self) -> bool:
        """Whether XNAT overwrites files when it does (§3.6)."""
        return self.autoarchive == AUTO_ARCHIVE_CODES[OVERWRITE]


@dataclass(frozen=True, slots=True)
class Incoming:
    """What an object says of its session; the flags count only when the row is made for it (§7.3)."""

    project: str
    tag: str
    name: str
    subject: str
    scan_date: str = ""
    prevent_anon: bool = False
    prevent_auto_commit: bool = False
    source: str = ""
    visit: str = ""
    auto_archive: bool = False
    timestamp: str = ""
    folder: str = ""


def listed(row: Row) -> dict[str, Any]:
    """Return the 19 fields of a row in a listing (§7.4)."""
    return {
        "project": row.project or UNASSIGNED,
        "timestamp": row.timestamp,
        "lastmod": _date(row.lastmod),
        "uploaded": _date(row.uploaded),
        "scan_date": f"{row.scan_date} 00:00:00.0" if row.scan_date else "",
        "scan_time": row.scan_time,
        "subject": row.subject,
        "folderName": row.folder,
        "name": row.name,
        "tag": row.tag,
        "status": row.status,
        "url": row.uri,
        "autoarchive": row.autoarchive,
        "prevent_anon": str(bool(row.prevent_anon)).lower(),
        "prevent_auto_commit": str(bool(row.prevent_auto_commit)).lower(),
        "SOURCE": row.source,
        "VISIT": row.visit,
        "PROTOCOL": "",
        "TIMEZONE": "",
    }


def _date(seconds: float) -> str:
    date = datetime.fromtimestamp(seconds, UTC)
    return f"{date:%Y-%m-%d %H:%M:%S}.{date.microsecond // 1000:03}"
