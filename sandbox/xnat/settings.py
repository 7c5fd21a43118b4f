"""The knobs of the server: site preferences of XNAT, and what tests need to reach rare states without waiting."""

import re
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sandbox.xnat.dicom import Header

_ID_DAS = """version "6.1"
project != "Unassigned" ? (0008,1030) := project
(0010,0010) := subject
(0010,0020) := session
"""  # xnat-http.md §11.1
_FILE_NAME_TEMPLATE = "${StudyInstanceUID}-${SeriesNumber}-${InstanceNumber}-${HashSOPClassUIDWithSOPInstanceUID}"
_FIRST_WITH_DEST = (1, 8, 10)


class Clock:
    """The server's time: real time plus what `advance` added, so that nothing has to sleep."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead += seconds

    def date(self) -> datetime:
        """Return the date and time in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)


class Breakpoints:
    """Places where the server waits until a test lets it go on.

    `build` and `archive` are passed while the prearchive row is locked, `import` before each object is stored, `queue`
    while an idle session, or one of several to archive, waits for its turn.
    """

    def __init__(self) -> None:
        self._gates: dict[str, tuple[threading.Event, threading.Event]] = {}

    def close(self, step: str) -> threading.Event:
        """Make everything that comes to `step` wait; the event returned tells that something has come."""
        arrived, opened = threading.Event(), threading.Event()
        self._gates[step] = (arrived, opened)
        return arrived

    def open(self, step: str) -> None:
        """Let everything that waits at `step` go on."""
        if gate := self._gates.pop(step, None):
            gate[1].set()

    def open_all(self) -> None:
        """Let everything go on."""
        for step in list(self._gates):
            self.open(step)

    def wait(self, step: str) -> None:
        """Wait here while `step` is closed."""
        if gate := self._gates.get(step):
            gate[0].set()
            gate[1].wait()


@dataclass
class Settings:
    """Site preferences under XNAT's own names; they may be changed while the server runs.

    Attributes
    ----------
    version
        Before 1.8.10 the importer knows no `dest`, `action` and `project` (xnat-http.md §0.1).
    site_url
        Where redirects point to; the server's own address when empty.
    session_timeout, alias_token_timeout, session_archive_timeout, session_xml_rebuilder_repeat
        In seconds; the last two in real time, the others on `clock`.
    session_xml_rebuilder_interval
        Minutes of silence after which a session is built and perhaps archived (§7.3).
    default_prearchive_code
        Of new projects: 0 manual, 4 auto-archive, 5 auto-archive and overwrite (§3.6).
    dicom_file_name_template
        Names files of imports with `rename=true`; one that does not tell instances apart loses images (§5.9).
    series_import_filter
        Says which objects to keep; None keeps all (§5.9).
    sitewide_anonymization_script
        Runs on every object that is imported, while it is enabled; DicomEdit 6 as `dicomedit` knows it (§11.1).
    sitewide_series_import_filter
        What is told of it; it has no effect of its own.
    secondary_sop_classes
        SOP classes whose images are in the resource `secondary` of their scan, not in `DICOM` (§10.3).
    session_types
        Data types of sessions that the site has set up: only administrators archive others. None is all (§11.4).
    anonymization_error
        What the site's anonymisation script fails with, whatever it says; empty when it works (§11.2).
    open_workflow
        Pipelines or containers are said to work on every archived session (§8.3).
    populate_stats
        Whether file counts are there as soon as a session is archived (§10.4).
    refresh_refusal
        Status with which services/refresh/catalog refuses; 0 when it works.
    archive_seconds
        How long archiving one session takes at least, while its row is locked.
    rolls_back_to_cache
        A failed archiving moves the session's folder to the cache; its row stays (§7.8).
    clock, breakpoints
        Time, and places to wait at.
    """

    version: str = "1.8.10.1"
    site_id: str = "XNAT"
    site_url: str = ""
    processing_url: str = ""
    context_path: str = ""
    initialized: bool = True
    require_login: bool = True
    allow_insecure_cookies: bool = False
    session_timeout: float = 15 * 60
    concurrent_max_sessions: int = 1000
    max_failed_logins: int = 20
    alias_token_timeout: float = 2 * 24 * 3600
    ui_allow_non_admin_project_creation: bool = True
    default_prearchive_code: int = 4
    project_allow_auto_archive: bool = True
    ui_default_compressed_uploader_importer: str = "DICOM-zip"
    enable_sitewide_anonymization_script: bool = True
    sitewide_anonymization_script: str = _ID_DAS
    anonymization_error: str = ""
    dicom_file_name_template: str = _FILE_NAME_TEMPLATE
    series_import_filter: Callable[[Header], bool] | None = None
    sitewide_series_import_filter: str = ""
    secondary_sop_classes: Collection[str] = ()
    session_types: Collection[str] | None = None
    prevent_cross_modality_merge: bool = True
    session_xml_rebuilder_interval: int = 5
    session_xml_rebuilder_repeat: float = 60
    session_archive_timeout: float = 600
    checksums: bool = True
    populate_stats: bool = True
    refresh_refusal: int = 0
    open_workflow: bool = False
    reads_small_zip64_descriptors: bool = False
    archive_seconds: float = 0
    rolls_back_to_cache: bool = False
    clock: Clock = field(default_factory=Clock)
    breakpoints: Breakpoints = field(default_factory=Breakpoints)

    @property
    def importer_knows_dest(self) -> bool:
        """Whether DICOM-zip reads `dest`, `action`, `project`, `subject` and `session` (§0.1)."""
        numbers = [int(part) for part in re.findall(r"\d+", self.version.partition("-")[0])]
        return tuple(numbers) >= _FIRST_WITH_DEST

    @property
    def default_handler(self) -> str:
        """The importer of a request that names none (§0.1)."""
        if not self.importer_knows_dest:
            return "SI"
        return "DICOM-zip" if self.ui_default_compressed_uploader_importer == "DICOM-zip" else "SI"
