"""The session steps: build, compare, archive, confirm. One study, when all of its series are in the prearchive."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tcia_xnat.confirm import Finished, confirm
from tcia_xnat.errors import ArchiveConflict, XnatBusy, XnatError, XnatRefused, XnatUnreachable
from tcia_xnat.model import Label
from tcia_xnat.planning.completeness import Holding, Judgement, Wanted, judge, shortages
from tcia_xnat.xnat.project import XnatProject

_POLL_SECONDS = 0.5, 10.0  # between two looks at a session that XNAT works on, first and last
_POLLS = 400  # about an hour: archiving a large session may outlast every proxy on the way
_REFUSED = {"CONFLICT", "ERROR"}
_WAY_OUT = (
    "the session waits in the prearchive: settle the cause in XNAT, then run the same command again; "
    "or archive it there by hand"
)


Listed = Callable[[Sequence[str]], Mapping[str, int]]
"""SeriesInstanceUIDs → number of images of each, as far as it is known."""


@dataclass(frozen=True, slots=True)
class SessionSteps:
    """Build, compare, archive and confirm one session; leave no copy of it in the prearchive.

    Parameters
    ----------
    project
        Where the session is.
    urls
        Its places in the prearchive, that of the last import first: there are others when another run has archived
        the session while series were still on their way, or was killed before it could tidy up.
    label
        Its names in the archive.
    sent
        SeriesInstanceUID → the images that XNAT took.
    listed
        Tells the number of images that the catalogue lists, for series that others have put into the session.
    overwrite
        Replace what the archive has of these series.
    at_step
        Told each step as it begins: build, archive, confirm.
    """

    project: XnatProject
    urls: Sequence[str]
    label: Label
    sent: Mapping[str, Wanted]
    listed: Listed = lambda _uids: {}
    overwrite: bool = False
    at_step: Callable[[str], None] = lambda _step: None

    def run(self, *, archive: bool = True) -> Finished:
        """Take all steps, or stop before the archive when `archive` is False.

        Raises
        ------
        ArchiveConflict
            XNAT refuses; the session stays in the prearchive.
        XnatError
            See `refusal`.
        """
        self.project.patience.wait(0)  # nothing new once the run is to end
        if lacking := self._lacking_in_prearchive():
            archived = self._confirm()  # another run may have archived them meanwhile
            short = {uid: why for uid, why in lacking.items() if uid in archived.short}
            if short or archived.is_whole:
                return self._tidied(Finished(archived.uri if archived.is_whole else "", short))
        return self._archived() if archive else Finished()

    def tidy(self) -> None:
        """Drop what lies in the prearchive and is whole in the archive; nothing else."""
        for url in self.urls:
            if self._built(url):
                counts = self._counts(url)
                wanted = {uid: Wanted(held.count) for uid, held in counts.items() if held.count is not None}
                if counts and len(wanted) == len(counts) and confirm(self.project, self.label, wanted).is_whole:
                    self.project.prearchive.delete(url)

    @property
    def _url(self) -> str:
        return self.urls[0]

    def _archived(self) -> Finished:
        self.at_step("archive")
        try:
            self.project.patience.call(self._archive)
        except ArchiveConflict as error:
            finished = self._confirm()
            if not finished.is_whole:
                raise ArchiveConflict(str(error), error.hint or _WAY_OUT) from error
            return self._tidied(finished)  # the archive has all of it already (§16.13)
        return self._tidied(self._confirm())

    def _lacking_in_prearchive(self) -> Mapping[str, Judgement]:
        """Build the session and compare it with what was sent (§13.7)."""
        self.at_step("build")
        try:
            self.project.patience.call(lambda: self.project.prearchive.build(self._url))
            counts = self._counts(self._url)
            self._refuse_fragments(counts)
            # a renamed scan has no page that counts it (§7.4): the archive tells
            return {uid: one for uid, one in shortages(self.sent, counts).items() if one.is_short}
        except (XnatBusy, XnatRefused, XnatUnreachable, ArchiveConflict) as error:
            if not self._has_left(error):
                raise
            return shortages(self.sent, {})

    def _refuse_fragments(self, counts: Mapping[str, Holding]) -> None:
        """Refuse to archive what lies in the same session and is not whole: the rest of a broken upload.

        Raises
        ------
        ArchiveConflict
        """
        others = [uid for uid in counts if uid not in self.sent]
        for uid, count in (self.listed(others) if others else {}).items():
            judged = judge(Wanted(count), counts[uid])
            if judged.is_short:
                raise ArchiveConflict(
                    f"its session also holds {judged}, of series {uid} that this run did not send",
                    "run the manifest that has this series, or delete its scan in the prearchive; then run this again",
                )

    def _built(self, url: str) -> bool:
        """Build a session that may be gone, or in use: then it is not built."""
        prearchive = self.project.prearchive
        try:
            if prearchive.status(url):
                prearchive.build(url)
                return True
        except (XnatBusy, XnatRefused, ArchiveConflict):
            return False
        return False

    def _counts(self, url: str) -> dict[str, Holding]:
        """Count the images of a built session by SeriesInstanceUID: scan IDs may change (§7.7)."""
        prearchive = self.project.prearchive
        return {uid: Holding(prearchive.image_count(url, scan)) for uid, scan in prearchive.scans(url).items()}

    def _archive(self) -> None:
        """Archive; after an answer that leaves it open, look before it is asked for again (§12.3)."""
        self.project.patience.wait(0)
        try:
            self.project.prearchive.archive(self._url, self.label, overwrite=self.overwrite)
        except (XnatBusy, XnatUnreachable, XnatRefused) as error:
            self.project.patience.outlast(error)
            if not self._has_left(error):
                raise

    def _has_left(self, error: XnatError) -> bool:
        """Wait until XNAT is through with the session; whether it left the prearchive."""
        prearchive, pause = self.project.prearchive, _POLL_SECONDS[0]
        for _ in range(_POLLS):
            status = prearchive.status(self._url)
            if not status:
                return True
            if status in _REFUSED and not isinstance(error, XnatBusy):
                raise ArchiveConflict(f"{error} ({prearchive.last_log(self._url) or status})", _WAY_OUT) from error
            if "ARCHIVING" not in status:
                return False
            self.project.patience.wait(pause)
            pause = min(2 * pause, _POLL_SECONDS[1])
        raise error

    def _confirm(self) -> Finished:
        self.at_step("confirm")
        return confirm(self.project, self.label, self.sent)

    def _tidied(self, finished: Finished) -> Finished:
        if finished.is_whole:
            self.tidy()
        return finished
