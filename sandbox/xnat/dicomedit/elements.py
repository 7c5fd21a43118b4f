"""Elements of a data set as scripts name, read, replace and delete them; all at the top level."""

import hashlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

EVERYTHING = 0xFFFFFFFF
"""Last tag of what may touch any element."""

_WILDCARDS = {"X": "[0-9A-F]", "@": "[02468ACE]", "#": "[13579BDF]"}
_TAG = re.compile(r"\(\s*([0-9A-Fa-fXx@#]{4})\s*,\s*([0-9A-Fa-fXx@#]{4})\s*\)")
_MAX_UID = 64
_mapped: dict[tuple[str, str], str] = {}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A tag, or many: X, @ and # stand for any, an even and an odd digit.

    Attributes
    ----------
    digits
        Eight, in upper case.
    """

    digits: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `(gggg,eeee)`.

        Raises
        ------
        ValueError
        """
        found = _TAG.fullmatch(text.strip())
        if found is None:
            raise ValueError(text)
        return cls((found[1] + found[2]).upper())

    @classmethod
    def of(cls, tag: int) -> Self:
        """Return the pattern of one tag."""
        return cls(f"{tag:08X}")

    @property
    def is_single(self) -> bool:
        """Whether it means one tag."""
        return not set(self.digits) & set(_WILDCARDS)

    @property
    def last_tag(self) -> int:
        """The highest tag that it means."""
        return int(self.digits, 16) if self.is_single else EVERYTHING

    def __call__(self, tag: BaseTag) -> bool:
        """Whether it means a tag."""
        pattern = "".join(_WILDCARDS.get(digit, digit) for digit in self.digits)
        return re.fullmatch(pattern, f"{int(tag):08X}") is not None

    def found(self, dataset: Dataset) -> list[BaseTag]:
        """Return the tags of a data set that it means."""
        if self.is_single:
            tag = Tag(int(self.digits, 16))
            return [tag] if tag in dataset else []
        return [tag for tag in dataset.keys() if self(tag)]  # noqa: SIM118  iterating would parse the elements


def is_private(tag: BaseTag) -> bool:
    """Whether an element is a vendor's own."""
    return bool(tag.is_private)


def text_of(raw: object) -> str:
    """Return the text of a value that is not parsed yet."""
    if not isinstance(raw, bytes):
        return "" if raw is None else str(raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def read(dataset: Dataset, pattern: Pattern) -> str | None:
    """Return the text of an element, the first that a pattern means; None when there is none."""
    for tag in pattern.found(dataset):
        return text_of(getattr(dataset.get_item(tag), "value", None)).strip(" \0")
    return None


def replace(dataset: Dataset, pattern: Pattern, text: str | None, *, if_exists: bool = False) -> None:
    """Set elements to a text; one that is not there is made, unless `if_exists`. None changes nothing."""
    if text is None:
        return
    may_make = pattern.is_single and not if_exists
    for tag in [Tag(pattern.last_tag)] if may_make else pattern.found(dataset):
        put(dataset, tag, text)


def put(dataset: Dataset, tag: BaseTag, text: str) -> None:
    """Set one element to a text, as bytes that nothing checks."""
    representation = _representation(tag)
    value = text.encode()
    value += (b"\0" if representation == "UI" else b" ") * (len(value) % 2)
    is_implicit, is_little = getattr(dataset, "original_encoding", (False, True))
    dataset[tag] = RawDataElement(
        tag, representation, len(value), value, 0, bool(is_implicit), is_little is not False, is_raw=True
    )


def delete(dataset: Dataset, is_meant: Callable[[BaseTag], bool]) -> None:
    """Delete the elements that are meant."""
    for tag in [tag for tag in dataset.keys() if is_meant(tag)]:  # noqa: SIM118  as above
        del dataset[tag]


def hashed(uid: str | None) -> str | None:
    """Return what DicomEdit's hashUID makes of a text: a version 5 UUID without a namespace, under 2.25."""
    if uid is None:
        return None
    digest = hashlib.sha1(uid.encode(), usedforsecurity=False).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def mapped(root: str, uid: str | None) -> str | None:
    """Return a UID made by chance under a root, the same for the same UID as long as the server runs."""
    if uid is None:
        return None
    return _mapped.setdefault((root, uid), f"{root}.{uuid.uuid4().int}"[:_MAX_UID].rstrip("."))


def _representation(tag: BaseTag) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "LO"
