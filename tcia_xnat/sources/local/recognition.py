"""Which layout a tree has, and why: a decision that is said, or two readings of which the user chooses one. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tcia_xnat.core.errors import UsageError
from tcia_xnat.sources.local.layout import ABOVE, Layout, downloaded_series, is_below_its_patient, is_named_by_uid
from tcia_xnat.sources.local.model import Spot

_SHOWN = 3  # rows of the two readings
_GENERIC = re.compile(
    r"dicom|dcm|images?|data|export|cd|dvd|disc|media|scans?|resources|series|study|studies|patients?|(pa|pt|st|se|im)\d{6}",
    re.IGNORECASE,
)
_DATE = re.compile(r"(19|20)\d\d([-_.]?\d\d){1,2}")  # may name a session, and never a subject
_CHOOSE = "choose one with --layout folders, --layout headers or --layout mapping; --exclude leaves files out"


@dataclass(frozen=True, slots=True)
class Decision:
    """A layout, and why the tree is read so."""

    layout: Layout
    why: str


@dataclass(slots=True)
class _Folder:
    """What lies below a folder of the first level: patients, and the studies of each folder of the second."""

    patients: set[str] = field(default_factory=set)
    studies: dict[str, set[str]] = field(default_factory=dict)
    above: str = ""  # a folder of images above the session folders

    def misfit(self, name: str) -> str:
        """Say why it is not a subject with its sessions; empty when it is."""
        if _is_generic(name) or _DATE.fullmatch(name):
            return f"{name} is no name of a subject"
        if self.above:
            return f"images lie in {self.above}, above the session folders"
        if len(self.patients) > 1:
            return f"{name} holds images of {len(self.patients)} PatientIDs"
        if several := next((second for second, studies in self.studies.items() if len(studies) > 1), ""):
            return f"{name}/{several} holds several studies"
        if several := next((second for second in self.studies if _is_generic(second)), ""):
            return f"{name}/{several} is no name of a session"
        return ""


def decide(spots: Iterable[Spot], zips: Sequence[str]) -> Decision:
    """Return the layout of a tree.

    Folders name subjects and sessions when each folder of the first level has one PatientID, and no other has it, each
    of the second one study, and every image lies below both. A tree of which most does so, and not all, has two
    readings.

    Parameters
    ----------
    spots
        Where images lie, their folders relative to the root; what is excluded does not take part.
    zips
        Paths of all zips, relative to the root.

    Raises
    ------
    UsageError
        Folders and headers give different subjects, and neither is plainly meant.
    """
    if any(downloaded_series(path) for path in zips):
        return Decision(Layout.ZIPS, "zips are named after series, as downloaders leave them")
    places = list(spots)
    if not places:
        in_sessions = bool(zips) and all(len(path.split("/")) > ABOVE for path in zips)
        return Decision(Layout.FOLDERS if in_sessions else Layout.HEADERS, "all images lie in zips")
    if all(len(_parts(spot)) < ABOVE for spot in places):
        return Decision(Layout.HEADERS, "there are no session folders")
    deep = [spot for spot in places if len(_parts(spot)) >= ABOVE]
    if any(map(is_named_by_uid, deep)) or all(map(is_below_its_patient, deep)):
        return Decision(Layout.HEADERS, "folders are named after the headers, as downloaders do")
    return _of_folders(_folders(places))


def _of_folders(folders: Mapping[str, _Folder]) -> Decision:
    misfits = {name: why for name, folder in folders.items() if (why := folder.misfit(name))}
    shared = _shared({name: folder for name, folder in folders.items() if name not in misfits})
    if not misfits and not shared:
        return Decision(Layout.FOLDERS, "each first folder has one PatientID, each second one study")
    why = next(iter(misfits.values()), "") or shared
    is_near = len(misfits) * 2 < len(folders) or all(_is_only_odd(*folder) for folder in folders.items())
    if is_near and any(_differs(name, folder) for name, folder in folders.items()):
        raise _two_readings(folders, why)
    return Decision(Layout.HEADERS, why)


def _is_only_odd(name: str, folder: _Folder) -> bool:
    """Whether one patient's images lie below session folders of a subject, whatever else is odd."""
    return not (_is_generic(name) or _DATE.fullmatch(name)) and not folder.above and len(folder.patients) == 1


def _shared(folders: Mapping[str, _Folder]) -> str:
    owners: dict[str, str] = {}
    for name, folder in folders.items():
        for patient in folder.patients - {""}:
            if owners.setdefault(patient, name) != name:
                return f"{owners[patient]} and {name} hold images of one PatientID"
    return ""


def _differs(name: str, folder: _Folder) -> bool:
    return folder.patients != {name}


def _two_readings(folders: Mapping[str, _Folder], why: str) -> UsageError:
    rows = [
        f"{name or '.'}: subject {name or '(none)'} by folders, {', '.join(sorted(folder.patients))} by headers"
        for name, folder in sorted(folders.items(), key=lambda item: not item[1].misfit(item[0]))
        if _differs(name, folder)
    ]
    more = f"; and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return UsageError(f"the tree can be read in two ways, since {why}: {'; '.join(rows[:_SHOWN])}{more}", _CHOOSE)


def _folders(places: Iterable[Spot]) -> dict[str, _Folder]:
    folders: dict[str, _Folder] = {}
    for spot in places:
        parts = _parts(spot)
        folder = folders.setdefault(parts[0] if parts else "", _Folder())
        folder.patients.add(spot.patient_id)
        if len(parts) < ABOVE:
            folder.above = folder.above or spot.folder or "ROOT"
        else:
            folder.studies.setdefault(parts[1], set()).add(spot.study_instance_uid)
    return dict(sorted(folders.items()))  # what is said does not depend on the order of the walk


def _parts(spot: Spot) -> list[str]:
    return spot.folder.split("/") if spot.folder else []


def _is_generic(name: str) -> bool:
    return _GENERIC.fullmatch(name) is not None
