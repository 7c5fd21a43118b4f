"""The session steps: build, compare, archive, confirm. One study, when all of its series are in the prearchive."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from tcia_xnat.core.errors import ArchiveConflict, XnatBusy, XnatError, XnatRefused, XnatUnreachable
from tcia_xnat.core.model import Label
from tcia_xnat.destinations.xnat import provenance
from tcia_xnat.destinations.xnat.confirm import Finished, confirm
from tcia_xnat.destinations.xnat.leftovers import holds_no_more, is_archived
from tcia_xnat.destinations.xnat.shipment import Shipment
from tcia_xnat.planning import left_out
from tcia_xnat.planning.archive_note import ArchiveNote, read_note
from tcia_xnat.planning.completeness import Holding, Judgement, Wanted, judge, shortages
from tcia_xnat.planning.pairing import Scan, SentSeries, pair
from tcia_xnat.planning.unwanted import HINT as UNWANTED_HINT
from tcia_xnat.planning.unwanted import find_unwanted
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
class _Built:
    """A built session: what it lacks, and what each series is recognized by in the archive."""

    lacking: Mapping[str, Judgement]
    numbers: Mapping[str, SentSeries]


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
    study
        PatientID and StudyInstanceUID as they were published, for the provenance; None keeps none.
    may_change_uids
        Whether scripts of XNAT may change UIDs, so that scans are also recognized by number and count.
    listed
        Tells the number of images that the catalogue lists, for series that others have put into the session.
    unwanted
        SeriesInstanceUIDs of which an option of this run leaves out all images, or some.
    overwrite
        Replace what the archive has of these series.
    at_step
        Told each step as it begins: build, archive, confirm.
    """

    project: XnatProject
    urls: Sequence[str]
    label: Label
    sent: Mapping[str, Shipment]
    listed: Listed = lambda _uids: {}
    unwanted: frozenset[str] = frozenset()
    overwrite: bool = False
    study: tuple[str, str] | None = None
    may_change_uids: bool = False
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
        built = self._built_and_compared()
        if built.lacking:
            archived = self._confirm()  # another run may have archived them meanwhile
            if archived.is_whole:
                return self._tidied(archived)
            if short := {uid: judged for uid, judged in built.lacking.items() if uid in archived.short}:
                return Finished(short=short)
        return self._archived(built.numbers) if archive else Finished()

    def tidy(self) -> None:
        """Drop what lies in the prearchive and is whole in the archive; nothing else."""
        for url in self.urls:
            if self._built(url) and is_archived(self.project, url, self.label):
                self.project.prearchive.delete(url)

    def _drop_rejected(self) -> None:
        """Drop a session of which nothing will ever be archived, and copies that hold nothing else."""
        for url in self.urls[1:]:
            if self._built(url) and holds_no_more(self.project, url, self._url):
                self.project.prearchive.delete(url)
        self.project.prearchive.delete(self._url)

    @property
    def _url(self) -> str:
        return self.urls[0]

    def _archived(self, numbers: Mapping[str, SentSeries]) -> Finished:
        self.at_step("archive")
        there = self._experiment_before() if self.may_change_uids else ""
        before = self.project.scans(there).keys() if there else ()
        note = self._note(there)
        try:
            self.project.patience.call(lambda: self._archive(note))
        except ArchiveConflict as error:
            finished = self._confirm(numbers, before)
            if finished.is_whole:
                return self._tidied(finished)  # the archive has all of it already (xnat-http.md §16.13)
            if left_out.is_rejection(str(error), self.project.scripts):
                self._drop_rejected()
                return finished
            raise ArchiveConflict(str(error), error.hint or _WAY_OUT) from error
        self.at_step("confirm")  # from here on the session is no longer in the prearchive
        return self._tidied(self._recorded(self._confirm(numbers, before)))

    def _experiment_before(self) -> str:
        """Return the ID of the session that the archive has under this label before anything is added, if any."""
        return self.project.experiment_id(self.project.experiment_uri(self.label))

    def _note(self, experiment_id: str) -> str:
        """Return the note by which the session is recognized until its provenance is kept; empty leaves what is there.

        Nobody needs it where UIDs stay. A note of people is not replaced.
        """
        if self.study is None or not self.may_change_uids:
            return ""
        there = self.project.note(experiment_id) if experiment_id else ""
        before = read_note(there)
        if there and before is None:
            return ""
        new = ArchiveNote(*self.study, frozenset(one.mark(uid) for uid, one in self.sent.items()))
        return new.and_also(before).text

    def _recorded(self, finished: Finished) -> Finished:
        """Keep the provenance of what is archived; say so when that fails."""
        if self.study is None or not finished.scans:
            return finished
        why_not = provenance.keep(self.project, self.study, self.label, self.sent, finished)
        return replace(finished, notes=(*finished.notes, why_not)) if why_not else finished

    def _built_and_compared(self) -> "_Built":
        """Build the session and compare it with what was sent (§13.7)."""
        self.at_step("build")
        wanted = {uid: one.wanted for uid, one in self.sent.items()}
        try:
            self.project.patience.call(lambda: self.project.prearchive.build(self._url))
            scans = self._scans(self._url)
            pairs = pair(self._numbers, scans) if self.may_change_uids else {uid: uid for uid in wanted if uid in scans}
            self._refuse_fragments({uid: scan for uid, scan in scans.items() if uid not in pairs.values()})
            self._refuse_unwanted(scans, pairs)
        except (XnatBusy, XnatRefused, XnatUnreachable, ArchiveConflict) as error:
            if not self._has_left(error):
                raise
            return _Built(shortages(wanted, {}), self._numbers)
        short = shortages(wanted, {uid: Holding(scans[scan].count) for uid, scan in pairs.items()})
        numbers = {uid: replace(self._numbers[uid], number=scans[scan].scan_id) for uid, scan in pairs.items()}
        # a renamed scan has no page that counts it (§7.4): the archive tells
        return _Built({uid: one for uid, one in short.items() if one.is_short}, {**self._numbers, **numbers})

    @property
    def _numbers(self) -> dict[str, SentSeries]:
        return {uid: one.as_sent for uid, one in self.sent.items()}

    def _refuse_fragments(self, others: Mapping[str, Scan]) -> None:
        """Refuse to archive what lies in the same session and is not whole: the rest of a broken upload.

        Raises
        ------
        ArchiveConflict
        """
        for uid, count in (self.listed(list(others)) if others else {}).items():
            judged = judge(Wanted(count), Holding(others[uid].count))
            if judged.is_short:
                raise ArchiveConflict(
                    f"its session also holds {judged}, of series {uid} that this run did not send",
                    "run the manifest that has this series, or delete its scan in the prearchive; then run this again",
                )

    def _refuse_unwanted(self, scans: Mapping[str, Scan], pairs: Mapping[str, str]) -> None:
        """Refuse to archive what an earlier run has put into the session and an option of this one leaves out.

        Raises
        ------
        ArchiveConflict
        """
        counts = {uid: one.as_sent.count for uid, one in self.sent.items()}
        if uid := find_unwanted(scans, pairs, counts, self.unwanted):
            raise ArchiveConflict(
                f"its session {self._url} also holds images of series {uid}, from an earlier run, that an option of"
                " this run leaves out",
                UNWANTED_HINT,
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

    def _scans(self, url: str) -> dict[str, Scan]:
        """Count the images of a built session by SeriesInstanceUID: scan IDs may change (§7.7)."""
        prearchive = self.project.prearchive
        return {uid: Scan(scan, prearchive.image_count(url, scan)) for uid, scan in prearchive.scans(url).items()}

    def _archive(self, note: str) -> None:
        """Archive; after an answer that leaves it open, look before it is asked for again (§12.3)."""
        self.project.patience.wait(0)
        try:
            self.project.prearchive.archive(self._url, self.label, overwrite=self.overwrite, note=note)
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

    def _confirm(self, numbers: Mapping[str, SentSeries] | None = None, before: Collection[str] = ()) -> Finished:
        wanted = {uid: one.wanted for uid, one in self.sent.items()}
        return confirm(self.project, self.label, wanted, numbers if self.may_change_uids else None, before)

    def _tidied(self, finished: Finished) -> Finished:
        self.tidy()
        return finished
