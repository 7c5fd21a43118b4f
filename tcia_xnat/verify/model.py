"""What a comparison finds: one row for each series, and for each file that belongs to none."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Sign(StrEnum):
    """What a row says, as rclone's `check --combined` says it."""

    SAME = "="
    MISSING = "-"
    EXTRA = "+"
    DIFFERS = "*"
    STRANGER = "@"  # under the subject of another patient; whatever else differs comes behind it
    ERROR = "!"


@dataclass(frozen=True, slots=True)
class Row:
    """One series, or one file that belongs to none.

    Attributes
    ----------
    expected
        Number of images that the series should have; None when it was not asked for.
    found
        Number of images that are there.
    where
        Folder below the output folder, or session of XNAT; of a stray file its path.
    reasons
        What is wrong, a sentence each; with `SAME`, what could not be compared.
    """

    sign: Sign
    series_instance_uid: str = ""
    study_instance_uid: str = ""
    patient_id: str = ""
    expected: int | None = None
    found: int = 0
    where: str = ""
    reasons: tuple[str, ...] = ()

    @property
    def is_disproved(self) -> bool:
        """Whether a series that was asked for is known not to be there as it should be."""
        return bool(self.series_instance_uid) and self.sign in {Sign.MISSING, Sign.DIFFERS, Sign.STRANGER}


def is_right(rows: Sequence[Row], *, one_way: bool = False) -> bool:
    """Whether nothing differs; with `one_way`, what is there beyond what was asked for does not count."""
    fine = {Sign.SAME, Sign.EXTRA} if one_way else {Sign.SAME}
    return all(row.sign in fine for row in rows)
