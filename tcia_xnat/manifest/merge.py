"""Several manifests as one."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import PurePath

from tcia_xnat.manifest.model import Manifest, Original


def merge(manifests: Iterable[Manifest]) -> Manifest:
    """Return one manifest with all that some ask for, in their order and each once.

    It has the header of the first one that has any, and is named after the first one. 1,110 series are in two of
    the manifests that TCIA publishes (tcia-nbia-and-idc.md §1.4).
    """
    given = list(manifests)
    if len(given) == 1:
        return given[0]
    uids = _joined(one.series_instance_uids for one in given)
    named = sum(len(one.series_instance_uids) for one in given)
    return Manifest(
        _name(given),
        uids,
        header=next((one.header for one in given if one.header), ()),
        rejected=tuple(chain.from_iterable(one.rejected for one in given)),
        duplicates=sum(one.duplicates for one in given) + named - len(uids),
        originals=tuple(_apart(chain.from_iterable(one.originals for one in given))),
        crdc_series_uuids=_joined(one.crdc_series_uuids for one in given),
        study_instance_uids=_joined(one.study_instance_uids for one in given),
        patient_ids=_joined(one.patient_ids for one in given),
        images={folder: count for one in given for folder, count in one.images.items()},
        addresses=_joined(one.addresses for one in given),
        readings=tuple(chain.from_iterable(one.readings for one in given)),
        read=tuple(chain.from_iterable(one.read for one in given)),
    )


def _joined(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(lists)))


def _name(given: Sequence[Manifest]) -> str:
    return f"{PurePath(given[0].name).stem}_and_{len(given) - 1}_more.tcia" if given else ""


def _apart(originals: Iterable[Original]) -> Iterator[Original]:
    """Yield files under names of their own: two folders may have a manifest of the same name."""
    taken: set[str] = set()
    for original in originals:
        path, name, number = PurePath(original.name), original.name, 1
        while name.lower() in taken:
            number += 1
            name = f"{path.stem}_{number}{path.suffix}"
        taken.add(name.lower())
        yield Original(name, original.content)
