"""Whether a series is there: the one place that decides between complete, incomplete, absent and unknown.

Sets of SOPInstanceUIDs decide where both are known. A count decides alone only for "no", or where no set is known:
equal numbers are not equal images. What nobody has counted is unknown, and unknown is never complete.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How much of a series is there."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a series is to have.

    Attributes
    ----------
    count
        Number of images; 0 when nobody says.
    images
        Their SOPInstanceUIDs, as they were published; None when they are not known.
    """

    count: int
    images: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """What a place holds of a series.

    Attributes
    ----------
    count
        Number of images; None when nobody has counted them.
    images
        Their SOPInstanceUIDs, as they were published; None when they are not known.
    is_proved
        A record says that these are all images of the series: they were compared when they were stored.
    """

    count: int | None
    images: frozenset[str] | None = None
    is_proved: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """A state and the numbers behind it: `held` of `wanted` images, None where a number is not known."""

    state: State
    held: int | None
    wanted: int | None

    @property
    def is_complete(self) -> bool:
        """Whether all images are there."""
        return self.state is State.COMPLETE

    @property
    def is_short(self) -> bool:
        """Whether images are known to be missing."""
        return self.state in {State.ABSENT, State.INCOMPLETE}

    def __str__(self) -> str:
        """Return the judgement as part of a sentence, after "XNAT holds"."""
        if self.wanted is None:
            return "a series of which nobody says how many images it has"
        if self.held is None:
            return f"an unknown part of its {self.wanted} images: XNAT does not tell how many"
        return f"{self.held} of its {self.wanted} images"


def judge(wanted: Wanted, held: Holding | None) -> Judgement:
    """Compare what is held of a series with what is wanted.

    Parameters
    ----------
    held
        None when the place does not know the series.
    """
    if held is None:
        return Judgement(State.ABSENT, 0, wanted.count or None)
    if held.is_proved:
        return Judgement(State.COMPLETE, held.count, wanted.count or held.count)
    if held.count is None:
        return Judgement(State.UNKNOWN, None, wanted.count or None)
    if held.count == 0 or held.count < wanted.count:
        return Judgement(State.INCOMPLETE if held.count else State.ABSENT, held.count, wanted.count or None)
    if wanted.images is not None and held.images is not None and (lacking := wanted.images - held.images):
        return Judgement(State.INCOMPLETE, len(wanted.images) - len(lacking), len(wanted.images))
    return Judgement(State.COMPLETE if wanted.count else State.UNKNOWN, held.count, wanted.count or None)


def shortages(wanted: Mapping[str, Wanted], held: Mapping[str, Holding]) -> dict[str, Judgement]:
    """Return the judgement of every series that is not complete, by SeriesInstanceUID."""
    judged = {uid: judge(one, held.get(uid)) for uid, one in wanted.items()}
    return {uid: one for uid, one in judged.items() if not one.is_complete}


def compared(wanted: Wanted, held: Holding) -> Holding:
    """Return what is held of the images that are wanted, as a number: no set needs to be kept for later.

    Where one of the sets is not known, the number of images stays as it was counted.
    """
    if wanted.images is None or held.images is None:
        return Holding(held.count, is_proved=held.is_proved)
    return Holding(len(wanted.images & held.images))
