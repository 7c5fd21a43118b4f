"""Provenance of an archived session: whose it is, what was sent, and what XNAT made of it.

It is kept beside the images (resource TCIA_PROVENANCE), so that every machine can read it. Anybody who may write to the
session can write it, too: what cannot be read as provenance, or contradicts the archive, proves nothing.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tcia_xnat.core.model import Label

RESOURCE, FILE = "TCIA_PROVENANCE", "provenance.json"
MAX_BYTES = 64_000_000
_SCHEMA = 1
_MAX_SERIES, _MAX_TEXT = 20_000, 1_000
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True, slots=True)
class SeriesProvenance:
    """What was sent of one series, and what the archive had of it afterwards.

    Attributes
    ----------
    image_count, images
        Number of images that were sent, and their SOPInstanceUIDs as they were published; None when not recorded.
    scan_id, archived_uid, archived_count
        Scan ID, SeriesInstanceUID and number of images in the archive; where XNAT keeps no image they are empty, the
        published one, and 0.
    sends
        How often it was sent. What is short in the same way after two sends is left out by XNAT.
    version
        crdc_series_uuid of what was sent: IDC gives a series another one whenever its content changes. Empty where the
        source has none.
    """

    source: str
    image_count: int
    images: frozenset[str] | None
    scan_id: str
    archived_uid: str
    archived_count: int
    sends: int = 1
    version: str = ""

    def and_also(self, later: "SeriesProvenance") -> "SeriesProvenance":
        """Return what is there after something was added: XNAT keeps what it had."""
        is_added = self.archived_count and self.archived_uid == later.archived_uid
        if not is_added or self.images is None or later.images is None:
            return later
        images = self.images | later.images
        return replace(later, images=images, image_count=len(images))

    def lists(self, count: int | None) -> bool:
        """Whether the images that are recorded are all that the archive counts."""
        return self.images is not None and count == self.archived_count == len(self.images)

    @property
    def left_out(self) -> int:
        """How many of its images XNAT has left out after more than one send."""
        return max(self.image_count - self.archived_count, 0) if self.sends > 1 else 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing more comes of what was sent: XNAT has all of it, or has left out the rest twice."""
        return self.archived_count >= self.image_count or self.left_out > 0


@dataclass(frozen=True, slots=True)
class Provenance:
    """Provenance of one session; `series` by SeriesInstanceUID as published."""

    patient_id: str
    study_instance_uid: str
    label: Label
    tool: str
    written: str
    series: Mapping[str, SeriesProvenance] = field(default_factory=dict)

    def updated(self, later: "Provenance") -> "Provenance":
        """Return this provenance with what was added or replaced later."""
        merged = {
            uid: self.series[uid].and_also(one) if uid in self.series else one for uid, one in later.series.items()
        }
        return replace(later, series={**self.series, **merged})

    def encoded(self) -> bytes:
        """Return it as JSON."""
        document = {
            "schema": _SCHEMA,
            "tool": self.tool,
            "written": self.written,
            "patient_id": self.patient_id,
            "study_instance_uid": self.study_instance_uid,
            "subject": self.label.subject,
            "session": self.label.session,
            "series": [
                {
                    "series_instance_uid": uid,
                    "source": one.source,
                    "image_count": one.image_count,
                    "sop_instance_uids": None if one.images is None else sorted(one.images),
                    "scan_id": one.scan_id,
                    "archived_series_instance_uid": one.archived_uid,
                    "archived_image_count": one.archived_count,
                    "sends": one.sends,
                    "crdc_series_uuid": one.version,
                }
                for uid, one in sorted(self.series.items())
            ],
        }
        return json.dumps(document, separators=(",", ":")).encode()


def decode(content: bytes) -> Provenance | None:
    """Return the provenance that a file holds; None when it is none: too large, broken, or of another schema."""
    if len(content) > MAX_BYTES:
        return None
    try:
        return _provenance(json.loads(content))
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def _provenance(document: Any) -> Provenance:  # noqa: ANN401  JSON of strangers
    if document["schema"] != _SCHEMA or len(document["series"]) > _MAX_SERIES:
        raise ValueError("another schema, or too large")
    return Provenance(
        _text(document["patient_id"]),
        _uid(document["study_instance_uid"]),
        Label(_text(document["subject"]), _text(document["session"])),
        _text(document["tool"]),
        _text(document["written"]),
        {_uid(one["series_instance_uid"]): _series(one) for one in document["series"]},
    )


def _series(one: Any) -> SeriesProvenance:  # noqa: ANN401  JSON of strangers
    images = one["sop_instance_uids"]
    return SeriesProvenance(
        _text(one["source"]),
        _count(one["image_count"]),
        None if images is None else frozenset(map(_uid, images)),
        _text(one["scan_id"]),
        _uid(one["archived_series_instance_uid"]),
        _count(one["archived_image_count"]),
        _count(one["sends"]),
        _text(one.get("crdc_series_uuid", "")),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise TypeError("no text")
    return value


def _uid(value: object) -> str:
    text = _text(value)
    if not _UID.fullmatch(text):
        raise ValueError("no UID")
    return text


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 40:
        raise TypeError("no count")
    return value
