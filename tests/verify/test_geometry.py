"""Slices that make a volume, and those that do not."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tcia_xnat.destinations.disk.headers import Slice
from tcia_xnat.verify.geometry import problems

Vector = tuple[float, ...]

AXIAL: Vector = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
OBLIQUE: Vector = (0.8, 0.0, 0.6, 0.0, 1.0, 0.0)
NORMALS: Mapping[Vector, Vector] = {AXIAL: (0.0, 0.0, 1.0), OBLIQUE: (-0.6, 0.0, 0.8)}


def volume(count: int = 20, spacing: float = 2.5, orientation: Vector = AXIAL) -> list[Slice]:
    """Return slices in no order, with coordinates as they are written in files."""
    slices = []
    for number in range(count):
        position = tuple(round(part * number * spacing - 100, 4) for part in NORMALS[orientation])
        slices.append(Slice(f"{number}.dcm", position, orientation, (512, 512), (0.7, 0.7)))
    random.Random(count).shuffle(slices)  # noqa: S311  a die for tests
    return slices


def without(slices: Sequence[Slice], *names: str) -> list[Slice]:
    return [one for one in slices if one.name not in names]


def changed(slices: Sequence[Slice], name: str, **change: Any) -> list[Slice]:  # noqa: ANN401  fields of a slice
    return [replace(one, **change) if one.name == name else one for one in slices]


@pytest.mark.parametrize("orientation", NORMALS)
@pytest.mark.parametrize("spacing", [0.3, 1.25, 7.0])
def test_whole_volumes(orientation: Vector, spacing: float) -> None:
    assert problems(volume(30, spacing, orientation)) == []


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_slices_say_nothing(count: int) -> None:
    assert problems(volume(count)) == []


def test_every_phase_of_a_series_in_time_is_one_volume() -> None:
    assert problems([*volume(), *volume(), *volume()]) == []


WRONG: dict[str, tuple[Callable[[list[Slice]], list[Slice]], str]] = {
    "a slice missing": (lambda v: without(v, "7.dcm"), "1 slice missing, between -85 and -80 mm"),
    "two missing side by side": (lambda v: without(v, "7.dcm", "8.dcm"), "2 slices missing"),
    "two missing apart": (lambda v: without(v, "3.dcm", "12.dcm"), "2 slices missing"),
    "a doubled place": (
        lambda v: [*v, replace(volume()[0], name="twin.dcm", position=(-100.0, -100.0, -82.5))],
        "2 slices at -82.5 mm: 7.dcm, twin.dcm",
    ),
    "one phase short": (lambda v: [*v, *without(volume(), "7.dcm")], "slices missing at 1 of 20 places"),
    "another orientation": (lambda v: changed(v, "0.dcm", orientation=OBLIQUE), "2 orientations"),
    "another size": (lambda v: changed(v, "0.dcm", size=(256, 256)), "2 sizes: 512 x 512 (19), 256 x 256 (1)"),
    "another pixel spacing": (lambda v: changed(v, "0.dcm", pixel_spacing=(1.0, 1.0)), "2 pixel spacings"),
    "another spacing": (
        lambda v: changed(v, "19.dcm", position=(-100.0, -100.0, -51.5)),
        "spacings from 2.5 to 3.5 mm",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name: str) -> None:
    change, words = WRONG[name]
    (found,) = problems(change(volume()))
    assert words in found
