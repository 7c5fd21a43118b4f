"""From a DICOM file to a small picture as people know it from viewers: window, polarity, colour, shape."""

import io
import math
from collections.abc import Callable, Mapping
from itertools import chain, product, takewhile
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from tcia_xnat.thumbnails.middle import depth_of
from tcia_xnat.thumbnails.protocol import Size

Samples = NDArray[Any]
Grey = NDArray[np.float32]

_NATIVE_BYTES, _ENCODED_BYTES = 64 << 20, 32 << 20  # of one frame, unpacked: a second or two of work
_FRAMES_IN_ORDER = 5000  # whose positions are read
_OVERSAMPLED = 4  # pixels that are kept for each one shown, along each side
_PERCENTILES = (1.0, 99.0)
_SHOWN_LEVELS = 2  # a window that leaves fewer levels shows nothing
_QUALITY, _SHARES = 75, {55: 0.75, 35: 0.5, 20: 0.3}  # of WebP; less of it, and what is left then of the bytes
_SCALES = [(2 / 3) ** step for step in range(12)]
_LEAST_PIXELS = 16  # of the longer side: in a smaller picture nothing is seen
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_COLOURS = 3


def render(file: BinaryIO, size: Size) -> bytes:
    """Return a picture of a DICOM file as WebP; nothing when it has none, or one that would take too long.

    Raises
    ------
    Exception
        Whatever a broken file makes pydicom, NumPy or Pillow raise.
    """
    header = dcmread(file, stop_before_pixels=True, force=True)
    if not _is_picture(header):
        return b""
    is_deflated = header.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    file.seek(0)
    frame = pixel_array(dcmread(file) if is_deflated else file, index=_middle_frame(header))
    step = max(1, min(frame.shape[:2]) // (_OVERSAMPLED * size.pixels))
    picture = _levels(frame[::step, ::step], header)
    return _encoded(_shaped(Image.fromarray(picture), header, size.pixels), size)


def _is_picture(header: Dataset) -> bool:
    if "Rows" not in header or "Columns" not in header or header.get("SOPClassUID") == _SEGMENTATION:
        return False
    samples = int(header.get("SamplesPerPixel", 1))
    unpacked = int(header.Rows) * int(header.Columns) * samples * math.ceil(int(header.get("BitsAllocated", 8)) / 8)
    is_encoded = UID(header.file_meta.TransferSyntaxUID).is_encapsulated
    return 0 < unpacked <= (_ENCODED_BYTES if is_encoded else _NATIVE_BYTES)


def _middle_frame(header: Dataset) -> int:
    """Return the frame in the middle: by position when each frame tells its own (PS3.3 C.7.6.16), else by number."""
    count = int(header.get("NumberOfFrames", 1) or 1)
    groups = header.get("PerFrameFunctionalGroupsSequence", [])
    if 1 < len(groups) == count <= _FRAMES_IN_ORDER:
        shared = header.get("SharedFunctionalGroupsSequence", [Dataset()])[0]
        depths = [_frame_depth(group, shared) for group in groups]
        if None not in depths:
            return sorted(range(count), key=lambda index: cast("float", depths[index]))[count // 2]
    return count // 2


def _frame_depth(group: Dataset, shared: Dataset) -> float | None:
    def numbers(macro: str, keyword: str) -> list[float]:
        found = group.get(macro) or shared.get(macro) or [Dataset()]
        return [float(number) for number in found[0].get(keyword, [])]

    return depth_of(
        numbers("PlaneOrientationSequence", "ImageOrientationPatient"),
        numbers("PlanePositionSequence", "ImagePositionPatient"),
    )


def _levels(frame: Samples, header: Dataset) -> NDArray[np.uint8]:
    """Return 8-bit levels, grey (rows, columns) or RGB (rows, columns, 3)."""
    if header.get("PhotometricInterpretation") == "PALETTE COLOR":
        frame = apply_color_lut(frame, header)
    if frame.ndim == _COLOURS:
        return _eight_bits(frame[..., :_COLOURS])
    shown = _windowed(frame, header)
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        shown = 1 - shown
    return (shown * 255 + 0.5).astype(np.uint8)


def _eight_bits(colours: Samples) -> NDArray[np.uint8]:
    """Return colours of 8 bits; palettes and some cameras have 16, as all or the lower ones of them."""
    if colours.dtype == np.uint8:
        return cast("NDArray[np.uint8]", colours)
    top = max(int(colours.max(initial=0)), 1)
    return (colours >> max(top.bit_length() - 8, 0)).astype(np.uint8)


def _windowed(frame: Samples, header: Dataset) -> Grey:
    """Return brightness from 0 to 1: by the header's window when something can be seen in it, else by percentiles."""
    values = np.nan_to_num(apply_modality_lut(frame, header).astype(np.float32))
    windowed = _by_table(values, header) if header.get("VOILUTSequence") else _by_header(values, header)
    if windowed is not None and len(np.unique((windowed * 255).astype(np.uint8))) > _SHOWN_LEVELS:
        return windowed
    return _stretched(values, _without_padding(values, frame, header))


def _by_table(values: Grey, header: Dataset) -> Grey:
    """Return values through the first VOI LUT of the header (PS3.3 C.11.2.1.1)."""
    bits = int(header.VOILUTSequence[0].LUTDescriptor[2])
    return cast("Grey", apply_voi(values.astype(np.int32), header).astype(np.float32) / np.float32(2**bits - 1))


def _by_header(values: Grey, header: Dataset) -> Grey | None:
    """Return values through the first window of the header (PS3.3 C.11.2.1.2); None when it has none."""
    center, width = (_first(header.get(keyword)) for keyword in ("WindowCenter", "WindowWidth"))
    if center is None or width is None or width <= 0:
        return None
    function = _FUNCTIONS.get(str(header.get("VOILUTFunction") or "LINEAR"), _linear)
    shown: Grey = np.clip(function(values, center, width), 0, 1)
    return shown


def _linear(values: Grey, center: float, width: float) -> Grey:
    return (values - np.float32(center - 0.5)) / np.float32(max(width - 1, 1e-3)) + np.float32(0.5)


def _linear_exact(values: Grey, center: float, width: float) -> Grey:
    return (values - np.float32(center)) / np.float32(width) + np.float32(0.5)


def _sigmoid(values: Grey, center: float, width: float) -> Grey:
    return cast("Grey", 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -50, 50))))


_FUNCTIONS: Mapping[str, Callable[[Grey, float, float], Grey]] = {
    "LINEAR": _linear,
    "LINEAR_EXACT": _linear_exact,
    "SIGMOID": _sigmoid,
}


def _stretched(values: Grey, counted: Grey) -> Grey:
    """Return values between two percentiles of those that count, over the whole range of brightness."""
    low, high = np.percentile(counted, _PERCENTILES)
    if high <= low:
        low, high = float(counted.min()), float(counted.max())
    shown: Grey = np.clip((values - np.float32(low)) / np.float32(max(high - low, 1e-6)), 0, 1)
    return shown


def _without_padding(values: Grey, frame: Samples, header: Dataset) -> Grey:
    padding = header.get("PixelPaddingValue")
    counted = values[frame != padding] if isinstance(padding, int) else values
    return counted if counted.size else values


def _first(value: object) -> float | None:
    """Return the first of one or several numbers."""
    try:
        return float(cast("Any", value if not hasattr(value, "__getitem__") else value[0]))
    except (TypeError, ValueError, IndexError):
        return None


def _shaped(picture: Image.Image, header: Dataset, pixels: int) -> Image.Image:
    """Return the picture with its longer side so many pixels long, in the shape that it has in the patient."""
    tall = picture.height * _row_over_column(header)
    scale = pixels / max(tall, picture.width)
    width, height = max(1, round(picture.width * scale)), max(1, round(tall * scale))
    return picture.resize((width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC)


def _row_over_column(header: Dataset) -> float:
    """Return how much higher than wide a pixel is."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        given = header.get(keyword)
        if given is not None and len(given) > 1 and float(given[0]) > 0 and float(given[1]) > 0:
            return min(max(float(given[0]) / float(given[1]), 0.1), 10.0)
    return 1.0


def _encoded(picture: Image.Image, size: Size) -> bytes:
    """Return the best WebP of at most so many bytes: less quality first, fewer pixels then.

    What is too large by far, judged by the first try, is not tried.
    """
    first = _webp(picture, 1, _QUALITY)
    room = size.most_bytes / len(first)
    scales = takewhile(lambda scale: scale == 1 or scale * max(picture.size) >= _LEAST_PIXELS, _SCALES)
    tried = (
        _webp(picture, scale, quality)
        for scale, (quality, share) in product(scales, _SHARES.items())
        if scale**2 * share <= room
    )
    return next((data for data in chain([first], tried) if len(data) <= size.most_bytes), b"")


def _webp(picture: Image.Image, scale: float, quality: int) -> bytes:
    width, height = (max(1, round(scale * side)) for side in picture.size)
    file = io.BytesIO()
    picture.resize((width, height), Image.Resampling.BOX).save(file, "WEBP", quality=quality, method=2)
    return file.getvalue()
