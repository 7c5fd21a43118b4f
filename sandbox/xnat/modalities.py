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
_BY_SOP_CLASS = {
    "1.2.840.10008.5.1.4.1.1.2": "CT", "1.2.840.10008.5.1.4.1.1.2.1": "CT", "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR", "1.2.840.10008.5.1.4.1.1.128": "PT", "1.2.840.10008.5.1.4.1.1.1": "CR",
}  # fmt: skip
_OTHER = "otherDicom"


def scan_type(modality: str, sop_class_uid: str) -> str:
    """Return the xsiType of a scan: secondary captures are told by their SOP class, whatever their modality."""
    kind = "SC" if sop_class_uid == _SECONDARY_CAPTURE else modality or _BY_SOP_CLASS.get(sop_class_uid, "")
    return f"xnat:{_SCAN_TYPES.get(kind, _OTHER)}ScanData"


def session_type(images: Iterable[tuple[str, str]], pet_mr: str = "") -> str:
    """Return the xsiType of a session.

    Parameters
    ----------
    images
        Modality and SOP class of each; the class speaks for images without a modality.
    pet_mr
        What the project says of PET and MR in one study; `pet` makes a PET session of it.
    """
    found = {modality or _BY_SOP_CLASS.get(sop_class, "") for modality, sop_class in images}
    if {"PT", "MR"} <= found and pet_mr != "pet":
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
