"""Which xsiType a session or a scan gets from the modalities in it (xnat-http.md §11.4)."""

from collections.abc import Iterable

_SCAN_TYPES = {
    "CR": "cr", "CT": "ct", "DX": "dx", "ES": "es", "IO": "io", "MG": "mg", "MR": "mr", "NM": "nm", "OP": "op",
    "OPT": "opt", "PT": "pet", "PX": "dx", "RF": "rf", "RTDOSE": "rtImage", "RTIMAGE": "rtImage", "RTPLAN": "rtImage",
    "RTSTRUCT": "rtImage", "SC": "sc", "SEG": "seg", "SM": "sm", "SR": "sr", "US": "us", "XA": "xa", "XC": "xc",
}  # fmt: skip
_SESSION_TYPES = {
    "PT": "pet", "MR": "mr", "CT": "ct", "XA": "xa", "US": "us", "RTIMAGE": "rt", "RTDOSE": "rt", "RTSTRUCT": "rt",
    "RTPLAN": "rt", "CR": "cr", "DX": "dx", "PX": "dx", "ES": "es", "IO": "io", "MG": "mg", "NM": "nm", "OP": "op",
    "OPT": "opt", "RF": "rf", "SM": "sm", "SR": "sr", "XC": "xc",
}  # fmt: skip
"""In the order in which they lead: the first that a session has decides."""

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_OTHER = "otherDicom"


def scan_type(modality: str, sop_class_uid: str) -> str:
    """Return the xsiType of a scan."""
    if sop_class_uid == _SECONDARY_CAPTURE and modality not in _SESSION_TYPES:
        modality = "SC"
    return f"xnat:{_SCAN_TYPES.get(modality, _OTHER)}ScanData"


def session_type(modalities: Iterable[str]) -> str:
    """Return the xsiType of a session."""
    found = set(modalities)
    if {"PT", "MR"} <= found:
        return "xnat:petmrSessionData"
    lead = next((kind for modality, kind in _SESSION_TYPES.items() if modality in found), _OTHER)
    return f"xnat:{lead}SessionData"


def element_name(xsi_type: str) -> str:
    """Return the name of the root element of a session's document: `CTSession` for `xnat:ctSessionData`."""
    kind = xsi_type.removeprefix("xnat:").removesuffix("SessionData")
    return f"{'OtherDicom' if kind == _OTHER else kind.upper()}Session"


def letters(xsi_type: str) -> str:
    """Return the two letters that the archiver puts into the ID of a renamed scan (xnat-http.md §8.3)."""
    found = xsi_type.removeprefix("xnat:")[:2].upper()
    return "PT" if found == "PE" else found


def all_session_types() -> list[str]:
    """Return every xsiType that a session may have."""
    kinds = {*_SESSION_TYPES.values(), "petmr", _OTHER}
    return sorted(f"xnat:{kind}SessionData" for kind in kinds)


def all_scan_types() -> list[str]:
    """Return every xsiType that a scan may have."""
    return sorted(f"xnat:{kind}ScanData" for kind in {*_SCAN_TYPES.values(), _OTHER})
