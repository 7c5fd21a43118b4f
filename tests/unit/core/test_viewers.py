"""A link opens what it names: derived series with their study, slides in Slim."""

import pytest

from tcia_xnat.core.viewers import viewer_link

OHIF = "https://viewer.imaging.datacommons.cancer.gov/v3/viewer/?StudyInstanceUIDs=1.2"
SLIM = "https://viewer.imaging.datacommons.cancer.gov/slim/studies/1.2"


@pytest.mark.parametrize(
    ("modalities", "modality", "link"),
    [
        ({"CT"}, "CT", f"{OHIF}&SeriesInstanceUIDs=1.3"),
        ({"CT", "SEG"}, "SEG", f"{OHIF}&initialSeriesInstanceUID=1.3"),
        ({"CT", "RTSTRUCT"}, "RTSTRUCT", f"{OHIF}&initialSeriesInstanceUID=1.3"),
        ({"SEG"}, "SEG", f"{OHIF}&initialSeriesInstanceUID=1.3"),
        ({"SM"}, "SM", f"{SLIM}/series/1.3"),
        ({"SM", "CT"}, "SM", f"{SLIM}/series/1.3"),
        ({"SM", "CT"}, "CT", f"{OHIF}&SeriesInstanceUIDs=1.3"),
        ({"SM", "CT", "SEG"}, "SEG", f"{OHIF}&initialSeriesInstanceUID=1.3"),
        ({"SM", "SEG"}, "SEG", f"{SLIM}/series/1.3"),
        ({"SM", "ANN"}, "ANN", f"{SLIM}/series/1.3"),
        ({"ANN"}, "ANN", f"{SLIM}/series/1.3"),
    ],
)
def test_a_series(modalities: set[str], modality: str, link: str) -> None:
    assert viewer_link("1.2", modalities, "1.3", modality) == link


@pytest.mark.parametrize(
    ("modalities", "link"),
    [({"CT", "SEG"}, OHIF), ({"SM"}, SLIM), ({"SM", "ANN", "SEG"}, SLIM), ({"SM", "CT"}, OHIF), (set(), OHIF)],
)
def test_a_study(modalities: set[str], link: str) -> None:
    assert viewer_link("1.2", modalities) == link
