"""How a tree names its subjects and sessions."""

from collections.abc import Sequence
from enum import StrEnum

from tcia_xnat.core.model import Label
from tcia_xnat.core.uids import is_uid
from tcia_xnat.sources.local.model import Spot

ABOVE = 2  # folders that name subject and session
_LABEL, _LEAST = 64, 8  # letters of a label (xnat-http.md §6.2), and of the subject in it
_LAST_FIGURES = 5  # of a UID, at the end of a folder's name as the NBIA Data Retriever makes it
_DOWNLOADED = "img.zip"  # as downloaders call the zip of a series


class Layout(StrEnum):
    """Where the names of subjects and sessions come from."""

    FOLDERS = "folders"  # ROOT/subject/session/…: the folders; session 007_pre for 007/pre
    ZIPS = "zips"  # ROOT/…/<SeriesInstanceUID>/img.zip, as downloaders leave them: the headers
    HEADERS = "headers"  # any tree: the headers, PatientID and StudyInstanceUID
    MAPPING = "mapping"  # a CSV of path, subject, session


def downloaded_series(path: str) -> str:
    """Return the SeriesInstanceUID that `…/<SeriesInstanceUID>/img.zip` is said to hold; empty for other paths."""
    parts = path.split("/")
    named = len(parts) >= ABOVE and parts[-1].lower() == _DOWNLOADED and is_uid(parts[-2])
    return parts[-2] if named else ""


def folder_label(parts: Sequence[str]) -> Label | None:
    """Return the names that `subject/session/…/file` asks for; None for a file that lies above the session folders."""
    if len(parts) <= ABOVE:
        return None
    subject, session = parts[:ABOVE]
    if session.lower().startswith(f"{subject.lower()}_"):
        return Label(subject, session)
    kept = max(
        _LABEL - len(session) - 1, _LEAST
    )  # what is cut of a long name is the subject's part, which stands beside it
    return Label(subject, f"{subject[:kept]}_{session}")


def below_session(layout: Layout, parts: Sequence[str]) -> Sequence[str]:
    """Return the folders below the session, or below the root where folders name no sessions."""
    return parts[ABOVE:-1] if layout is Layout.FOLDERS else parts[:-1]


def is_named_by_uid(spot: Spot) -> bool:
    """Whether a folder is named after the study or series of what is inside."""
    parts = spot.folder.split("/")
    return (
        any(spot.study_instance_uid in part for part in parts)
        or any(spot.series_instance_uid in part for part in parts[:ABOVE])
        or any(part.endswith(f"-{spot.study_instance_uid[-_LAST_FIGURES:]}") for part in parts)
    )


def is_below_its_patient(spot: Spot) -> bool:
    """Whether images lie in `collection/PatientID/…`."""
    first, second, *_ = spot.folder.split("/")
    return second == spot.patient_id != first
