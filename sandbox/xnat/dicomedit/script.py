"""A DicomEdit script that was read, and the objects that it runs on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pydicom.dataset import Dataset


class Rejected(Exception):
    """The script has said `reject`."""


@dataclass(slots=True)
class Run:
    """One object that a script runs on."""

    dataset: Dataset
    variables: dict[str, str]


Value = Callable[[Run], str | None]
Action = Callable[[Run], object]


@dataclass(frozen=True, slots=True)
class Script:
    """A script that was read.

    Attributes
    ----------
    last_tag
        The highest tag that it reads or changes.
    """

    actions: tuple[Action, ...]
    last_tag: int

    def accepts(self, dataset: Dataset, variables: Mapping[str, str]) -> bool:
        """Change an object as the script says; whether it is kept.

        Parameters
        ----------
        variables
            `project`, `subject` and `session`.

        Raises
        ------
        ScriptError
        """
        run = Run(dataset, dict(variables))
        try:
            do(self.actions, run)
        except Rejected:
            return False
        return True


def do(actions: Iterable[Action], run: Run) -> None:
    """Do one action after the other."""
    for action in actions:
        action(run)


def choose(holds: bool, positive: Action, negative: Action | None, run: Run) -> None:  # noqa: FBT001  what was found
    """Do what belongs to a condition that holds, or to one that does not."""
    if holds:
        positive(run)
    elif negative:
        negative(run)


def reject(_run: Run) -> None:
    """Say that the object is not kept."""
    raise Rejected
