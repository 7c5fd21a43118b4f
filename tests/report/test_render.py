"""Pictures of real DICOM of many kinds, decoded again and compared with what must be seen."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
    SegmentationStorage,
)

from tcia_xnat.thumbnails.protocol import Size
from tcia_xnat.thumbnails.render import render
from tests.report.dicoms import Pixels, dicom, levels, ramp, square, white_column

SIZE = Size(64, 3000)
RED_GREEN_BLUE = np.repeat(
    np.repeat(np.array([[[250, 0, 0], [0, 250, 0]], [[0, 0, 250], [250, 250, 250]]], np.uint8), 32, 0), 32, 1
)


def drawn(data: bytes, size: Size = SIZE) -> Pixels:
    """Return what is seen."""
    return levels(render(io.BytesIO(data), size))


def assert_looks_like(seen: Pixels, wanted: Pixels, tolerance: float = 6) -> None:
    """Assert that two pictures are the same but for what compression does."""
    wanted = wanted if wanted.ndim == 3 else np.repeat(wanted[..., None], 3, 2)
    assert seen.shape == wanted.shape
    assert np.abs(seen - wanted).mean() < tolerance


@pytest.mark.parametrize(
    ("syntax", "pixels"),
    [
        (ImplicitVRLittleEndian, ramp()),
        (ExplicitVRBigEndian, ramp().astype(">u2")),
        (DeflatedExplicitVRLittleEndian, ramp()),
        (RLELossless, ramp()),
        (JPEG2000Lossless, ramp()),
        (JPEGBaseline8Bit, ramp(top=250).astype(np.uint8)),
    ],
)
def test_transfer_syntaxes(syntax: str, pixels: Pixels) -> None:
    values = pixels.astype(float)
    low, high = np.percentile(values, (1, 99))
    assert_looks_like(drawn(dicom(pixels, syntax)), np.clip((values - low) / (high - low), 0, 1) * 255)


def test_the_window_of_the_header() -> None:
    pixels = ramp() - np.int16(1000) + 1000
    data = dicom(
        pixels, RescaleIntercept=-1000, RescaleSlope=2, WindowCenter=[0, 40], WindowWidth=[500, 80], Modality="CT"
    )
    values = pixels.astype(float) * 2 - 1000
    assert_looks_like(drawn(data), np.clip((values + 0.5) / 499 + 0.5, 0, 1) * 255)


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_functions_of_windows(function: str) -> None:
    values = ramp().astype(float)
    data = dicom(ramp(), WindowCenter=400, WindowWidth=300, VOILUTFunction=function)
    wanted = {
        "LINEAR_EXACT": np.clip((values - 400) / 300 + 0.5, 0, 1),
        "SIGMOID": 1 / (1 + np.exp(-4 * (values - 400) / 300)),
    }
    assert_looks_like(drawn(data), wanted[function] * 255)


def test_a_window_in_which_nothing_can_be_seen_is_not_taken() -> None:
    plain = drawn(dicom(ramp()))
    for center, width in ((90_000, 10), (40, 0), ("", "")):
        assert_looks_like(drawn(dicom(ramp(), WindowCenter=center, WindowWidth=width)), plain)


def test_a_lookup_table_of_the_header() -> None:
    table = Dataset()
    table.LUTDescriptor = [1001, 0, 8]
    table.LUTData = np.array([255 - number * 255 // 1000 for number in range(1001)], "<u2").tobytes()
    seen = drawn(dicom(ramp(), VOILUTSequence=Sequence([table])))
    assert_looks_like(seen, 255 - ramp() * 255 / 1000)


def test_padding_does_not_count_for_the_window() -> None:
    pixels = ramp().astype(np.int16)
    pixels[:, :20] = -30_000
    seen = drawn(dicom(pixels, PixelPaddingValue=-30_000))
    assert seen[:, :18].mean() < 10
    assert seen[50:, 50:].mean() > 200
    assert 60 < seen[10, 25].mean() < 140 or seen[10, 25].mean() < 60
    assert seen[:, 24:].std() > 40


def test_monochrome1_is_dark_where_its_values_are_high() -> None:
    assert_looks_like(drawn(dicom(ramp(), PhotometricInterpretation="MONOCHROME1")), 255 - drawn(dicom(ramp())))


@pytest.mark.parametrize("syntax", [None, JPEGBaseline8Bit, JPEG2000Lossless, RLELossless])
def test_colours(syntax: str | None) -> None:
    data = dicom(RED_GREEN_BLUE, syntax) if syntax else dicom(RED_GREEN_BLUE)
    assert_looks_like(drawn(data), RED_GREEN_BLUE.astype(int), 16)


def test_colours_by_plane_and_as_luminance_and_chrominance() -> None:
    planes = np.ascontiguousarray(RED_GREEN_BLUE.transpose(2, 0, 1))
    by_plane = dicom(RED_GREEN_BLUE, PlanarConfiguration=1, PixelData=planes.tobytes())
    assert_looks_like(drawn(by_plane), RED_GREEN_BLUE.astype(int), 16)
    ybr = np.asarray(Image.fromarray(RED_GREEN_BLUE).convert("YCbCr"))
    in_ybr = dicom(ybr, PhotometricInterpretation="YBR_FULL")
    assert_looks_like(drawn(in_ybr), RED_GREEN_BLUE.astype(int), 16)


@pytest.mark.parametrize("bits", [8, 16])
def test_palette_colours(bits: int) -> None:
    indices = np.repeat(np.repeat(np.array([[0, 1], [2, 3]], np.uint8), 32, 0), 32, 1)
    top = 250 if bits == 8 else 250 << 8
    tables = {
        "Red": [top, 0, 0, top],
        "Green": [0, top, 0, top],
        "Blue": [0, 0, top, top],
    }
    elements: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, table in tables.items():
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [4, 0, bits]
        elements[f"{name}PaletteColorLookupTableData"] = np.array(table, f"<u{bits // 8}").tobytes()
    assert_looks_like(drawn(dicom(indices, **elements)), RED_GREEN_BLUE.astype(int), 16)


@pytest.mark.parametrize("syntax", [None, JPEG2000Lossless, RLELossless])
def test_the_frame_in_the_middle(syntax: str | None) -> None:
    frames = np.stack([square(number, 8) for number in range(8)])
    data = dicom(frames, syntax, NumberOfFrames=8) if syntax else dicom(frames, NumberOfFrames=8)
    assert white_column(render(io.BytesIO(data), SIZE), 8) == 4


def test_the_frame_in_the_middle_by_position() -> None:
    depths = [0, 70, 10, 60, 20, 50, 30, 40]  # in order 0 2 4 6 7 5 3 1
    groups = []
    for depth in depths:
        group, place = Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, depth]
        group.PlanePositionSequence = Sequence([place])
        groups.append(group)
    shared, plane = Dataset(), Dataset()
    plane.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PlaneOrientationSequence = Sequence([plane])
    data = dicom(
        np.stack([square(number, 8) for number in range(8)]),
        NumberOfFrames=8,
        PerFrameFunctionalGroupsSequence=Sequence(groups),
        SharedFunctionalGroupsSequence=Sequence([shared]),
    )
    assert white_column(render(io.BytesIO(data), SIZE), 8) == 7


def test_shapes_are_those_in_the_patient() -> None:
    assert drawn(dicom(ramp(32, 64))).shape == (32, 64, 3)
    assert drawn(dicom(ramp(32, 64), PixelSpacing=[2, 1])).shape == (64, 64, 3)
    assert drawn(dicom(ramp(1000, 700))).shape == (64, 45, 3)
    assert drawn(dicom(ramp(16, 16))).shape == (64, 64, 3)
    assert drawn(dicom(ramp(4, 900))).shape == (1, 64, 3) or drawn(dicom(ramp(4, 900))).shape[1] == 64


def test_floats_and_a_flat_image() -> None:
    data = dicom(ramp().astype(np.int16) * 0)
    assert drawn(data).max() <= 1
    values = (ramp() / 1000).astype(np.float32)
    floats = dicom(ramp(), BitsAllocated=32, FloatPixelData=values.tobytes())
    without = io.BytesIO(floats)
    from pydicom import dcmread  # noqa: PLC0415  here only

    dataset = dcmread(without)
    for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(dataset, keyword)
    file = io.BytesIO()
    dataset.save_as(file)
    assert_looks_like(drawn(file.getvalue()), drawn(dicom(ramp())))


def test_noise_has_as_many_bytes_as_it_may() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (256, 256), np.uint8)
    sizes = [len(render(io.BytesIO(dicom(noise)), Size(128, most))) for most in (9000, 3000, 900, 300)]
    assert all(0 < size <= most for size, most in zip(sizes, (9000, 3000, 900, 300), strict=True))


def test_there_is_no_picture_in_which_nothing_is_seen() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (256, 256), np.uint8)
    assert not render(io.BytesIO(dicom(noise)), Size(128, 55))


@pytest.mark.parametrize(
    "data",
    [
        dicom(None, Modality="SR"),
        dicom(None, Modality="RTSTRUCT"),
        dicom(ramp(), SOPClassUID=SegmentationStorage),
        dicom(ramp(8, 8), Rows=20_000, Columns=20_000),
        dicom(ramp(8, 8), JPEG2000Lossless, Rows=8000, Columns=8000),
    ],
    ids=["no pixels", "contours", "segments", "huge", "huge when unpacked"],
)
def test_no_picture(data: bytes) -> None:
    assert render(io.BytesIO(data), SIZE) == b""


def test_what_no_library_here_unpacks_is_an_error_that_the_worker_takes_for_no_picture() -> None:
    data = dicom(ramp(8, 8), JPEG2000Lossless).replace(JPEG2000Lossless.encode(), JPEGLosslessSV1.encode())
    with pytest.raises(Exception, match=r"."):
        render(io.BytesIO(data), SIZE)
