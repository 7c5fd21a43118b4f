"""Names of files in the classic layout: `1-001.dcm`, as NBIA counts them (tcia-nbia-and-idc.md §3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from pydicom.tag import BaseTag

from tcia_xnat.core.dicom import dicom_errors, read_tags, text_of

_TAGS = (0x00080016, 0x00080070, 0x00200012, 0x00200013)
"""SOPClassUID, Manufacturer, AcquisitionNumber and InstanceNumber, in the order of tags (PS3.6)."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a header says that names and metadata.csv are made of; numbers are None where there are none."""

    file: str
    instance_number: int | None
    acquisition_number: int
    manufacturer: str
    sop_class_uid: str


def read_head(file: BinaryIO, name: str) -> Head:
    """Read the header of a DICOM file that is open at its beginning.

    Raises
    ------
    SeriesDamaged
        It is not readable as DICOM.
    """
    with dicom_errors(name):
        dataset = read_tags(file, _TAGS, _after_numbers)
        sop_class_uid, manufacturer, acquisition, instance = (text_of(dataset, tag) for tag in _TAGS)
    return Head(name, _number(instance), _number(acquisition) or 0, manufacturer, sop_class_uid)


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


def _after_numbers(tag: BaseTag, _representation: str | None, _length: int) -> bool:
    return int(tag) > _TAGS[-1]


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
