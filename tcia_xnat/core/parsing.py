"""JSON and XML that others wrote: whatever is wrong with it is a ValueError."""

import json
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml import ElementTree

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def parse_json(text: str | bytes | bytearray) -> object:
    """Parse JSON.

    Raises
    ------
    ValueError
        It is none, is no UTF-8, or is nested deeper than any honest one.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def parse_xml(text: str | bytes) -> "Element":
    """Parse XML without a document type: no entities grow, and nothing outside is asked for.

    Raises
    ------
    ValueError
        It is none, or has a document type.
    """
    try:
        root: Element = ElementTree.fromstring(
            text.encode("utf-8", "replace") if isinstance(text, str) else text, forbid_dtd=True
        )
    except (ParseError, LookupError, RecursionError) as error:  # an encoding that Python does not have is a LookupError
        raise ValueError(f"it is no XML: {error}") from error
    return root
