"""A run of 10,000 series: the report stays small enough for a mail and is soon written."""

import time
from pathlib import Path

import numpy as np

from tcia_xnat.core.model import State
from tcia_xnat.report.files import write
from tests.report.case import by_id, elements, outcome, parsed, run, series

COUNT = 10_000
PICTURE_BYTES = 800  # what each may have in such a run


def test_ten_thousand_series(tmp_path: Path) -> None:
    description = "Ax T2 FLAIR PROPELLER with a long description, as some are, of 64 characters"[:64]
    made = [
        series(
            number,
            series_description=description,
            series_instance_uid=f"1.3.6.1.4.1.14519.5.2.1.6450.4012.{number:030}",
            study_instance_uid=f"1.3.6.1.4.1.14519.5.2.1.6450.4012.{number // 10:030}",
        )
        for number in range(COUNT)
    ]
    pictures = tmp_path / "out" / "state" / "pictures"
    pictures.mkdir(parents=True)
    noise = np.random.default_rng(1).integers(0, 256, (COUNT, PICTURE_BYTES), np.uint8)
    for one, data in zip(made, noise, strict=True):
        (pictures / f"{one.series_instance_uid}.webp").write_bytes(data.tobytes())
    pairs = [
        (one, outcome(one, State.FAILED if number % 7 == 0 else State.ARCHIVED, reason=f"{number} of 99999 images"))
        for number, one in enumerate(made)
    ]
    begun = time.process_time()
    files = write(run(tmp_path, pairs))
    assert time.process_time() - begun < 15
    page = next(file for file in files if file.name == "report.html")
    assert page.stat().st_size < 20_000_000
    tree = parsed(page.read_text())
    assert len(list(elements(by_id(tree, "sessions"), "img"))) == COUNT
    assert sum(file.stat().st_size for file in files) < 60_000_000


def test_more_pictures_than_there_is_room_for_leave_tiles(tmp_path: Path) -> None:
    pictures = tmp_path / "out" / "state" / "pictures"
    pictures.mkdir(parents=True)
    made = [series(number) for number in range(100)]
    for one in made:
        (pictures / f"{one.series_instance_uid}.webp").write_bytes(bytes(200_000))
    write(run(tmp_path, [(one, outcome(one)) for one in made]))
    page = tmp_path / "out" / "report" / "report.html"
    assert page.stat().st_size < 20_000_000
    sheet = by_id(parsed(page.read_text()), "sessions")
    assert len(list(elements(sheet, "img"))) == 42
    assert len([element for element in elements(sheet, "span") if element.get("class") == "none"]) == 58
