"""Anonymisation scripts of site and project, by the numbers of xnat-rest-tests.md §2 where it has one."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
import requests

from sandbox.xnat.dicomedit.elements import hashed
from tests.sandbox.xnat_case import (
    EXPERIMENTS,
    MODIFICATION,
    PROJECT,
    SERIES,
    STUDY,
    Site,
    counts,
    dicom,
    message,
    of_series,
    refused,
    scans,
    zipped,
)

HASHES = "".join(f"{tag} := hashUID[{tag}]\n" for tag in ("(0020,000D)", "(0020,000E)", "(0008,0018)"))
HASH_ALL = f'version "6.1"\n{HASHES}'
HASH_SOP = 'version "6.1"\n(0008,0018) := hashUID[(0008,0018)]\n'
REJECT_SECOND = 'version "6.6"\n(0020,0013) = "2" ? reject\n'
REJECT_ALL = 'version "6.6"\nreject\n'
SCRIPT = f"/xapi/anonymize/projects/{PROJECT}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


def set_project_script(site: Site, script: str) -> None:
    assert site.ask("PUT", SCRIPT, script, content_type="text/plain").status_code == 200
    assert site.ask("PUT", f"{SCRIPT}/enabled", enable="true").status_code == 200


def in_archive(site: Site) -> list[pydicom.FileDataset]:
    return [pydicom.dcmread(path) for path in sorted((site.directory / "archive").rglob("*.dcm"))]


def in_prearchive(site: Site) -> list[pydicom.FileDataset]:
    return [pydicom.dcmread(path) for path in sorted((site.directory / "prearchive").rglob("*.dcm"))]


# the project's script, on archiving


def test_check_093_a_project_script_that_rejects_everything(site: Site) -> None:
    set_project_script(site, REJECT_ALL)
    uri = site.built(of_series(3, 2))
    assert "rejected" in refused(site, uri, "ERROR")
    assert len(in_prearchive(site)) == 2
    assert site.rows(EXPERIMENTS) == []


def test_check_094_a_project_script_that_rejects_one_image(site: Site) -> None:
    set_project_script(site, REJECT_SECOND)
    uri = site.built(of_series(3, 3))
    assert len(in_prearchive(site)) == 3  # the project's script has not run yet
    assert site.archive(uri).status_code == 200
    assert counts(site) == {"3": "2"}
    assert [image.InstanceNumber for image in in_archive(site)] == [1, 3]


def test_a_scan_that_is_rejected_whole_is_not_there(site: Site) -> None:
    set_project_script(site, 'version "6.6"\n(0020,0011) = "5" ? reject\n')
    site.archived(of_series(3) | of_series(5))
    assert scans(site) == {"3": SERIES}


def test_check_095_a_project_script_that_hashes_uids(site: Site) -> None:
    set_project_script(site, HASH_ALL)
    uri = site.built(of_series(3, 2))
    assert {image.StudyInstanceUID for image in in_prearchive(site)} == {STUDY}
    assert site.archive(uri).status_code == 200
    assert scans(site) == {"3": hashed(SERIES)}
    [session] = site.rows(EXPERIMENTS, columns="ID,label,UID")
    assert session["UID"] == hashed(STUDY)
    images = in_archive(site)
    assert [image.SOPInstanceUID for image in images] == [hashed(f"{SERIES}.{number}") for number in (1, 2)]
    assert [image.file_meta.MediaStorageSOPInstanceUID for image in images] == [i.SOPInstanceUID for i in images]
    assert images[0].PixelData == pydicom.dcmread(pydicom.filebase.DicomBytesIO(dicom(1))).PixelData


def test_a_second_send_of_hashed_images_merges_with_overwrite_alone(site: Site) -> None:
    set_project_script(site, HASH_ALL)
    site.archived(of_series(3, 2))
    uri = site.built(of_series(3, 3))
    assert refused(site, uri, "CONFLICT") == MODIFICATION.format("UID")
    assert site.archive(uri, overwrite="append").status_code == 200
    assert scans(site) == {"3": hashed(SERIES)}
    assert counts(site) == {"3": "3"}
    assert {image.SOPInstanceUID for image in in_archive(site)} == {hashed(f"{SERIES}.{n}") for n in (1, 2, 3)}


def test_only_incoming_files_are_changed_by_a_merge(site: Site) -> None:
    site.archived(of_series(3))
    set_project_script(site, 'version "6.1"\n(0010,0010) := "CHANGED"\n')
    site.archived(of_series(5))
    assert [str(image.PatientName) for image in in_archive(site)] == ["S1", "CHANGED"]


def test_a_failed_archive_leaves_the_files_as_they_were(site: Site) -> None:
    site.archived(of_series(3))
    set_project_script(site, 'version "6.1"\n(0010,0010) := "CHANGED"\n')
    uri = site.built(of_series(3))
    assert refused(site, uri, "CONFLICT") == "Session already exists with matching files."
    assert [str(image.PatientName) for image in in_prearchive(site)] == ["S1"]


def test_errors_of_a_project_script(site: Site) -> None:
    set_project_script(site, 'version "6.1"\nmakeNice[(0010,0010)]\n')
    uri = site.built()
    assert "makeNice" in refused(site, uri, "ERROR")
    site.ask("PUT", f"{SCRIPT}/enabled", enable="false")
    assert site.archive(uri).status_code == 200


def test_prevent_anon_holds_for_both_scripts(site: Site) -> None:
    set_project_script(site, HASH_ALL)
    site.archived(of_series(3), prevent_anon="true")
    assert scans(site) == {"3": SERIES}
    assert [image.PatientID for image in in_archive(site)] == ["TCIA-1"]


# the site's script, on import


def test_a_site_script_rejects_on_import_without_a_word(site: Site) -> None:
    site.settings.sitewide_anonymization_script = REJECT_SECOND
    answer = site.upload(zipped(of_series(3, 3)))
    assert (answer.status_code, answer.text.count("/E1")) == (200, 1)
    assert [image.InstanceNumber for image in in_prearchive(site)] == [1, 3]


def test_a_site_script_may_reject_all(site: Site) -> None:
    site.settings.sitewide_anonymization_script = REJECT_ALL
    answer = site.upload(zipped(of_series(3, 2)))
    assert (answer.status_code, answer.text) == (200, "")
    assert site.rows(f"/data/prearchive/projects/{PROJECT}") == []


def test_a_site_script_hashes_on_import_and_the_row_keeps_the_uid_that_was_sent(site: Site) -> None:
    site.settings.sitewide_anonymization_script = HASH_ALL
    uri = site.built(of_series(3))
    assert [row["tag"] for row in site.rows(uri)] == [STUDY]
    assert f'UID="{hashed(SERIES)}"' in site.ask("GET", uri, format="xml").text
    assert site.archive(uri).status_code == 200
    assert scans(site) == {"3": hashed(SERIES)}


@pytest.mark.parametrize(("rename", "kept"), [("false", 4), ("true", 2)])
def test_hashed_instances_are_doubled_by_a_second_send_unless_renamed(site: Site, rename: str, kept: int) -> None:
    site.settings.sitewide_anonymization_script = HASH_SOP
    site.sent(of_series(3, 2), rename=rename)
    uri = site.built(of_series(3, 2), rename=rename)
    assert len(in_prearchive(site)) == kept
    answer = site.archive(uri)
    assert answer.status_code == (200 if rename == "true" else 500)
    assert ("contains duplicated SOP instance UIDs" in answer.text) == (rename == "false")


def test_errors_of_a_site_script_are_400(site: Site) -> None:
    site.settings.sitewide_anonymization_script = 'version "6.1"\n(0010,0020) ='
    answer = site.upload(zipped({"1.dcm": dicom()}))
    assert answer.status_code == 400
    assert message(answer).startswith("line 2: mismatched input")
    assert site.rows(f"/data/prearchive/projects/{PROJECT}") == []


def test_scripts_reach_elements_behind_the_header(site: Site) -> None:
    site.settings.sitewide_anonymization_script = 'version "6.1"\n-(0028,0100)\nremoveAllPrivateTags\n'
    site.sent()
    [image] = in_prearchive(site)
    assert "BitsAllocated" not in image
    assert image.PixelData == pydicom.dcmread(pydicom.filebase.DicomBytesIO(dicom())).PixelData


# setting them


def test_check_058_the_older_address_of_a_project_script(site: Site) -> None:
    old = f"/data/config/edit/projects/{PROJECT}/image/dicom"
    assert site.ask("PUT", f"{old}/script", HASH_ALL, content_type="text/plain").status_code == 200
    assert site.ask("PUT", f"{old}/status", activate="true").status_code == 200
    assert site.rows(f"{old}/script")[0]["script"] == HASH_ALL
    assert site.rows(f"{old}/status")[0]["edit"] == "true"
    assert site.ask("GET", SCRIPT).text == HASH_ALL
    site.archived(of_series(3))
    assert scans(site) == {"3": hashed(SERIES)}
    site.ask("PUT", f"{old}/status", "false", content_type="text/plain")
    assert site.ask("GET", f"{SCRIPT}/enabled").json() is False


def test_the_site_script_is_set_by_administrators(site: Site) -> None:
    guest = ("guest-user", "secret")
    url = f"{site.server.url}/xapi/anonymize/site"
    assert requests.put(url, data=REJECT_ALL, auth=guest, timeout=30).status_code == 403
    assert site.ask("PUT", "/xapi/anonymize/site", REJECT_ALL, content_type="text/plain").status_code == 200
    assert requests.get(url, auth=guest, timeout=30).text == REJECT_ALL
    assert site.rows("/data/config/edit/image/dicom/script")[0]["script"] == REJECT_ALL
    assert site.upload(zipped(of_series(3))).text == ""
    assert site.ask("PUT", "/xapi/anonymize/site/enabled", enable="false").status_code == 200
    assert site.upload(zipped(of_series(3))).text != ""
