"""The session steps: build, compare, archive, confirm. One study, when all of its series are in the prearchive."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tcia_xnat.errors import ArchiveConflict, XnatBusy, XnatError, XnatRefused, XnatUnreachable
from tcia_xnat.model import Label
from tcia_xnat.xnat.project import XnatProject

_POLL_SECONDS = 0.5, 10.0  # between two looks at a session that XNAT works on, first and last
_POLLS = 400  # about an hour: archiving a large session may outlast every proxy on the way
_COUNT_TRIES, _COUNT_SECONDS = 5, 1.0  # counts may be empty until XNAT has cleaned up behind itself (§10.4)
_REFUSED = {"CONFLICT", "ERROR"}
_WAY_OUT = (
    "the session waits in the prearchive: settle the cause in XNAT, then run the same command again; "
    "or archive it there by hand"
)


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of the session steps.

    Attributes
    ----------
    uri
        Where the archive has the session; empty when it is not archived.
    short
        SeriesInstanceUID → what is wrong with it, for series that XNAT does not hold as they were sent.
    """

    uri: str = ""
    short: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionSteps:
    """Build, compare, archive and confirm one session.

    Parameters
    ----------
    project
        Where the session is.
    url
        Its place in the prearchive.
    label
        Its names in the archive.
    sent
        SeriesInstanceUID → number of images that XNAT took.
    overwrite
        Replace what the archive has of these series.
    """

    project: XnatProject
    url: str
    label: Label
    sent: Mapping[str, int]
    overwrite: bool = False

    def run(self, *, archive: bool = True) -> Finished:
        """Take all steps, or stop before the archive when `archive` is False.

        Raises
        ------
        ArchiveConflict
            XNAT refuses; the session stays in the prearchive.
        XnatError
            See `refusal`.
        """
        if not self._build():
            return self._confirm()  # another run has archived it meanwhile
        if short := self._compare():
            return Finished(short=short)
        if not archive:
            return Finished()
        try:
            self.project.patience.call(self._archive)
        except ArchiveConflict as error:
            return self._settle(error)
        return self._confirm()

    def _build(self) -> bool:
        """Build the session; False when the prearchive no longer has it."""
        prearchive = self.project.prearchive
        self.project.patience.wait(0)  # nothing new once the run is to end
        try:
            self.project.patience.call(lambda: prearchive.build(self.url))
        except (XnatRefused, ArchiveConflict):
            if prearchive.status(self.url):
                raise
            return False
        return True

    def _compare(self) -> dict[str, str]:
        """Compare what the prearchive holds with what was sent, by SeriesInstanceUID: scan IDs may change (§7.7)."""
        prearchive = self.project.prearchive
        ours = {uid: scan_id for uid, scan_id in prearchive.scans(self.url).items() if uid in self.sent}
        return _short(self.sent, {uid: prearchive.image_count(self.url, scan_id) for uid, scan_id in ours.items()})

    def _archive(self) -> None:
        """Archive; after an answer that leaves it open, look before it is asked for again (§12.3)."""
        self.project.patience.wait(0)
        try:
            self.project.prearchive.archive(self.url, self.label, overwrite=self.overwrite)
        except (XnatBusy, XnatUnreachable, XnatRefused) as error:
            self.project.patience.outlast(error)
            if not self._has_left(error):
                raise

    def _has_left(self, error: XnatError) -> bool:
        """Wait until XNAT is through with the session; whether it left the prearchive."""
        prearchive, pause = self.project.prearchive, _POLL_SECONDS[0]
        for _ in range(_POLLS):
            status = prearchive.status(self.url)
            if not status:
                return True
            if status in _REFUSED and not isinstance(error, XnatBusy):
                raise ArchiveConflict(f"{error} ({prearchive.last_log(self.url) or status})", _WAY_OUT) from error
            if "ARCHIVING" not in status:
                return False
            self.project.patience.wait(pause)
            pause = min(2 * pause, _POLL_SECONDS[1])
        raise error

    def _settle(self, error: ArchiveConflict) -> Finished:
        """Drop our copy when the archive has all of it already; else the conflict stands (§16.13)."""
        finished = self._confirm()
        if finished.uri and not finished.short:
            self.project.prearchive.delete(self.url)
            return finished
        raise ArchiveConflict(str(error), error.hint or _WAY_OUT) from error

    def _confirm(self) -> Finished:
        """Read back from the archive that every series is there with all of its images (§16.16)."""
        uri = self.project.experiment_uri(self.label)
        experiment_id = self.project.experiment_id(uri)
        if not experiment_id:
            return Finished(short=dict.fromkeys(self.sent, "the archive does not have its session"))
        scans = self.project.scans(experiment_id)
        counts = self._counts(experiment_id, {scans[uid] for uid in self.sent if uid in scans})
        return Finished(uri, _short(self.sent, {uid: counts.get(scan, 0) for uid, scan in scans.items()}))

    def _counts(self, experiment_id: str, scan_ids: set[str]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for _ in range(_COUNT_TRIES):
            counts = self.project.image_counts(experiment_id)
            if scan_ids <= counts.keys():
                break
            self.project.refresh_counts(experiment_id)
            self.project.patience.wait(_COUNT_SECONDS)
        for scan_id in scan_ids - counts.keys():
            counts[scan_id] = self.project.file_count(experiment_id, scan_id)
        return counts


def _short(sent: Mapping[str, int], counts: Mapping[str, int | None]) -> dict[str, str]:
    """Return what is missing of each series; a count that XNAT does not tell proves nothing and is let pass."""
    short: dict[str, str] = {}
    for uid, expected in sent.items():
        count = counts.get(uid, 0)
        if count is not None and count < expected:
            short[uid] = f"XNAT holds {count} of the {expected} images that it took"
    return short
