"""Addresses in the place of a list: pages become names, files are fetched, what is not certain is refused."""

import pytest

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.request.addresses import is_address, is_doi, names_of

VIEWER = "https://viewer.imaging.datacommons.cancer.gov"


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("https://doi.org/10.7937/PCTE-6M66", ("10.7937/pcte-6m66",)),
        ("https://dx.doi.org/10.7937%2Fpcte-6m66", ("10.7937/pcte-6m66",)),
        ("https://www.cancerimagingarchive.net/collection/cmb-aml/", ("cmb-aml",)),
        ("https://portal.imaging.datacommons.cancer.gov/collections/cmb_aml", ("cmb_aml",)),
        ("https://www.cancerimagingarchive.net/wp-content/uploads/CMB-AML.tcia", ()),
        ("https://example.org/a.tcia", ()),
        (f"{VIEWER}/v3/viewer/?StudyInstanceUIDs=1.2&SeriesInstanceUIDs=1.3", ("1.3",)),
        (f"{VIEWER}/v3/viewer/?StudyInstanceUIDs=1.2,1.4", ("1.2", "1.4")),
        (f"{VIEWER}/slim/studies/1.2", ("1.2",)),
        (f"{VIEWER}/slim/studies/1.2/series/1.3", ("1.3",)),
    ],
)
def test_what_an_address_stands_for(address: str, names: tuple[str, ...]) -> None:
    assert names_of(address) == names


@pytest.mark.parametrize(
    "address",
    [
        f"{VIEWER}/v3/viewer/?StudyInstanceUIDs=1.2&initialSeriesInstanceUID=1.3",
        f"{VIEWER}/v3/viewer/?StudyInstanceUIDs=x",
        VIEWER,
        "https://www.cancerimagingarchive.net/browse-collections/",
        "https://[::1/x",
    ],
)
def test_what_is_not_certain_is_refused(address: str) -> None:
    with pytest.raises(ManifestError) as caught:
        names_of(address)
    assert caught.value.hint


def test_what_is_an_address_or_a_doi() -> None:
    assert is_address("HTTPS://x/y.tcia")
    assert not is_address("x.tcia")
    assert is_doi("10.7937/pcte-6m66")
    assert is_doi("doi:10.7937/PCTE-6M66")
    assert not is_doi("10.7937")
    assert not is_doi("1.2.3/x")
