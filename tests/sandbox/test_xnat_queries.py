"""What the archive tells of itself (xnat-http.md §10)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.xnat_case import (
    COLUMNS,
    EXPERIMENTS,
    IMAGING,
    PROJECT,
    SERIES,
    STUDY,
    Site,
    counts,
    message,
    of_series,
    scans,
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


# queries, §10


def test_one_question_for_a_whole_project(site: Site) -> None:
    site.archived(of_series(3) | of_series(4))
    site.archived(of_series(5, StudyInstanceUID="1.2.7"), session="E2", EXPT_LABEL="E2", subject="S2", SUBJECT_ID="S2")
    rows = site.rows(EXPERIMENTS, xsiType=IMAGING, columns=COLUMNS)
    scan = "xnat:imagesessiondata/scans/scan"
    expected = [("E1", "S1", STUDY, "3"), ("E1", "S1", STUDY, "4"), ("E2", "S2", "1.2.7", "5")]
    assert [(row["label"], row["subject_label"], row["UID"], row[f"{scan}/id"]) for row in rows] == expected
    assert list(rows[0]) == ["ID", "label", "subject_label", "UID", f"{scan}/id", f"{scan}/uid", "URI"]


def test_queries(site: Site) -> None:
    site.archived()
    [row] = site.rows(EXPERIMENTS)
    assert list(row) == ["ID", "project", "date", "xsiType", "label", "insert_date", "URI"]
    assert (row["xsiType"], row["date"], row["label"]) == ("xnat:ctSessionData", "2001-02-03", "E1")
    assert site.rows(EXPERIMENTS, columns="label,no_such_alias") == [{"label": "E1"}]
    assert site.rows(EXPERIMENTS, columns="ID") == [{"ID": row["ID"], "URI": row["URI"]}]
    assert site.rows(EXPERIMENTS, xsiType="xnat:mrSessionData") == []
    for broken in ({"columns": f"ID,{IMAGING}/no/such"}, {"xsiType": "xnat:noSuchData"}):
        answer = site.ask("GET", EXPERIMENTS, format="json", **broken)
        assert (answer.status_code, answer.content) == (200, b"")
    unknown = site.ask("GET", "/data/projects/NONE/experiments", format="json")
    assert (unknown.status_code, message(unknown)) == (404, "Unable to identify project NONE")
    assert [found["ID"] for found in site.rows("/data/experiments", label="E*", columns="ID")] == [row["ID"]]
    assert site.ask("GET", EXPERIMENTS, format="csv", columns="label").text == '"label"\r\n"E1"\r\n'


def test_pages_do_not_tell_how_many_there_are(site: Site) -> None:
    for name in ("E1", "E2", "E3"):
        site.archived(of_series(3), session=name, EXPT_LABEL=name)
    whole = site.ask("GET", EXPERIMENTS, format="json").json()["ResultSet"]
    assert (len(whole["Result"]), whole["totalRecords"]) == (3, "3")
    part = site.ask("GET", EXPERIMENTS, format="json", limit="1", offset="1").json()["ResultSet"]
    assert ([row["label"] for row in part["Result"]], "totalRecords" in part) == (["E2"], False)


def test_scans_and_their_files(site: Site) -> None:
    site.archived(of_series(3, 2))
    [session] = site.rows(EXPERIMENTS)
    base = f"/data/experiments/{session['ID']}"
    [scan] = site.rows(f"{base}/scans")
    assert list(scan) == [
        "xnat_imagescandata_id",
        "ID",
        "type",
        "quality",
        "xsiType",
        "note",
        "series_description",
        "URI",
    ]
    [asked] = site.rows(f"{base}/scans", columns="ID,UID,frames,modality")
    assert asked == {"ID": "3", "UID": SERIES, "frames": "2", "modality": "CT", "URI": f"{base}/scans/3"}
    files = site.rows(f"{base}/scans/3/resources/DICOM/files")
    assert len(files) == 2
    assert all(len(row["digest"]) == 32 for row in files)
    assert len(site.ask("GET", files[0]["URI"]).content) == int(files[0]["Size"])
    assert len(site.rows(f"{base}/files")) == 2
    by_label = f"/data/projects/{PROJECT}/subjects/S1/experiments/E1"
    assert site.ask("GET", by_label, format="json").json()["items"][0]["data_fields"]["UID"] == STUDY
    assert site.ask("GET", f"{base}/scans/99/resources", format="json").status_code == 404


def test_counts_may_come_late(site: Site) -> None:
    site.settings.populate_stats = False
    site.archived(of_series(3, 2))
    assert counts(site) == {"3": ""}
    [session] = site.rows(EXPERIMENTS)
    resource = f"/archive/experiments/{session['ID']}"
    answer = site.ask("POST", "/data/services/refresh/catalog", resource=resource, options="populateStats")
    assert answer.status_code == 200
    assert counts(site) == {"3": "2"}


def test_the_archive_survives_a_restart(tmp_path: Path) -> None:
    with Site(tmp_path) as site:
        site.archived(of_series(3, 2))
    with Site(tmp_path) as again:
        assert scans(again) == {"3": SERIES}
        assert counts(again) == {"3": "2"}
        again.archived(of_series(4))
        assert list(scans(again)) == ["3", "4"]


def test_sessions_can_be_deleted(site: Site) -> None:
    site.archived()
    [session] = site.rows(EXPERIMENTS)
    assert site.ask("DELETE", f"/data/experiments/{session['ID']}", removeFiles="true").status_code == 200
    assert site.rows(EXPERIMENTS) == []
    assert not list((site.directory / "archive").rglob("*.dcm"))
    site.archived()
    assert counts(site) == {"3": "1"}
