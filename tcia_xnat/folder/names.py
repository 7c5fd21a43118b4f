"""Names of files in the classic layout: `1-001.dcm`, as NBIA counts them (tcia-nbia-and-idc.md §3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

import pydicom

_TAGS = ["InstanceNumber", "AcquisitionNumber", "Manufacturer", "SOPClassUID"]


@dataclass(frozen=True, slots=True)
class Head:
    """What a header says that names and metadata.csv are made of; numbers are None where there are none."""

    file: str
    instance_number: int | None
    acquisition_number: int
    manufacturer: str
    sop_class_uid: str


def read_head(file: BinaryIO, name: str) -> Head:
    """Read the header of a DICOM file that is open at its beginning."""
    dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_TAGS))
    return Head(
        name,
        _number(dataset.get("InstanceNumber")),
        _number(dataset.get("AcquisitionNumber")) or 0,
        str(dataset.get("Manufacturer") or ""),
        str(dataset.get("SOPClassUID") or ""),
    )


def classic_names(heads: Sequence[Head]) -> dict[str, str]:
    """Return the classic name of each file.

    Images are walked in the order of their instance numbers, those without one first. The first number of a name
    grows with every change of the acquisition on that way, the second one counts the images since; their widths are
    those of the changes of acquisition and of instance number in the whole series.
    """
    ordered = sorted(heads, key=lambda head: (head.instance_number is not None, head.instance_number or 0, head.file))
    pairs = list(pairwise(ordered))
    acquisitions = 1 + sum(a.acquisition_number != b.acquisition_number for a, b in pairs)
    instances = 1 + sum(a.instance_number != b.instance_number for a, b in pairs)
    names: dict[str, str] = {}
    first, second, before = 1, 0, ordered[0].acquisition_number if ordered else 0
    for head in ordered:
        changed = head.acquisition_number != before
        first, second, before = first + changed, 1 if changed else second + 1, head.acquisition_number
        names[head.file] = f"{first:0{len(str(acquisitions))}}-{second:0{len(str(instances))}}.dcm"
    return names


def _number(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None
