"""What NBIA tells of DICOM itself: the elements of an image, and the names of UIDs (tcia-nbia-and-idc.md §2.5)."""

import io

from pydicom import dcmread
from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_description, dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue

_LAST_GROUP_WITH_TEXT = 0x5FFF  # of later ones NBIA shows dots
_BINARY = {"OB", "OW", "OF", "OD", "OL", "OV", "UN"}

Tag = dict[str, str | None]


def tags(image: bytes) -> list[Tag]:
    """Return the elements of a DICOM file up to its pixels, those of its file meta information first."""
    dataset = dcmread(io.BytesIO(image), stop_before_pixels=True)
    return [_tag(element) for part in (dataset.file_meta, dataset) for element in part]


def uid_names() -> str:
    """Return the names of DICOM's UIDs as a properties file has them."""
    return "".join(f"{uid}={words[0]}\n" for uid, words in UID_dictionary.items())


def _tag(element: DataElement) -> Tag:
    tag = element.tag
    name = dictionary_description(tag) if dictionary_has_tag(tag) else ""
    shown = f"({tag.group:04X},{tag.element:04X})"
    return {"element": shown, "name": name, "data": "..." if tag.group > _LAST_GROUP_WITH_TEXT else _text(element)}


def _text(element: DataElement) -> str | None:
    if element.VR in _BINARY:
        return None
    values = element.value if isinstance(element.value, MultiValue) else [element.value]
    return "\\".join("" if value is None else str(value) for value in values)
