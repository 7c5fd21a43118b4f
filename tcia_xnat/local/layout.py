"""How a tree names its subjects and sessions, and how that is seen by looking at it."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from tcia_xnat.core.uids import is_uid
from tcia_xnat.local.model import Spot
from tcia_xnat.model import Label

_ABOVE = 2  # folders that name subject and session
_LAST_FIGURES = 5  # of a UID, at the end of a folder's name as the NBIA Data Retriever makes it
_DOWNLOADED = "img.zip"  # as downloaders call the zip of a series


class Layout(StrEnum):
    """Where the names of subjects and sessions come from."""

    FOLDERS = "folders"  # ROOT/subject/session/…: the folders; session 007_pre for 007/pre
    ZIPS = "zips"  # ROOT/…/<SeriesInstanceUID>/img.zip, as downloaders leave them: the headers
    HEADERS = "headers"  # any tree: the headers, PatientID and StudyInstanceUID
    MAPPING = "mapping"  # a CSV of path, subject, session


def recognise(spots: Iterable[Spot], zips: Sequence[str]) -> Layout:
    """Return the layout of a tree.

    Folders name subjects and sessions when all images lie below two of them, and no folder is named after what is
    inside: after a study, or as `collection/PatientID/…`. Trees that downloaders make are such.

    Parameters
    ----------
    spots
        Where images lie, their folders relative to the root.
    zips
        Paths of all zips, relative to the root.
    """
    if any(downloaded_series(path) for path in zips):
        return Layout.ZIPS
    places = list(spots)
    folders = [spot.folder.split("/") for spot in places] or [path.split("/")[:-1] for path in zips]
    if not folders or any(len(parts) < _ABOVE for parts in folders):
        return Layout.HEADERS
    if any(map(_is_named_by_uid, places)) or (places and all(map(_is_below_its_patient, places))):
        return Layout.HEADERS
    return Layout.FOLDERS


def downloaded_series(path: str) -> str:
    """Return the SeriesInstanceUID that `…/<SeriesInstanceUID>/img.zip` is said to hold; empty for other paths."""
    parts = path.split("/")
    named = len(parts) >= _ABOVE and parts[-1].lower() == _DOWNLOADED and is_uid(parts[-2])
    return parts[-2] if named else ""


def folder_label(parts: Sequence[str]) -> Label | None:
    """Return the names that `subject/session/…/file` asks for; None for a file that lies above the session folders."""
    if len(parts) <= _ABOVE:
        return None
    subject, session = parts[:_ABOVE]
    is_named_so = session.lower().startswith(f"{subject.lower()}_")
    return Label(subject, session if is_named_so else f"{subject}_{session}")


def below_session(layout: Layout, parts: Sequence[str]) -> Sequence[str]:
    """Return the folders below the session, or below the root where folders name no sessions."""
    return parts[_ABOVE:-1] if layout is Layout.FOLDERS else parts[:-1]


def _is_named_by_uid(spot: Spot) -> bool:
    parts = spot.folder.split("/")
    return (
        any(spot.study_instance_uid in part for part in parts)
        or any(spot.series_instance_uid in part for part in parts[:_ABOVE])
        or any(part.endswith(f"-{spot.study_instance_uid[-_LAST_FIGURES:]}") for part in parts)
    )


def _is_below_its_patient(spot: Spot) -> bool:
    first, second, *_ = spot.folder.split("/")
    return second == spot.patient_id != first
