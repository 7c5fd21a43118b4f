"""NBIA's query endpoints in the sandbox: columns, dates, formats, and silence where nothing is known."""

import csv
import io
from collections.abc import Iterator
from datetime import date

import pytest
import requests

from sandbox.index import Row
from sandbox.nbia.tables import answer
from sandbox.sandbox import Sandbox

EXTRA, HIDDEN = "1.2.826.0.1.3680043.2.1", "1.2.826.0.1.3680043.2.2"
METADATA = (
    "PatientID, PatientName, PatientSex, EthnicGroup, Phantom, SpeciesCode, SpeciesDescription, StudyInstanceUID,"
    " StudyDate, StudyDesc, AdmittingDiagnosisDescription, StudyID, PatientAge, LongitudinalTemporalEventType,"
    " LongitudinalTemporalOffsetFromEvent, SeriesInstanceUID, Collection, Site, Modality, ProtocolName, SeriesDate,"
    " SeriesDescription, BodyPartExamined, SeriesNumber, AnnotationsFlag, Manufacturer, ManufacturerModelName,"
    " PixelSpacing(mm)-Row, SliceThickness(mm), SoftwareVersions, ImageCount, MaxSubmissionTimestamp, LicenseName,"
    " LicenseURI, DataDescriptionURI, FileSize, ReleasedStatus, DateReleased, ThirdPartyAnalysis, Authorized"
)


@pytest.fixture(scope="module")
def tcia(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    extra = [
        {"SeriesInstanceUID": EXTRA, "PatientID": "P1", "SeriesDescription": 'a "b"; c', "StudyDescription": None},
        {"SeriesInstanceUID": HIDDEN},
    ]
    with Sandbox(
        tmp_path_factory.mktemp("sandbox"),
        collections=["cmb_aml"],
        max_instances=5,
        with_xnat=False,
        extra_series=extra,
        hidden_from_nbia={HIDDEN},
    ) as started:
        yield started


@pytest.fixture(scope="module")
def rows(tcia: Sandbox) -> list[Row]:
    return tcia.index.nbia("SELECT * FROM nbia WHERE collection_id = 'cmb_aml' ORDER BY SeriesInstanceUID")


def ask(tcia: Sandbox, path: str, **asked: str) -> requests.Response:
    return requests.get(f"{tcia.environment['TCIA_XNAT_NBIA_URL']}/{path}", params=asked, timeout=30)


def post(tcia: Sandbox, path: str, *form: tuple[str, str]) -> requests.Response:
    return requests.post(f"{tcia.environment['TCIA_XNAT_NBIA_URL']}/{path}", data=list(form), timeout=30)


def test_metadata_of_many_series(tcia: Sandbox, rows: list[Row]) -> None:
    uids = [row["SeriesInstanceUID"] for row in rows]
    joined = post(tcia, "v4/getSeriesMetadata", ("list", ",".join([*uids, "1.2.3", HIDDEN])), ("format", "json"))
    repeated = post(tcia, "v4/getSeriesMetadata", *(("list", uid) for uid in uids), ("format", "JSON"))
    assert joined.headers["Content-Type"] == "application/json"
    assert joined.json() == repeated.json()
    for row, found in zip(rows, joined.json(), strict=True):
        assert None not in found.values()
        assert {name: found[name] for name in ("SeriesInstanceUID", "StudyInstanceUID", "PatientID", "Modality")} == {
            name: row[name] for name in ("SeriesInstanceUID", "StudyInstanceUID", "PatientID", "Modality")
        }
        assert found["StudyDate"] == f"{date.fromisoformat(row['StudyDate']):%m-%d-%Y}"
        assert found["ImageCount"] == row["instanceCount"] <= 5
        assert found["FileSize"] == row["instanceCount"] * tcia.images.image_bytes
        assert found["Collection"] == "CMB-AML"
        assert found["LicenseName"] == "Creative Commons Attribution 4.0 International License"
        assert found["LicenseURI"] == "https://creativecommons.org/licenses/by/4.0/"
        assert found["DataDescriptionURI"] == f"https://doi.org/{row['source_DOI']}"


def test_metadata_is_a_table_to_save_unless_asked_otherwise(tcia: Sandbox, rows: list[Row]) -> None:
    uid = rows[0]["SeriesInstanceUID"]
    for form in ([("list", f"{uid},")], [("list", f" {uid}\n"), ("format", "CSV")]):
        answered = post(tcia, "v4/getSeriesMetadata", *form)
        assert answered.headers["Content-Type"].startswith("text/csv")
        assert answered.headers["Content-Disposition"] == 'attachment; filename="SeriesMetaData.csv"'
        lines = answered.text.split("\n")
        assert lines[0] == '"' + METADATA.replace(", ", '","') + '"'
        assert dict(zip(*csv.reader(lines[:2]), strict=True))["SeriesInstanceUID"] == uid
        assert lines[2:] == [""]
        assert "\r" not in answered.text


def test_metadata_that_is_not_given(tcia: Sandbox) -> None:
    unknown = post(tcia, "v4/getSeriesMetadata", ("list", "1.2.3"), ("format", "json"))
    assert (unknown.status_code, unknown.content, "Content-Type" in unknown.headers) == (200, b"", False)
    without = post(tcia, "v4/getSeriesMetadata", ("format", "json"))
    assert (without.status_code, without.text, without.headers["Content-Type"]) == (
        400,
        "A form parameter, list, containing at least one SeriesInstanceUID is required.",
        "application/json",
    )
    large = post(tcia, "v4/getSeriesMetadata", ("list", "1" * (11 << 20)))
    assert (large.status_code, large.headers["Content-Type"].partition(";")[0]) == (413, "text/html")
    assert "413 Request Entity Too Large" in large.text
    url = f"{tcia.environment['TCIA_XNAT_NBIA_URL']}/v4/getSeriesMetadata"
    wrong = requests.post(url, json={"list": ["1.2"]}, timeout=30)
    assert wrong.status_code == 500
    assert wrong.text.endswith("HTTP 415 Unsupported Media Type")


def test_series_by_what_is_known_of_them(tcia: Sandbox, rows: list[Row]) -> None:
    row = next(found for found in rows if found["Modality"] == "CT" and found["BodyPartExamined"])
    (found,) = ask(tcia, "v4/getSeries", SeriesInstanceUID=row["SeriesInstanceUID"]).json()
    assert found["FileSize"] == row["instanceCount"] * tcia.images.image_bytes
    assert found["SeriesDate"] == f"{date.fromisoformat(row['SeriesDate']):%m-%d-%Y}"
    for asked, column in (
        ({"StudyInstanceUID": row["StudyInstanceUID"]}, "StudyInstanceUID"),
        ({"PatientID": row["PatientID"], "Modality": "CT"}, "PatientID"),
        ({"Collection": "CMB-AML", "Modality": "CT"}, "Modality"),
        ({"Collection": "cmb-aml", "BodyPartExamined": row["BodyPartExamined"]}, "BodyPartExamined"),
    ):
        several = ask(tcia, "v4/getSeries", **asked).json()
        expected = [
            r["SeriesInstanceUID"]
            for r in rows
            if r[column] == row[column] and asked.get("Modality", r["Modality"]) == r["Modality"]
        ]
        assert [entry["SeriesInstanceUID"] for entry in several] == expected
    assert ask(tcia, "v4/getSeries", Collection="Nobody").content == b""
    assert ask(tcia, "v4/getSeries", SeriesInstanceUID=HIDDEN).content == b""


def test_v1_writes_dates_as_timestamps(tcia: Sandbox, rows: list[Row]) -> None:
    (found,) = ask(tcia, "v1/getSeries", SeriesInstanceUID=rows[0]["SeriesInstanceUID"]).json()
    assert found["SeriesDate"] == f"{rows[0]['SeriesDate']} 00:00:00.0"
    assert "CollectionURI" in found
    assert "Site" not in found


def test_series_size(tcia: Sandbox, rows: list[Row]) -> None:
    uid, count = rows[0]["SeriesInstanceUID"], rows[0]["instanceCount"]
    size = {"TotalSizeInBytes": count * tcia.images.image_bytes, "ObjectCount": count}
    assert ask(tcia, "v4/getSeriesSize", SeriesInstanceUID=uid).json() == [size]
    assert ask(tcia, "v4/getSeriesSize", SeriesInstanceUID="1.2.3").content == b""
    assert ask(tcia, "v1/getSeriesSize", SeriesInstanceUID="1.2.3").text == "[{}]"


def test_metadata_of_v1(tcia: Sandbox) -> None:
    (found,) = ask(tcia, "v1/getSeriesMetaData", SeriesInstanceUID=EXTRA).json()
    assert found["Series UID"] == EXTRA
    assert found["Series Description"] == "a b c"
    assert found["Number of Images"] == 3
    assert found["Study Date"] == "2020-02-29 00:00:00.0"
    table = ask(tcia, "v1/getSeriesMetaData", SeriesInstanceUID=EXTRA, format="csv").text
    assert len(table.split("\n")[0].split(",")) == 27
    assert ask(tcia, "v1/getSeriesMetaData", SeriesInstanceUID="1.2.3").status_code == 204


def test_values(tcia: Sandbox, rows: list[Row]) -> None:
    assert ask(tcia, "v4/getCollectionValues").json() == [{"Collection": "CMB-AML"}, {"Collection": "NBIA-ONLY"}]
    assert ask(tcia, "v4/getCollectionValues", format="csv").text == "Collection\nCMB-AML\nNBIA-ONLY\n"
    for endpoint, column in (
        ("getModalityValues", "Modality"),
        ("getBodyPartValues", "BodyPartExamined"),
        ("getManufacturerValues", "Manufacturer"),
    ):
        expected = sorted({row[column] for row in rows if row[column]})
        found = ask(tcia, f"v4/{endpoint}", Collection="CMB-AML").json()
        assert found == [{column: value} for value in expected]


def test_patients_and_studies(tcia: Sandbox, rows: list[Row]) -> None:
    patients = ask(tcia, "v4/getPatient", Collection="CMB-AML").json()
    assert [found["PatientId"] for found in patients] == sorted({row["PatientID"] for row in rows})
    assert patients[0]["Phantom"] == "NO"
    assert (patients[0]["SpeciesCode"], patients[0]["Authorized"]) == ("337915000", 1)
    (one,) = ask(tcia, "v4/getPatient", PatientId=rows[0]["PatientID"]).json()
    assert one["PatientName"] == rows[0]["PatientID"]
    studies = ask(tcia, "v4/getPatientStudy", PatientID=rows[0]["PatientID"]).json()
    counts = {found["StudyInstanceUID"]: found["SeriesCount"] for found in studies}
    mine = [row["StudyInstanceUID"] for row in rows if row["PatientID"] == rows[0]["PatientID"]]
    assert counts == {uid: mine.count(uid) for uid in mine}
    (study,) = ask(tcia, "v1/getPatientStudy", PatientID="P1").json()
    assert study["StudyDate"] == "2020-02-29 00:00:00.0"
    assert "Authorized" not in study


def test_what_is_new_since_a_day(tcia: Sandbox, rows: list[Row]) -> None:
    everything = {row["SeriesInstanceUID"] for row in rows} | {EXTRA}
    for version, early, day, late in (
        ("v4", "10-15-2020", "10-16-2020", "12-31-2030"),
        ("v1", "15/10/2020", "16/10/2020", "31/12/2030"),
    ):
        found = {e["SeriesInstanceUID"] for e in ask(tcia, f"{version}/getUpdatedSeries", fromDate=early).json()}
        assert found == everything
        later = {e["SeriesInstanceUID"] for e in ask(tcia, f"{version}/getUpdatedSeries", fromDate=day).json()}
        assert later == everything - {EXTRA}  # of version 1
        assert ask(tcia, f"{version}/getUpdatedSeries", fromDate=late).content == b""
    assert ask(tcia, "v4/getUpdatedSeries", fromDate="15/10/2020").status_code == 500
    without = ask(tcia, "v4/NewPatientsInCollection", Collection="CMB-AML")
    assert (without.status_code, without.text) == (
        400,
        "A parameter, Collection and Date are required for this API call.",
    )
    assert ask(tcia, "v4/NewPatientsInCollection", Collection="NBIA-ONLY", fromDate="10-15-2020").json()


def test_forms_of_answers(tcia: Sandbox) -> None:
    for form, kind in (("json", "application/json"), ("CSV", "text/csv"), ("Xml", "application/xml"), ("html", "text/html")):  # fmt: skip  # noqa: E501  a table
        answered = ask(tcia, "v4/getSeries", SeriesInstanceUID=EXTRA, format=form)
        assert (answered.status_code, answered.headers["Content-Type"].partition(";")[0]) == (200, kind)
        assert EXTRA in answered.text
    table = ask(tcia, "v4/getSeries", SeriesInstanceUID=EXTRA, format="csv").text
    assert '"a ""b""; c"' in table
    assert len(list(csv.reader(io.StringIO(table)))[1]) == 30
    described = ask(tcia, "v4/getSeries", SeriesInstanceUID=EXTRA, format="xml").text
    assert described.startswith(
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Results><Row><SeriesInstanceUID'
    )
    assert "<SeriesDescription type='java.lang.String'>a &quot;b&quot;&#x3b; c</SeriesDescription>" in described
    assert "<ImageCount type='java.lang.Integer'>3</ImageCount>" in described
    assert "StudyDesc" not in described
    page = ask(tcia, "v4/getSeries", SeriesInstanceUID=EXTRA, format="html").text
    assert page.startswith("<P ALIGN='center'><TABLE BORDER=1><TR><TH>SeriesInstanceUID</TH>")
    assert "<TD>&nbsp;</TD>" in page
    saved = ask(tcia, "v4/getSeries", SeriesInstanceUID=EXTRA, format="csv-download")
    assert saved.headers["Content-Disposition"] == 'attachment; filename="SeriesMetaData.csv"'
    wrong = ask(tcia, "v4/getSeries", SeriesInstanceUID=EXTRA, format="yaml")
    assert (wrong.status_code, wrong.text) == (500, "Server was not able to process your request")
    assert ask(tcia, "v4/getSeries", SeriesInstanceUID="1.2.3", format="yaml").content == b""


def test_a_row_without_a_first_value_is_broken_as_nbia_breaks_it() -> None:
    assert bytes(answer([{"a": None, "b": "x"}], "csv").body) == b'"a","b"\n","","x"\n'
    assert bytes(answer([{"a": "x", "b": None}], "csv").body) == b'"a","b"\n"x",""\n'


def test_manifests(tcia: Sandbox, rows: list[Row]) -> None:
    head = [
        "downloadServerUrl=https://nbia.cancerimagingarchive.net/nbia-download/servlet/DownloadServlet",
        "includeAnnotation=true",
        "noOfrRetry=4",
    ]
    uids = [row["SeriesInstanceUID"] for row in rows]
    made = post(tcia, "v4/getManifestForCollection", ("collection", "CMB-AML"))
    assert made.headers["Content-Type"].partition(";")[0] == "application/x-nbia-manifest-file"
    lines = made.text.split("\n")
    assert lines[:3] == head
    assert lines[3].startswith("databasketId=CMB-AML-")
    assert lines[4:] == ["manifestVersion=3.0", "ListOfSeriesToDownload=", *uids, ""]
    listed = post(tcia, "v4/getManifestText", ("list", "1.2"), ("list", "1.3"), ("includeAnnotation", "false"))
    assert listed.text.split("\n")[1] == "includeAnnotation=false"
    assert listed.text.split("\n")[5:] == ["ListOfSeriesToDownload=", "1.2", "1.3", ""]
    study = rows[0]["StudyInstanceUID"]
    form = (("studyUIDs", study), ("patientIDs", "P1"))
    either = post(tcia, "v4/getManifestFromPatientStudySeries", *form, ("anyOrAll", "any"))
    expected = {row["SeriesInstanceUID"] for row in rows if row["StudyInstanceUID"] == study} | {EXTRA}
    assert set(either.text.split("\n")[6:-1]) == expected
    both = post(tcia, "v4/getManifestFromPatientStudySeries", *form, ("anyOrAll", "all"))
    assert both.text.split("\n")[6:] == [""]
    wrong = post(tcia, "v4/getManifestForCollection", ("Collection", "CMB-AML"))
    assert (wrong.status_code, wrong.text) == (
        400,
        "Invalid form parameter: 'Collection'. Allowed parameters are: [collection, visibility, includeAnnotation]",
    )
