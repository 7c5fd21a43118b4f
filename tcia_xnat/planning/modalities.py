"""Which type XNAT gives to a session, as far as its modalities decide it (xnat-http.md §8.3, §11.4).

XNAT adds nothing to a session of the archive that would be of another type: a PET to its CT, a CT to its RTSTRUCT.
"""

from collections.abc import Iterable

_LEADS = (
    ("PT", "pet"), ("MR", "mr"), ("CT", "ct"), ("XA", "xa"), ("US", "us"), ("RTIMAGE", "rt"), ("RTDOSE", "rt"),
    ("RTSTRUCT", "rt"), ("RTPLAN", "rt"), ("CR", "cr"), ("DX", "dx"), ("PX", "dx"), ("ES", "es"), ("IO", "io"),
    ("MG", "mg"), ("NM", "nm"), ("OP", "op"), ("OPT", "opt"), ("RF", "rf"), ("SM", "sm"), ("SR", "sr"), ("XC", "xc"),
)  # fmt: skip
_OTHER = "otherDicom"
_PET_MR = frozenset({"pet", "petmr"})  # the project decides which of them PET and MR become


def session_types(modalities: Iterable[str]) -> frozenset[str]:
    """Return the types, as `xnat:ctSessionData`, that a session of these modalities may get."""
    found = frozenset(modalities)
    kinds = frozenset({next((kind for modality, kind in _LEADS if modality in found), _OTHER)})
    return frozenset(f"xnat:{kind}SessionData" for kind in (_PET_MR if {"PT", "MR"} <= found else kinds))


def fits(modalities: Iterable[str], session_type: str) -> bool:
    """Whether XNAT would add series of these modalities to a session of a type; a type that is not told fits all."""
    found = frozenset(modalities) - {""}
    return not session_type or not found or session_type in session_types(found)


def lead(modalities: Iterable[str]) -> str:
    """Return the modality by which XNAT calls a session of these; of others the first in the alphabet."""
    found = frozenset(modalities) - {""}
    return next((modality for modality, _ in _LEADS if modality in found), min(found, default=""))
