"""What one cell or word of a list names: a UID, a folder of IDC, or nothing of the kind."""

import re

from tcia_xnat.core.uids import is_uid

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_FOLDER = re.compile(
    rf"""(?:\b(?:s3|gs)://[^/\s]+/|^)(?P<folder>{_UUID})(?:/(?P<image>{_UUID})\.dcm|(?=[/*"'\s]|$))""", re.IGNORECASE
)
_DOTTED = re.compile(r"\d+(?:\.\w+){3}", re.ASCII)  # a date has two dots
_OLD_IMAGE = re.compile(rf"\b(?:s3|gs)://[^/\s]+/{_UUID}\.dcm\b", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s|;,]+")
_AROUND = "[](){}\"'="  # ="1.2.3" keeps Excel from taking a text for a number
_LONG_UID = re.compile(r"[0-2]\.\d+\.\d[\d.]*", re.ASCII)  # 1.5 and 01.02.2020 are UIDs, too, by their letters


def words(cell: str) -> list[str]:
    """Return the entries of a cell: `1.2|1.3`, `['1.2', '1.3']` and `="1.2"` are read, too."""
    return [word for part in _BETWEEN.split(cell) if (word := part.strip(_AROUND))]


def folder_in(text: str) -> tuple[str, str]:
    """Return the crdc_series_uuid in a text, and the name of the one image that is named in it; empty without one."""
    found = _FOLDER.search(text.strip(" \"'"))
    return (found["folder"].lower(), (found["image"] or "").lower()) if found else ("", "")


def is_old_image(text: str) -> bool:
    """Whether a text names an image as IDC kept it before it had folders of series."""
    return _OLD_IMAGE.search(text) is not None


def is_broken(word: str) -> bool:
    """Whether a word looks like a UID and is none."""
    return not is_uid(word) and _DOTTED.search(word) is not None


def is_identifier(cell: str) -> bool:
    """Whether a cell holds what may name series: UIDs as archives make them, folders or addresses of IDC."""
    if folder_in(cell)[0]:
        return True
    found = words(cell)
    return bool(found) and all(is_uid(word) and _LONG_UID.fullmatch(word) for word in found)
