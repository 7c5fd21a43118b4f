"""What waits in the prearchive of a project, and which of it runs of this tool have left there."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from tcia_xnat.core.model import Label
from tcia_xnat.planning.held import Imported
from tcia_xnat.xnat.prearchive import Prearchive, PrearchiveSession


@dataclass(frozen=True, slots=True)
class Waiting:
    """The sessions that wait in the prearchive, as a plan sees them.

    Attributes
    ----------
    labels
        Labels of all of them.
    ours
        Those of the studies that this tool has made.
    foreign
        StudyInstanceUID → URL of those of the studies that it has not made.
    free
        URLs of those that no other run is at work at.
    left
        URLs of those that runs which are over have left, turns among them.
    """

    labels: tuple[Label, ...]
    ours: tuple[PrearchiveSession, ...]
    foreign: Mapping[str, str]
    free: frozenset[str]
    left: frozenset[str]

    @property
    def studies(self) -> frozenset[str]:
        """StudyInstanceUIDs of ours."""
        return frozenset(session.study_instance_uid for session in self.ours)

    def left_by_study(self) -> dict[str, tuple[str, ...]]:
        """Return the URLs of our sessions that no other run is at work at, by StudyInstanceUID."""
        urls: dict[str, tuple[str, ...]] = {}
        for session in self.ours:
            if session.url in self.free:
                urls[session.study_instance_uid] = (*urls.get(session.study_instance_uid, ()), session.url)
        return urls


def find_waiting(
    prearchive: Prearchive,
    studies: Collection[str],
    remembered: Iterable[Imported],
    is_alive: Callable[[str], bool],
    is_over: Callable[[str], bool],
) -> Waiting:
    """List the prearchive.

    Parameters
    ----------
    studies
        StudyInstanceUIDs of the catalogue.
    remembered
        What the ledger knows that XNAT took.
    is_alive, is_over
        As `look` has them.
    """
    listed = prearchive.with_turns()
    waiting = [one for one in listed if not one.is_turn]
    free = frozenset(one.url for one in waiting if not is_alive(one.mark))
    known = {entry.prearchive for entry in remembered}
    over = {one.url for one in listed if one.mark and is_over(one.mark)}
    of_studies = [one for one in waiting if one.study_instance_uid in studies]
    ours = tuple(one for one in of_studies if one.mark or one.url in known | over)
    return Waiting(
        labels=tuple(one.label for one in waiting),
        ours=ours,
        foreign={one.study_instance_uid: one.url for one in of_studies if one not in ours},
        free=free,
        left=(free & known) | over,
    )
