"""Manifests: every oddity in the wild is read, every line that would lose a series is named."""

import contextlib
import io
import re
import time
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.manifest import Original, find, parse, passed_over, read, write_modified, write_tcia

A, B, C = "1.3.6.1.4.1.14519.5.2.1.1", "1.3.6.1.4.1.14519.5.2.1.22", "2.25.333"
HEADER = write_tcia([], "x.tcia")
UUID = "0a1b2c3d-0000-4000-8000-123456789abc"
PIPE = f"Coll|P1|1.2.3|{A}|No|5|100|0|http://x/y|name|true|d|i|s|1|d"
PIPE_V4 = PIPE.replace(A, B) + "|NA" * 8

FORMS = {
    "LF": HEADER + f"{A}\n{B}\n",
    "CRLF": (HEADER + f"{A}\n{B}\n").replace("\n", "\r\n"),
    "LF header and CRLF series": HEADER + f"{A}\r\n{B}\n",
    "lone CR": (HEADER + f"{A}\n{B}\n").replace("\n", "\r"),
    "no final newline": HEADER + f"{A}\n{B}",
    "BOM": "\ufeff" + HEADER + f"{A}\n{B}\n",
    "blank lines": HEADER + f"\n{A}\n\n  \n{B}\n\n",
    "blanks and commas behind": HEADER + f"{A} ,\n {B}\t\n",
    "comments": "# mine\n" + HEADER + f"# first\n{A}\n{B}\n",
    "spreadsheet heading": HEADER + f"Series ID\n{A}\n{B}\n",
    "duplicates": HEADER + f"{A}\n{B}\n{A}\n",
    "lower-case key": HEADER.lower() + f"{A}\n{B}\n",
    "missing keys": f"manifestVersion=3.0\nListOfSeriesToDownload=\n{A}\n{B}\n",
    "another order of keys": f"manifestVersion=3.0\nincludeAnnotation=true\nListOfSeriesToDownload=\n{A}\n{B}\n",
    "series on the key's line": HEADER.rstrip("\n") + f"{A}\n{B}\n",
    "a key without its sign": HEADER.replace("Download=", "Download") + f"{A}\n{B}\n",
    "two manifests in one file": HEADER + f"{A}\n" + HEADER + f"{B}\n",
    "two manifests, series on the keys' lines": HEADER.rstrip("\n") + f"{A}\n" + HEADER.rstrip("\n") + f"{B}\n",
    "series before the header": f"{A}\n" + HEADER + f"{B}\n",
    "keys without UIDs of other data": "dataType=other\n" + HEADER + f"{A}\n{B}\n",
    "version 4.0": HEADER.replace("3.0", "4.0") + f"{A}\n{B}\n",
    "pipe lines": f"{PIPE}\n{PIPE_V4}\n",
    "a pipe in a description": f"{PIPE}|of\n{PIPE_V4}\n",
    "pipe lines in a JNLP file": f"<jnlp><application-desc><argument>-x</argument>"
    f"<argument>{PIPE}</argument><argument>{PIPE_V4}</argument></application-desc></jnlp>",
    "comments behind UIDs": f"{A} # first\n{B}\t# second\n",
    "quotes": f"\"{A}\"\n'{B}'\n",
    "blanks between UIDs": f"{A} {B}\n",
    "bare list": f"{A}\n{B}\n",
    "list with labels": HEADER + f"{A},P_01\n{B},P_02\n",
    "one line with commas": f"{A},{B}\n",
    "CSV SeriesInstanceUID": f"PatientID,SeriesInstanceUID\nP,{A}\nP,{B}\n",
    "CSV Series Instance UID": f"Series Instance UID,PatientID\n{A},P\n{B},P\n",
    "CSV Series UID": f'"Series UID","Collection"\n"{A}","x, y"\n"{B}","z"\n',
    "CSV Series ID": f"Patient,Series ID\nP,{A}\nP,{B}\n",
    "CSV of the older tool": f"study_instance_uid,series_instance_uid\n1.2,{A}\n1.2,{B}\n",
    "CSV with BOM and CRLF": f"\ufeffSeriesInstanceUID,x\r\n{A},1\r\n{B},2\r\n",
    "CSV Series Instance UID in capitals": f"SERIES INSTANCE UID,PATIENTID\n{A},P\n{B},P\n",
    "CSV SeriesUID": f"SeriesUID,PatientID\n{A},P\n{B},P\n",
    "CSV series_uid": f"series_uid,patient\n{A},P\n{B},P\n",
    "CSV with a comma at the end of each row": f"SeriesInstanceUID,x\n{A},1,\n{B},2,\n",
    "CSV of cells with commas, quotes and line ends": f'note,Series UID\n"a, ""b""\nc",{A}\nd,{B}\n',
    "CSV under comments and blank lines": f"# mine\n\nSeriesInstanceUID,x\n{A},1\n\n{B},2\n",
    "metadata.csv of TCIA's retriever": f"Series UID,Collection,Subject ID,Study UID\r\n{A},C,P,1.2\r\n{B},C,P,1.2\r\n",
    "a column twice": f"SeriesInstanceUID,SeriesInstanceUID\n{A},9.9\n{B},9.9\n",
    "one column": f"SeriesInstanceUID\n{A}\n{B}\n",
    "JSON rows": f'[{{"PatientID": "P", "SeriesInstanceUID": "{A}"}}, {{"SeriesInstanceUID": "{B}", "x": null}}]',
    "TSV": f"PatientID\tSeriesInstanceUID\nP\t{A}\nP\t{B}\n",
    "semicolons": f"PatientID;SeriesInstanceUID\nP;{A}\nP;{B}\n",
    "PET/CT pairs": f"patient_id,pet_series_instance_uid,ct_series_instance_uid,series_instance_uid\nP,{A},{B},{A}\n",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_every_form_gives_the_same_series(text: str) -> None:
    assert parse(text.encode(), "m").series_instance_uids == (A, B)


def test_a_header_in_latin_1_is_no_obstacle() -> None:
    assert parse(("databasketId=Müller\n" + HEADER + A).encode("latin-1"), "m").series_instance_uids == (A,)


def test_excel_s_unicode_text_is_read() -> None:
    text = f"PatientID\tSeriesInstanceUID\r\nP\t{A}\r\nP\t{B}\r\n"
    assert parse(text.encode("utf-16"), "m.txt").series_instance_uids == (A, B)


S5CMD = (
    f"cp s3://idc-open-data/{UUID}/* .",
    f"cp  's3://b/{UUID}/*' d",
    f'cp "s3://b/{UUID}/*" "./out dir/"',
    f"sync --size-only s3://b/{UUID}/* .",
    f"cp gs://b/{UUID.upper()}/* .",
    f"s3://b/{UUID}/",
    f"s3://b/{UUID}",
    f"cp s3://b/{UUID}/11111111-2222-4333-8444-555555555555.dcm .",
    UUID,  # as failed.tcia has it
)


@pytest.mark.parametrize("head", ["", "# s5cmd --no-sign-request run\nseries_manifest_cp_command\n", HEADER])
def test_an_s5cmd_list_gives_folders(head: str) -> None:
    for line in S5CMD:
        assert parse(f"{head}{line}\n".encode(), "m.s5cmd").crdc_series_uuids == (UUID,)
    both = parse(f"{head}{S5CMD[0]}\n{A}\n".encode(), "m.s5cmd")
    assert (both.crdc_series_uuids, both.series_instance_uids) == ((UUID,), (A,))


def workbook(*sheets: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


SHEETS: dict[str, list[list[list[object]]]] = {
    "two sheets": [[["PatientID", "Series UID"], ["P", A]], [["Series Instance UID"], [B]]],
    "headings under a title": [[["My cohort"], [], ["n", "SeriesInstanceUID"], [1, A], [2, B]]],
    "a second sheet without headings": [[["n", "Series ID"], [1, A]], [[2, B]]],
    "a sheet of prose": [[["read me first"], [3.5]], [["SeriesUID", "n"], [A, 1], [B, None]]],
    "rows without a UID": [[["Series ID", "n"], [A, 1], [None, None], [None, 7], [B, 2]]],
    "pairs": [[["pet_series_instance_uid", "ct_series_instance_uid"], [A, B]]],
}


@pytest.mark.parametrize("sheets", SHEETS.values(), ids=SHEETS.keys())
def test_a_workbook_is_read_from_all_its_sheets(sheets: list[list[list[object]]]) -> None:
    assert parse(workbook(*sheets), "m.xlsx").series_instance_uids == (A, B)


def test_a_workbook_that_tells_a_wrong_size_is_read_whole() -> None:
    cut = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([["n", "Series ID"], [1, A], [2, B]]))) as whole,
        zipfile.ZipFile(cut, "w") as written,
    ):
        for name in whole.namelist():
            written.writestr(name, re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', whole.read(name)))
    assert b'<dimension ref="A1"' in zipfile.ZipFile(cut).read("xl/worksheets/sheet2.xml")
    assert parse(cut.getvalue(), "m.xlsx").series_instance_uids == (A, B)


def test_a_workbook_names_sheet_and_row() -> None:
    rows: list[list[object]] = [["title"], ["Series ID", "n"], [A, 1], [None, 7], ["1.2.x", 2]]
    with pytest.raises(ManifestError, match=r"^m\.xlsx, sheet Sheet1 has a UID that is none, line 5: '1\.2\.x'$"):
        parse(workbook(rows), "m.xlsx")
    (rejected,) = parse(workbook(rows[:4]), "m.xlsx").rejected
    assert (rejected.file, rejected.line, rejected.text) == ("m.xlsx, sheet Sheet1", 4, ",7")


STUDY_TABLES = {
    "CSV": f"PatientID,StudyInstanceUID\nP,{A}\nP,{B}\nP,{A}\n",
    "one column": f"Study Instance UID\n{A}\n{B}\n",
    "Study UID": f"Study UID;n\n{A};1\n{B};2\n",
}


@pytest.mark.parametrize("text", STUDY_TABLES.values(), ids=STUDY_TABLES.keys())
def test_a_table_of_studies_gives_studies(text: str) -> None:
    manifest = parse(text.encode(), "m.csv")
    assert (manifest.study_instance_uids, manifest.series_instance_uids) == ((A, B), ())


def test_an_xml_wrapper_gives_addresses() -> None:
    urls = ["https://h.example/a.tcia", "https://h.example/b.tcia"]
    listed = "".join(f"<URL> {url} </URL>" for url in [*urls, urls[0]])
    for space in ("", ' xmlns="urn:x"'):
        inner = f'<TCIACollection apiVersion="v2"{space}><Downloads>{listed}</Downloads></TCIACollection>'
        assert parse(f'<?xml version="1.0"?>\n{inner}\n'.encode(), "m.tcia").addresses == tuple(urls)


def test_what_is_passed_over_is_named_with_its_line() -> None:
    manifest = parse(FORMS["spreadsheet heading"].encode(), "m")
    assert [(one.line, one.text) for one in manifest.rejected] == [(7, "Series ID")]
    text = "# a\n" + HEADER + f"# b\nSeries ID\n{A}\nx=y\n{B} \n"
    assert passed_over(parse(text.encode(), "m.tcia").rejected) == [
        "m.tcia: lines 1, 8 passed over: a comment",
        "m.tcia: line 9 passed over: a heading",
        "m.tcia: line 11 passed over: a key within the list",
    ]
    table = f"Series ID,n\n{A},1\n,2\n,\n{B},3\n,4\n"
    assert passed_over(parse(table.encode(), "m.csv").rejected) == [
        "m.csv: lines 3, 6 passed over: a row without a series"
    ]
    assert not passed_over(parse(FORMS["one column"].encode(), "m.csv").rejected)


def test_a_line_of_a_table_is_counted_as_in_an_editor() -> None:
    text = f'# mine\n\nnote,Series UID\n"one\ntwo\nthree",{A}\n\nfour,1.2.x\n'
    with pytest.raises(ManifestError, match=r"line 8: '1\.2\.x'$"):
        parse(text.encode(), "m.csv")


def test_the_header_and_the_file_are_kept_as_given() -> None:
    manifest = parse(FORMS["CRLF"].encode(), "m")
    assert "".join(f"{line}\n" for line in manifest.header) == HEADER
    assert manifest.originals == (Original("m", FORMS["CRLF"].encode()),)


REFUSED = {
    "empty": (b"", "no series"),
    "header alone": (HEADER.encode(), "no series"),
    "a broken UID": ((HEADER + f"{A}\n1.2.x\n{B}").encode(), r"line 8: '1\.2\.x'"),
    "a UID of 65 characters": ((HEADER + "1." + "2" * 63).encode(), "line 7"),
    "a number": ((HEADER + "12345").encode(), "line 7"),
    "a broken UID in a table": (f"SeriesInstanceUID,x\n{A},1\nabc,2\n".encode(), "line 3: 'abc'"),
    "two broken UIDs in a table": (f"SeriesInstanceUID,x\nabc,1\n{A},2\nd,3\n".encode(), "line 2: 'abc'; line 4: 'd'"),
    "a table without series, but files": (b"drs_uri,name\ndrs://dg.4DFC:1,a\n", "no series"),
    "a table of addresses": (b"imageUrl,name\nhttps://x/y,a\n", "no series"),
    "a workbook without series": (workbook([["PatientID"], ["P"]]), "no column SeriesInstanceUID; found: PatientID"),
    "a workbook of an old form": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old form"),
    "version 1": (b"downloadServerUrl=http://x\ndatabasketId=a-x\nmanifestVersion=1.0\n", "version 1.0"),
    "version 2": (b"databasketId=a\nmanifestVersion=2.0\n", "version 2.0"),
    "no version and no list": (b"databasketId=a\nnoOfrRetry=4\n", "version 1"),
    "XML": (b'<TCIACollection apiVersion="v2"><Downloads/></TCIACollection>', "XML"),
    "XML that is broken": (b"<TCIACollection><Downloads>", "XML"),
    "XML with entities that grow": (b'<!DOCTYPE x [<!ENTITY a "aa">]><TCIACollection>&a;</TCIACollection>', "XML"),
    "a web page": (b"<html><body><p>404</body></html>", "no list of series"),
    "JSON": (b'[{"object_id": "dg.4DFC/1"}]', "JSON"),
    "JSON that is broken": (b'[{"SeriesInstanceUID": "1.2"', "JSON"),
    "prose": (b"Dear all,\nplease find attached\n", "no manifest"),
    "binary": (bytes(range(256)), "no manifest"),
    "a table without series": (b"PatientID,SeriesInstanceUID\nP,\n", "no series"),
    "a zip that is no workbook": (b"PK\x03\x04rubbish", "workbook"),
}


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_used_is_refused_in_one_line(content: bytes, said: str) -> None:
    with pytest.raises(ManifestError, match=said) as caught:
        parse(content, "m.tcia")
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_many_broken_lines_are_counted() -> None:
    with pytest.raises(ManifestError, match=r"line 9: 'c'; and 2 more: lines 10, 11$"):
        parse((HEADER + "a\nb\nc\nd\ne\n").encode(), "m")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path
    with pytest.raises(ManifestError, match="no such manifest"):
        read(folder / "nothing.tcia")
    with pytest.raises(ManifestError, match="folder"):
        read(folder)
    (folder / "b.tcia").write_text(FORMS["LF"])
    (folder / "a.csv").write_text(FORMS["CSV SeriesInstanceUID"])
    (folder / "other.csv").write_text("x,y\n1,2\n")
    assert [path.name for path in find([folder])] == ["a.csv", "b.tcia"]


def test_the_modified_manifest_has_header_series_and_labels_and_can_be_read_again() -> None:
    manifest = parse((HEADER + f"{A}\n{B}\n{C}\n").encode(), "m.tcia")
    text = write_modified(manifest, {A: "P", C: "P_01"})
    assert text == HEADER + f"{A},P\n{C},P_01\n"
    assert parse(text.encode(), "m.tcia").series_instance_uids == (A, C)
    assert write_modified(parse(f"{A}\n".encode(), "x.tcia"), {A: "P"}) == HEADER + f"{A},P\n"


def test_twenty_thousand_lines_are_read_in_a_moment() -> None:
    listed = [f"1.3.6.1.4.1.14519.5.2.1.{number}" for number in range(20_000)]
    started = time.process_time()
    assert len(parse(write_tcia(listed, "m").encode(), "m").series_instance_uids) == 20_000
    assert time.process_time() - started < 1


uids = st.from_regex(r"[0-2](\.(0|[1-9][0-9]{0,8})){1,5}", fullmatch=True)
between = st.lists(st.sampled_from(["", "  ", "# note", "Series ID", "\t"]), max_size=3)


@given(st.lists(uids, min_size=1, max_size=20), between, st.sampled_from(["\n", "\r\n", "\r"]))
def test_line_ends_blanks_and_comments_never_change_the_series(listed: list[str], junk: list[str], end: str) -> None:
    lines = [*HEADER.splitlines(), *(line for uid in listed for line in (*junk, uid))]
    manifest = parse(end.join(lines).encode(), "m")
    assert manifest.series_instance_uids == tuple(dict.fromkeys(listed))
    assert manifest.duplicates == len(listed) - len(set(listed))


@given(st.lists(uids, min_size=1, unique=True))
def test_what_is_written_is_read_back(listed: list[str]) -> None:
    assert parse(write_tcia(listed, "x").encode(), "x").series_instance_uids == tuple(listed)


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_bytes_are_a_manifest_or_one_of_our_errors(content: bytes) -> None:
    with contextlib.suppress(ManifestError):
        assert parse(content, "m").series_instance_uids


def test_a_table_as_pandas_writes_it_has_the_column_that_is_named() -> None:
    content = b'{"subject_id": {"0": "P12", "1": "P13"}, "CT": {"0": "1.2.3.4.5", "1": "1.2.3.4.6"}}'
    assert parse(content, "m.json", "subject_id").patient_ids == ("P12", "P13")
    with pytest.raises(ManifestError, match="found: subject_id, CT") as refused:
        parse(content, "m.json")
    assert "--column CT" in refused.value.hint
    with pytest.raises(ManifestError, match="no column MR"):
        parse(content, "m.json", "MR")
