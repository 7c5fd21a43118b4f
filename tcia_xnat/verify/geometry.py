"""Whether the slices of a series make one volume: one orientation, one spacing, one size, none missing or doubled.

Positions are those of ImagePositionPatient along the normal of ImageOrientationPatient (DICOM PS3.3 C.7.6.2).
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from tcia_xnat.core.words import counted
from tcia_xnat.destinations.disk.headers import Slice, Vector

_ANGLE = 1e-3  # difference of direction cosines that counts as none: they are written with few digits
_MILLIMETRE = 0.01  # likewise of positions
_SHARE = 0.02  # of the spacing by which gaps may differ
_GAP = 1.5  # spacings from which a gap is one of missing slices
_FEWEST = 3  # slices of which a spacing can be said
_SHOWN = 3


def problems(slices: Sequence[Slice]) -> list[str]:
    """Return what keeps slices from being one volume, a sentence each.

    A series in which every position comes equally often, more than once, is several volumes, one after the other
    in time or by another contrast: none of them is doubled.
    """
    if len(slices) < _FEWEST:
        return []
    found = [*_several("sizes", [one.size for one in slices])]
    found += _several("pixel spacings", [_rounded(one.pixel_spacing) for one in slices])
    orientations = _distinct(slices)
    if len(orientations) > 1:
        return [*found, f"{len(orientations)} orientations"]
    places = _places(slices, _normal(orientations[0]))
    return [*found, *_doubled(places), *_gaps([place for place, _ in places])]


def _several(what: str, values: Sequence[tuple[float, ...]]) -> list[str]:
    counted = Counter(values)
    shown = (f"{' x '.join(f'{number:g}' for number in value)} ({n})" for value, n in counted.most_common(_SHOWN))
    return [f"{len(counted)} {what}: {', '.join(shown)}"] if len(counted) > 1 else []


def _rounded(values: Vector) -> Vector:
    return tuple(round(value, 4) for value in values)


def _distinct(slices: Sequence[Slice]) -> list[Vector]:
    kept: list[Vector] = []
    for one in slices:
        if not any(_is_near(one.orientation, other) for other in kept):
            kept.append(one.orientation)
    return kept


def _is_near(one: Vector, other: Vector) -> bool:
    return all(abs(a - b) <= _ANGLE for a, b in zip(one, other, strict=True))


def _normal(orientation: Vector) -> Vector:
    a, b, c, d, e, f = orientation
    return (b * f - c * e, c * d - a * f, a * e - b * d)


def _places(slices: Sequence[Slice], normal: Vector) -> list[tuple[float, list[str]]]:
    """Return each position along the normal with the slices that lie there, in order."""
    along = sorted((sum(p * n for p, n in zip(one.position, normal, strict=True)), one.name) for one in slices)
    places: list[tuple[float, list[str]]] = []
    for place, name in along:
        if places and place - places[-1][0] <= _MILLIMETRE:
            places[-1][1].append(name)
        else:
            places.append((place, [name]))
    return places


def _doubled(places: Sequence[tuple[float, list[str]]]) -> list[str]:
    counts = Counter(len(names) for _, names in places)
    if len(counts) == 1:
        return []
    usual = counts.most_common(1)[0][0]
    several = [(place, names) for place, names in places if len(names) > usual]
    fewer = sum(len(names) < usual for _, names in places)
    found = [f"{len(names)} slices at {place:g} mm: {', '.join(names[:_SHOWN])}" for place, names in several[:_SHOWN]]
    if len(several) > _SHOWN:
        found.append(f"doubled slices at {len(several) - _SHOWN} more places")
    return [*found, *([f"slices missing at {fewer} of {len(places)} places"] if fewer else [])]


def _gaps(places: Sequence[float]) -> list[str]:
    gaps = [after - before for before, after in pairwise(places)]
    if len(gaps) < _FEWEST - 1:
        return []
    spacing = median(gaps)
    holes = [(before, gap) for before, gap in zip(places, gaps, strict=False) if gap > _GAP * spacing]
    if holes:
        missing = sum(round(gap / spacing) - 1 for _, gap in holes)
        where = ", ".join(f"{before:g} and {before + gap:g} mm" for before, gap in holes[:_SHOWN])
        return [f"{counted(missing, 'slice')} missing, between {where}"]
    allowed = max(_MILLIMETRE, _SHARE * spacing)
    if any(abs(gap - spacing) > allowed for gap in gaps):
        return [f"spacings from {min(gaps):g} to {max(gaps):g} mm"]
    return []
