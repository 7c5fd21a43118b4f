"""Made-up pictures: a body with organs, differing from series to series and from slice to slice."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

_AIR, _LUNG, _FAT, _SOFT, _ORGAN, _LESION, _BONE = 0.0, 0.1, 0.45, 0.52, 0.56, 0.63, 0.85
_POOL_BYTES = 8 << 20
_RANGE = {"CT": (-1000, 2000), "MR": (0, 1100), "PT": (0, 3000)}  # what a density of 0 is, and how much 1 adds
_STAIN = np.array([60, 160, 90], np.float32)  # what tissue takes from the white of a slide, per colour


@dataclass(frozen=True, slots=True)
class Layout:
    """How the pixels of an image lie in its file; sizes in pixels."""

    frames: int
    rows: int
    columns: int
    samples: int
    bits: int
    signed: bool = False

    @property
    def length(self) -> int:
        """Size of the pixels in bytes."""
        return self.frames * self.rows * self.columns * self.samples * self.bits // 8


def pixels(layout: Layout, modality: str, series: str, depth: float, thickness: float) -> bytes:
    """Return the picture of the slice at `depth`, 0 to 1, of a series; its frames go through `thickness`."""
    frames = [
        _frame(layout, modality, series, depth + thickness * number / layout.frames) for number in range(layout.frames)
    ]
    return b"".join(frames)


def noise(layout: Layout, series: str, depth: float) -> bytes:
    """Return pixels that no zip makes smaller."""
    return _noise(f"{series} {depth}", layout.length).tobytes()


def _frame(layout: Layout, modality: str, series: str, depth: float) -> bytes:
    plane = _body(layout.rows, layout.columns, series, depth, hot=modality == "PT")
    grain = _noise(f"{series} {depth}", plane.size).reshape(plane.shape)
    if layout.bits == 16:  # noqa: PLR2004  bits of a pixel
        low, gain = _RANGE.get(modality, (0, 4000))
        values = plane * gain + (grain >> 3) + (low - 16 * layout.signed)
        return values.astype("<i2" if layout.signed else "<u2").tobytes()
    shown = np.clip(plane * 240 + (grain >> 5), 0, 255)
    if layout.samples == 1:
        return shown.astype(np.uint8).tobytes()
    colours = 250 - plane[..., None] * _STAIN if modality == "SM" else np.repeat(shown[..., None], layout.samples, 2)
    return colours.astype(np.uint8).tobytes()


def _body(rows: int, columns: int, series: str, depth: float, *, hot: bool) -> Plane:
    """Return densities, 0 is air and 1 is metal, of a slice through a trunk."""
    traits = _traits(series)
    swell = float(np.sin(np.pi * min(depth, 1.0)))
    width, height = 0.62 + 0.25 * swell, 0.45 + 0.12 * swell + 0.1 * traits[0]
    plane, (across, down) = np.full((rows, columns), _AIR, np.float32), _axes(rows, columns)
    skin, lung = 0.06, (0.2 + 0.08 * traits[1]) * (0.3 + 0.7 * swell)
    discs = [
        (0.0, 0.0, width, height, _FAT),
        (0.0, 0.0, width - skin, height - skin, _SOFT),
        (-0.42 * width, -0.05, lung, 1.4 * lung, _LUNG),
        (0.42 * width, -0.05, lung, 1.4 * lung, _LUNG),
        (0.15 * traits[2], -0.12, 0.14 + 0.05 * traits[3], 0.16, _ORGAN),
        (0.0, 0.62 * height, 0.11, 0.11, _BONE),
        (0.0, 0.62 * height, 0.05, 0.05, _SOFT),
    ]
    size = 0.12 - abs(depth - 0.2 - 0.6 * traits[4])  # of a ball that some slices cut
    if size > 0:
        discs.append((0.5 * traits[5] - 0.25, 0.3 * traits[6] - 0.2, size, size, 0.95 if hot else _LESION))
    for x, y, a, b, density in discs:
        plane[((across - np.float32(x)) / np.float32(a)) ** 2 + ((down - np.float32(y)) / np.float32(b)) ** 2 < 1] = (
            density
        )
    return plane


@lru_cache(maxsize=8)
def _axes(rows: int, columns: int) -> tuple[Plane, Plane]:
    """Return coordinates from -1 to 1, as one row and as one column."""
    across = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
    return across, np.linspace(-1, 1, rows, dtype=np.float32)[:, None]


def _traits(series: str) -> list[float]:
    """Return numbers from 0 to 1 that make a series unlike others."""
    return [byte / 255 for byte in hashlib.sha256(series.encode()).digest()[:8]]


def _noise(seed: str, length: int) -> NDArray[np.uint8]:
    pool = _pool(max(_POOL_BYTES, 2 * length))
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "little") % (len(pool) - length)
    return pool[start : start + length]


@lru_cache(maxsize=1)
def _pool(length: int) -> NDArray[np.uint8]:
    """Return random bytes from which all noise is cut: drawing new ones takes longer than all the rest."""
    return np.random.default_rng(0).integers(0, 256, length, np.uint8)
