"""Scans whose images are in two resources, `DICOM` and `secondary` (xnat-http.md §10.3)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage, SecondaryCaptureImageStorage

from sandbox.xnat import Settings
from tests.sandbox.xnat_case import EXPERIMENTS, SERIES, STUDY, Site, dicom, of_series, scans

MIXED = {
    "1.dcm": dicom(1),
    "2.dcm": dicom(2),
    "3.dcm": dicom(3, SOPClassUID=SecondaryCaptureImageStorage),
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, Settings(secondary_sop_classes={SecondaryCaptureImageStorage})) as site:
        yield site


def resources(site: Site, scan: str) -> dict[str, str]:
    [session] = site.rows(EXPERIMENTS)
    rows = site.rows(f"/data/experiments/{session['ID']}/scans/ALL/resources")
    return {row["label"]: row["file_count"] for row in rows if row["cat_id"] == scan}


def test_both_resources_are_listed_before_and_after_archiving(site: Site) -> None:
    uri = site.built(MIXED)
    rows = site.rows(f"{uri}/scans/3/resources")
    assert {row["label"]: row["file_count"] for row in rows} == {"DICOM": "2", "secondary": "1"}
    [file] = site.rows(f"{uri}/scans/3/resources/secondary/files")
    assert site.ask("GET", file["URI"]).content[128:132] == b"DICM"
    assert site.ask("GET", f"{uri}/scans/3/resources/other/files", format="json").status_code == 404
    assert site.archive(uri).status_code == 200
    assert resources(site, "3") == {"DICOM": "2", "secondary": "1"}
    [session] = site.rows(EXPERIMENTS)
    scan = f"/data/experiments/{session['ID']}/scans/3"
    assert [len(site.rows(f"{scan}/resources/{label}/files")) for label in ("DICOM", "secondary")] == [2, 1]
    assert len(site.rows(f"/data/experiments/{session['ID']}/files")) == 3


def test_a_scan_may_have_nothing_but_secondary_images(site: Site) -> None:
    site.archived({"1.dcm": MIXED["3.dcm"]})
    assert resources(site, "3") == {"secondary": "1"}


def test_secondary_images_merge(site: Site) -> None:
    site.archived({"1.dcm": MIXED["1.dcm"]})
    site.archived({"3.dcm": MIXED["3.dcm"]})
    assert resources(site, "3") == {"DICOM": "1", "secondary": "1"}
    assert site.archive(site.built(MIXED)).status_code == 500
    assert site.archive(site.built(MIXED), overwrite="append").status_code == 200
    assert resources(site, "3") == {"DICOM": "2", "secondary": "1"}


def test_both_resources_go_with_a_scan_that_is_renamed(site: Site) -> None:
    site.archived(of_series(3))
    classes = {1: CTImageStorage, 2: SecondaryCaptureImageStorage}
    site.archived({f"{n}.dcm": dicom(n, SOPClassUID=of, SeriesInstanceUID=f"{STUDY}.30") for n, of in classes.items()})
    assert scans(site) == {"3": SERIES, "3-CT1": f"{STUDY}.30"}
    assert resources(site, "3-CT1") == {"DICOM": "1", "secondary": "1"}
    assert resources(site, "3") == {"DICOM": "1"}


def test_secondary_images_find_the_scan_that_was_renamed(site: Site) -> None:
    site.archived({**of_series(3), "second.dcm": MIXED["3.dcm"]})
    site.archived(of_series(3, SeriesInstanceUID=f"{STUDY}.30"))
    late = dicom(2, SOPClassUID=SecondaryCaptureImageStorage, SeriesInstanceUID=f"{STUDY}.30")
    assert site.archive(site.built({"2.dcm": late}), overwrite="append").status_code == 200
    assert resources(site, "3-CT1") == {"DICOM": "1", "secondary": "1"}
    assert resources(site, "3") == {"DICOM": "1", "secondary": "1"}
