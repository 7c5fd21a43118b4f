"""What a list names comes and nothing else: each form is read for certain, or refused with what to do."""

import io

import openpyxl
import pytest

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.model import ListRead, Series
from tcia_xnat.manifest import Manifest, parse
from tcia_xnat.request.resolve import resolve
from tests.unit.request.fake_index import FakeIndex

STUDY, OTHER_STUDY = "1.3.6.1.4.1.14519.5.2.1.100", "1.3.6.1.4.1.14519.5.2.1.200"
A, B, C = "1.3.6.1.4.1.14519.5.2.1.101", "1.3.6.1.4.1.14519.5.2.1.102", "1.3.6.1.4.1.14519.5.2.1.201"
NBIA_ONLY, NBIA_TOO = "1.3.6.1.4.1.14519.5.2.1.301", "1.3.6.1.4.1.14519.5.2.1.302"
FOLDER = "0a1b2c3d-0000-4000-8000-00000000000a"
OLDER = "0a1b2c3d-0000-4000-8000-0000000000ff"
INDEX = FakeIndex(
    Series(A, STUDY, "P1", "c1", image_count=2, aws_bucket="b", crdc_series_uuid=FOLDER),
    Series(B, STUDY, "P1", "c1", image_count=3, aws_bucket="b", crdc_series_uuid=FOLDER[:-1] + "b"),
    Series(C, OTHER_STUDY, "P2", "c1", image_count=4, aws_bucket="b", crdc_series_uuid=FOLDER[:-1] + "c"),
)
IMAGE = "11111111-2222-4333-8444-55555555555"


def read(text: str, name: str = "m.csv", column: str = "") -> Manifest:
    return resolve(parse(text.encode(), name, column), INDEX)


def workbook(**sheets: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


SERIES_A = {
    "a column of series beside studies": f"StudyInstanceUID,SeriesInstanceUID\n{STUDY},{A}\n",
    "folders": f"StudyInstanceUID,crdc_series_uuid\n{STUDY},{FOLDER}\n",
    "addresses": f"PatientID,series_aws_url\nP1,s3://b/{FOLDER}/*\n",
    "folders and addresses": f"crdc_series_uuid,series_aws_url\n{FOLDER},s3://b/{FOLDER}/*\n",
    "the other series column is empty": f"Series UID,SeriesInstanceUID\n,{A}\n",
    "a number named Series ID": f"Series ID,SeriesInstanceUID\n3,{A}\n",
    "both columns hold the same": f"Series UID,SeriesInstanceUID\n{A},{A}\n",
    "cells of Excel": f'PatientID,SeriesInstanceUID\nP1,"=""{A}"""\n',
    "a first line of Excel": f"sep=;\nPatientID;SeriesInstanceUID\nP1;{A}\n",
    "a table of pipes": f"PatientID|SeriesInstanceUID\nP1|{A}\n",
    "series, study": f"{A},{STUDY}\n",
    "study, patient, series": f"{STUDY},P1,{A}\n",
    "series, study, patient": f"{A},{STUDY},P1\n",
    "a number behind": f"{A},1.5\n",
    "patient, series": f"P1,{A}\n",
    "patient; series in quotes": f'"Doe, J";"{A}"\n',
    "patient, tab, series": f"P1\t{A}\n",
    "patient, pipe, series": f"P1|{A}\n",
    "patient, study, series": f"P1,{STUDY},{A}\n",
    "number, patient, series, description": f"1,P1,{A},chest 1.5 mm\n",
    "a key with a colon": f"ListOfSeriesToDownload:\n{A}\n",
    "a bare cell of Excel": f'="{A}"\n',
    "all images of a series": f"cp s3://b/{FOLDER}/{IMAGE}0.dcm .\ncp s3://b/{FOLDER}/{IMAGE}1.dcm .\n",
    "JSON: a list": f'["{A}"]',
    "JSON: a list of Python": f"['{A}',]",
    "JSON: rows": f'[{{"SeriesInstanceUID": "{A}"}}]',
    "JSON: columns": f'{{"SeriesInstanceUID": {{"0": "{A}"}}, "PatientID": {{"0": "P1"}}}}',
    "JSON: lists": f'{{"SeriesInstanceUID": ["{A}"]}}',
    "JSON: split": f'{{"columns": ["PatientID", "SeriesInstanceUID"], "index": [0], "data": [["P1", "{A}"]]}}',
    "JSON: index": f'{{"0": {{"SeriesInstanceUID": "{A}"}}}}',
    "JSON: table": f'{{"schema": {{}}, "data": [{{"index": 0, "SeriesInstanceUID": "{A}"}}]}}',
    "JSON: lines": f'{{"SeriesInstanceUID": "{A}"}}\n{{"SeriesInstanceUID": "{A}"}}\n',
    "JSON: one row": f'{{"SeriesInstanceUID": "{A}"}}',
    "JSON: rows of an object": f'{{"series": [{{"SeriesInstanceUID": "{A}"}}]}}',
}


@pytest.mark.parametrize("text", SERIES_A.values(), ids=SERIES_A.keys())
def test_the_series_that_is_named_comes_alone(text: str) -> None:
    assert read(text).series_instance_uids == (A,)


REFUSED = {
    "studies beside unknown series": (
        f"StudyInstanceUID,CT_Series\n{STUDY},{A}\n",
        r"m\.csv has studies in column StudyInstanceUID, and CT_Series may name what is meant",
        "--column CT_Series or --column StudyInstanceUID",
    ),
    "studies beside unknown addresses": (
        f"StudyInstanceUID,where\n{STUDY},s3://b/{FOLDER}/*\n",
        "where may name what is meant",
        "--column where",
    ),
    "studies beside folders": (f"StudyInstanceUID;uuid\n{STUDY};{FOLDER}\n", "uuid may name", "--column uuid"),
    "studies beside images": (
        f"StudyInstanceUID,SOPInstanceUID\n{STUDY},{A}\n",
        "SOPInstanceUID may name",
        "--column SOPInstanceUID",
    ),
    "series only now and then": (f"StudyInstanceUID,note\n{STUDY},\n{STUDY},{A}\n", "note may name", "--column note"),
    "a column without a heading": (f"StudyInstanceUID,\n{STUDY},{A}\n", "column 2 without a heading", "--column"),
    "unknown headings": (f"Patient,CT Series\nP1,{A}\n", "no column SeriesInstanceUID", '--column "CT Series"'),
    "two columns of one name": (
        f"SeriesInstanceUID,SeriesInstanceUID\n{A},{B}\n",
        r"several columns of the same meaning: SeriesInstanceUID \(column 1\), SeriesInstanceUID \(column 2\)",
        "names of their own",
    ),
    "two spellings": (f"Series UID,SeriesInstanceUID\n{A},{B}\n", "several columns", '--column "Series UID" or'),
    "two columns of studies": (f"Study UID,StudyInstanceUID\n{STUDY},{OTHER_STUDY}\n", "several columns", "--column"),
    "patients": ("PatientID,age\nP1,064Y\n", "no column SeriesInstanceUID", "--column PatientID takes all series"),
    "a study and a series of it": (f"{STUDY}\n{A}\n", f"names study {STUDY} and series beside it", "headings"),
    "a study and a series of another": (f"{STUDY},{C}\n", f"names study {STUDY}", "headings"),
    "one study with a series that only NBIA has": (f"{STUDY},{NBIA_ONLY}\n", f"names study {STUDY}", "headings"),
    "some images": (
        f"cp s3://b/{FOLDER}/{IMAGE}0.dcm .\n",
        f"names 1 of the 2 images of series {A}",
        f"cp s3://b/{FOLDER}/",
    ),
    "a row with a study and no series": (
        f"StudyInstanceUID,SeriesInstanceUID\n{STUDY},{A}\n{OTHER_STUDY},\n",
        r"m\.csv, line 3 names a study and no series",
        "leave the line out",
    ),
    "a broken UID before a series": (
        f"1.3.6.1.4.1.14519.5.2.1.1O1,{A}\n",
        "a UID that is none, line 1",
        "headings, such as PatientID,SeriesInstanceUID",
    ),
    "blanks between patient and series": (f"P1 {A}\n", "a UID that is none, line 1", "headings, such as"),
    "a broken UID in a list": (f"{A}\n{B}x\n", "a UID that is none, line 2", "mend or delete the line"),
    "a patient and a study of several": (f"P1,{STUDY}\nP1,{A}\n", f"names study {STUDY}", "headings"),
    "a series, and a broken one beside it": (f"{A},{B}x\n", "a UID that is none, line 1", "headings, such as"),
    "a row without its series": (f"P1,{STUDY},{A}\nP2,{OTHER_STUDY},\n", f"names study {OTHER_STUDY}", "headings"),
    "the same where only NBIA has the others": (
        f"P1,{NBIA_ONLY},{NBIA_TOO}\nP2,{STUDY}\n",
        f"names study {STUDY}",
        "headings",
    ),
    "a line of pipes that was cut": (f"c1|P1|{STUDY}\n", "a UID that is none, line 1", "headings, such as"),
    "images as IDC had them before version 14": (
        f"cp gs://public-datasets-idc/{IMAGE}0.dcm .\n",
        r"m\.csv, line 1 names a single file of IDC as it was before version 14",
        "name the series by their UIDs",
    ),
    "JSON rows and something else": (f'[{{"SeriesInstanceUID": "{A}"}}, "{B}"]', "not a list of series", "rows"),
    "studies that nobody knows": ("StudyInstanceUID\n1.2.3\n", "knows none of the 1", "SeriesInstanceUID"),
}


@pytest.mark.parametrize(("text", "said", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_certain_is_refused_with_what_to_do(text: str, said: str, hint: str) -> None:
    with pytest.raises(ManifestError, match=said) as caught:
        read(text)
    assert hint in caught.value.hint


CHOSEN = {
    "series": (f"StudyInstanceUID,CT_Series\n{STUDY},{A}\n", "CT_Series", (A,)),
    "in another spelling": (f"StudyInstanceUID,CT Series\n{STUDY},{A}\n", "ct_series", (A,)),
    "studies": (f"StudyInstanceUID,CT_Series\n{STUDY},{A}\n", "StudyInstanceUID", (A, B)),
    "studies under another heading": (f"exam,CT_Series\n{STUDY},{A}\n", "exam", (A, B)),
    "addresses": (f"StudyInstanceUID,where\n{STUDY},s3://b/{FOLDER}/*\n", "where", (A,)),
    "patients": ("PatientID,age\nP1,064Y\n", "PatientID", (A, B)),
    "one of two": (f"Series UID,SeriesInstanceUID\n{A},{B}\n", "SeriesInstanceUID", (B,)),
}


@pytest.mark.parametrize(("text", "column", "uids"), CHOSEN.values(), ids=CHOSEN.keys())
def test_the_column_that_the_user_chose_is_read(text: str, column: str, uids: tuple[str, ...]) -> None:
    assert read(text, column=column).series_instance_uids == uids


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(ManifestError, match=r"m\.csv has no column CT"):
        read(f"StudyInstanceUID,x\n{STUDY},1\n", column="CT")


def test_patients_that_nobody_knows_are_named() -> None:
    with pytest.raises(ManifestError, match=r"does not list 1 patient of m\.csv: P9"):
        read("PatientID\nP1\nP9\n", column="PatientID")


SAID = {
    f"StudyInstanceUID,n\n{STUDY},1\n{STUDY},2\n": "m.csv: 2 lines, 1 study in column StudyInstanceUID: 2 series",
    f"n,Series UID\n1,{A}\n2,{B}\n": "m.csv: 2 lines, 2 series in column Series UID",
    f"{A}\n{STUDY[:-3]}200\n": "m.csv: 2 lines, 1 series and 1 study: 2 series",
    f"{A},{STUDY}\n{B},{STUDY}\n": "m.csv: 2 lines, 2 series; 1 study beside their series not taken",
    f"cp s3://b/{FOLDER}/* .\n": "m.csv: 1 line, 1 folder of IDC: 1 series",
    f"P1,{STUDY}\n": "m.csv: 1 line, 1 study: 2 series",
    f"PatientID,crdc_series_uuid\nP,{FOLDER}\n": "m.csv: 1 line, 1 folder of IDC in column crdc_series_uuid: 1 series",
}


@pytest.mark.parametrize(("text", "said"), SAID.items())
def test_it_is_said_how_a_list_was_read(text: str, said: str) -> None:
    assert [one.text for one in read(text).read] == [said]


def test_series_that_only_nbia_has_come_without_the_studies_beside_them() -> None:
    found = read(f"{NBIA_ONLY},{STUDY}\n{NBIA_TOO},{OTHER_STUDY}\n")
    assert found.series_instance_uids == (NBIA_ONLY, NBIA_TOO)


def test_a_folder_of_an_earlier_version_is_not_its_series() -> None:
    found = read(f"cp s3://b/{FOLDER}/* .\ncp s3://b/{OLDER}/* .\n")
    assert (found.series_instance_uids, found.crdc_series_uuids) == ((A,), (OLDER,))


def test_each_sheet_is_read_by_its_own_headings_and_all_come() -> None:
    book = workbook(
        CT=[["n", "Series UID"], [1, A]], rest=[["StudyInstanceUID"], [OTHER_STUDY]], notes=[["read me"], [3.5]]
    )
    found = resolve(parse(book, "m.xlsx"), INDEX)
    assert found.series_instance_uids == (A, C)
    assert found.read == (
        ListRead(
            "m.xlsx, sheet CT: 1 line, 1 series in column Series UID",
            "m.xlsx", "series", series=1, lines=1, entries=1, sheet="CT", column="Series UID",
        ),
        ListRead(
            "m.xlsx, sheet rest: 1 line, 1 study in column StudyInstanceUID: 1 series",
            "m.xlsx", "studies", series=1, lines=1, entries=1, sheet="rest", column="StudyInstanceUID",
        ),
    )  # fmt: skip


def test_a_sheet_without_the_column_that_was_chosen_is_not_dropped() -> None:
    book = workbook(CT=[["n", "CT"], [1, A]], PET=[["n", "Series UID"], [1, C]])
    with pytest.raises(ManifestError, match=r"m\.xlsx, sheet PET has no column CT"):
        parse(book, "m.xlsx", "CT")


def test_a_sheet_whose_series_stand_under_an_unknown_heading_is_not_dropped() -> None:
    book = workbook(CT=[["n", "Series UID"], [1, A]], PET=[["n", "my PET"], [1, C]])
    with pytest.raises(ManifestError, match=r"m\.xlsx, sheet PET has no column SeriesInstanceUID; found: n, my PET"):
        parse(book, "m.xlsx")
