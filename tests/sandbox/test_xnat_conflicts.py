"""What the archiver refuses, renames and overwrites (xnat-http.md §8.3, §8.4)."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from tests.sandbox.xnat_case import (
    MODIFICATION,
    PROJECT,
    SERIES,
    STUDY,
    Site,
    counts,
    dicom,
    of_series,
    refused,
    scans,
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


# conflicts, §8.3


def test_the_same_images_again(site: Site) -> None:
    site.archived(of_series(3, 2))
    uri = site.built(of_series(3, 2))
    assert refused(site, uri, "CONFLICT") == "Session already exists with matching files."
    assert site.archive(uri, overwrite="append").status_code == 200
    assert counts(site) == {"3": "2"}


@pytest.mark.parametrize("overwrite", ["append", "delete"])
def test_both_ways_to_overwrite_keep_what_is_not_sent_again(site: Site, overwrite: str) -> None:
    site.archived(of_series(3, 3) | of_series(4))
    uri = site.built(of_series(3, 1, SeriesDescription="again"))
    assert site.archive(uri, overwrite=overwrite).status_code == 200
    assert counts(site) == {"3": "3", "4": "1"}
    paths = (site.directory / "archive").rglob("SCANS/3/DICOM/*.dcm")
    assert sorted(pydicom.dcmread(path).SeriesDescription for path in paths) == ["Thorax", "Thorax", "again"]


def test_the_same_objects_under_other_names(site: Site) -> None:
    site.archived({"a.dcm": dicom()}, rename="false")
    uri = site.built({"b.dcm": dicom()}, rename="false")
    assert refused(site, uri, "CONFLICT") == "Session already exists with the same resources."
    assert site.archive(uri, overwrite="append").status_code == 200
    assert [path.name for path in (site.directory / "archive").rglob("*.dcm")] == ["b.dcm"]
    assert counts(site) == {"3": "1"}


def test_other_images_of_an_archived_scan_and_new_scans_merge(site: Site) -> None:
    site.archived({"1.dcm": dicom(1)})
    assert site.archive(site.built({"2.dcm": dicom(2)} | of_series(4))).status_code == 200
    assert counts(site) == {"3": "2", "4": "1"}
    assert scans(site) == {"3": SERIES, "4": f"{STUDY}.4"}
    assert list((site.directory / "cache").iterdir()) == []


def test_another_name_of_a_file_that_is_another_object(site: Site) -> None:
    site.archived({"a.dcm": dicom(1)}, rename="false")
    uri = site.built({"a.dcm": dicom(2)}, rename="false")
    assert refused(site, uri, "CONFLICT") == "Session already exists with matching files."
    reason = refused(site, uri, "CONFLICT", overwrite="append")
    assert reason == "A DICOM file with the same name but different UID already exists."
    assert counts(site) == {"3": "1"}
    [path] = (site.directory / "archive").rglob("a.dcm")
    assert pydicom.dcmread(path).SOPInstanceUID == f"{SERIES}.1"


def test_another_study_under_the_label(site: Site) -> None:
    site.archived()
    uri = site.built(of_series(5, StudyInstanceUID="1.2.7"))
    assert refused(site, uri, "CONFLICT") == MODIFICATION.format("UID")
    assert site.archive(uri, overwrite="append").status_code == 200


def test_another_subject_is_never_overwritten(site: Site) -> None:
    site.archived()
    uri = site.built(of_series(5), subject="S2", SUBJECT_ID="S2")
    for more in ({}, {"overwrite": "append"}):
        reason = refused(site, uri, "CONFLICT", **more)
        assert reason == MODIFICATION.format("subject") + ": E1 Already Exists for another Subject"
    assert site.archive(uri, subject="s1").status_code == 200  # subjects are found without regard to case


@pytest.mark.parametrize("modality", ["PT", "SEG"])
def test_another_modality_is_never_overwritten(site: Site, modality: str) -> None:
    site.archived()
    uri = site.built(of_series(5, Modality=modality))
    for more in ({}, {"overwrite": "delete"}):
        reason = refused(site, uri, "CONFLICT", **more)
        assert reason == MODIFICATION.format("modality") + "  Data may require a manual merge."
    site.settings.prevent_cross_modality_merge = False
    assert site.archive(uri).status_code == 200
    [row] = site.rows(f"/data/projects/{PROJECT}/experiments", columns="xsiType,modality")
    assert row == {"xsiType": "xnat:ctSessionData", "modality": "CT"}
    assert list(scans(site)) == ["3", "5"]


def test_labels_that_differ_in_case(site: Site) -> None:
    site.archived()
    uri = site.built(of_series(5), session="e1", EXPT_LABEL="e1")
    assert refused(site, uri, "CONFLICT") == MODIFICATION.format("label")


def test_work_on_the_target(site: Site) -> None:
    site.archived()
    site.settings.open_workflow = True
    uri = site.built(of_series(5))
    reason = refused(site, uri, "CONFLICT")
    assert reason == "Session processing may already be in progress: E1.  Concurrent modification is discouraged."
    assert site.archive(uri, overwrite="append").status_code == 200


def test_a_number_that_is_taken_is_changed(site: Site) -> None:
    site.archived(of_series(3))
    site.archived(of_series(3, 2, SeriesInstanceUID=f"{STUDY}.30"))
    assert scans(site) == {"3": SERIES, "3-CT1": f"{STUDY}.30"}
    assert counts(site) == {"3": "1", "3-CT1": "2"}
    site.archived(of_series(3, SeriesInstanceUID=f"{STUDY}.31"))
    assert list(scans(site)) == ["3", "3-CT1", "3-CT2"]
    folder = site.directory / "archive" / PROJECT / "arc001/E1/SCANS/3-CT1/DICOM"
    assert len(list(folder.glob("*.dcm"))) == 2
    assert (folder / "scan_3-CT1_catalog.xml").is_file()


def test_a_series_whose_number_was_changed_comes_again(site: Site) -> None:
    site.archived(of_series(3))
    site.archived(of_series(3, SeriesInstanceUID=f"{STUDY}.30"))
    uri = site.built({"2.dcm": dicom(2, SeriesInstanceUID=f"{STUDY}.30")})
    assert (
        refused(site, uri, "CONFLICT")
        == "Session already contains a scan with the same UID, but a different number (3-CT1)."
    )
    assert site.archive(uri, overwrite="append").status_code == 200
    assert counts(site) == {"3": "1", "3-CT1": "2"}


def test_the_same_object_twice_in_one_scan(site: Site) -> None:
    uri = site.built({"a.dcm": dicom(), "b.dcm": dicom()}, rename="false")
    reason = refused(site, uri, "ERROR")
    assert reason.startswith("Scan 3 DICOM catalog contains duplicated SOP instance UIDs: ")
    assert site.archive(uri, overwrite="append").status_code == 200


def test_files_that_are_no_dicom(site: Site) -> None:
    uri = site.sent({"a.dcm": dicom(1), "b.dcm": dicom(2)}, rename="false")
    [path] = (site.directory / "prearchive").rglob("b.dcm")
    path.write_bytes(path.read_bytes()[:140])
    site.ask("POST", uri, action="build")
    assert refused(site, uri, "ERROR") == "Scan 3 has 1 non-DICOM (or non-parsable DICOM) files"


def test_a_catalog_that_is_gone(site: Site) -> None:
    uri = site.built()
    [path] = (site.directory / "prearchive").rglob("scan_3_catalog.xml")
    path.unlink()
    assert refused(site, uri, "ERROR") == "Expected a catalog file, however it was missing."


def test_a_failed_merge_leaves_the_archive_as_it_was(site: Site) -> None:
    site.archived({"a.dcm": dicom(1)}, rename="false")
    uri = site.built({"0.dcm": dicom(3), "a.dcm": dicom(2)}, rename="false")
    refused(site, uri, "CONFLICT", overwrite="append")
    assert [path.name for path in (site.directory / "archive").rglob("*.dcm")] == ["a.dcm"]
    assert counts(site) == {"3": "1"}
