"""Manifests: every oddity in the wild is read, every line that would lose a series is named."""

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcia_xnat.errors import ManifestError
from tcia_xnat.manifest import Original, find, parse, read, write_modified, write_tcia

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
    "version 4.0": HEADER.replace("3.0", "4.0") + f"{A}\n{B}\n",
    "pipe lines": f"{PIPE}\n{PIPE_V4}\n",
    "bare list": f"{A}\n{B}\n",
    "list with labels": HEADER + f"{A},P_01\n{B},P_02\n",
    "one line with commas": f"{A},{B}\n",
    "CSV SeriesInstanceUID": f"PatientID,SeriesInstanceUID\nP,{A}\nP,{B}\n",
    "CSV Series Instance UID": f"Series Instance UID,PatientID\n{A},P\n{B},P\n",
    "CSV Series UID": f'"Series UID","Collection"\n"{A}","x, y"\n"{B}","z"\n',
    "CSV Series ID": f"Patient,Series ID\nP,{A}\nP,{B}\n",
    "CSV of the older tool": f"study_instance_uid,series_instance_uid\n1.2,{A}\n1.2,{B}\n",
    "CSV with BOM and CRLF": f"\ufeffSeriesInstanceUID,x\r\n{A},1\r\n{B},2\r\n",
    "TSV": f"PatientID\tSeriesInstanceUID\nP\t{A}\nP\t{B}\n",
    "semicolons": f"PatientID;SeriesInstanceUID\nP;{A}\nP;{B}\n",
    "PET/CT pairs": f"patient_id,pet_series_instance_uid,ct_series_instance_uid,series_instance_uid\nP,{A},{B},{A}\n",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_every_form_gives_the_same_series(text: str) -> None:
    assert parse(text.encode(), "m").series_instance_uids == (A, B)


def test_a_header_in_latin_1_is_no_obstacle() -> None:
    assert parse(("databasketId=Müller\n" + HEADER + A).encode("latin-1"), "m").series_instance_uids == (A,)


def test_an_s5cmd_list_gives_folders() -> None:
    commands = f"cp s3://idc-open-data/{UUID}/* .\ncp  's3://b/{UUID}/*' d\n"
    text = f"# s5cmd --no-sign-request run\nseries_manifest_cp_command\n{commands}"
    assert parse(text.encode(), "m.s5cmd").crdc_series_uuids == (UUID,)


def test_a_workbook_is_read_from_all_its_sheets() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for uid in (A, B):
        sheet = book.create_sheet()
        sheet.append(["PatientID", "Series UID"])
        sheet.append(["P", uid])
    file = io.BytesIO()
    book.save(file)
    assert parse(file.getvalue(), "m.xlsx").series_instance_uids == (A, B)


def test_what_is_passed_over_is_named_with_its_line() -> None:
    manifest = parse(FORMS["spreadsheet heading"].encode(), "m")
    assert [(one.line, one.text) for one in manifest.rejected] == [(7, "Series ID")]


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
    "version 1": (b"downloadServerUrl=http://x\ndatabasketId=a-x\nmanifestVersion=1.0\n", "version 1.0"),
    "version 2": (b"databasketId=a\nmanifestVersion=2.0\n", "version 2.0"),
    "no version and no list": (b"databasketId=a\nnoOfrRetry=4\n", "version 1"),
    "XML": (b'<TCIACollection apiVersion="v2"><Downloads/></TCIACollection>', "XML"),
    "JSON": (b'[{"object_id": "dg.4DFC/1"}]', "JSON"),
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
    with pytest.raises(ManifestError, match="and 2 more"):
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


uids = st.from_regex(r"[0-2](\.(0|[1-9][0-9]{0,8})){1,5}", fullmatch=True)
between = st.lists(st.sampled_from(["", "  ", "# note", "Series ID", "\t"]), max_size=3)


@settings(derandomize=True, deadline=None)
@given(st.lists(uids, min_size=1, max_size=20), between, st.sampled_from(["\n", "\r\n", "\r"]))
def test_line_ends_blanks_and_comments_never_change_the_series(listed: list[str], junk: list[str], end: str) -> None:
    lines = [*HEADER.splitlines(), *(line for uid in listed for line in (*junk, uid))]
    manifest = parse(end.join(lines).encode(), "m")
    assert manifest.series_instance_uids == tuple(dict.fromkeys(listed))
    assert manifest.duplicates == len(listed) - len(set(listed))


@settings(derandomize=True, deadline=None)
@given(st.lists(uids, min_size=1, unique=True))
def test_what_is_written_is_read_back(listed: list[str]) -> None:
    assert parse(write_tcia(listed, "x").encode(), "x").series_instance_uids == tuple(listed)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_bytes_are_a_manifest_or_one_of_our_errors(content: bytes) -> None:
    with contextlib.suppress(ManifestError):
        assert parse(content, "m").series_instance_uids
