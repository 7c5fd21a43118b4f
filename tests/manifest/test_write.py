"""Manifests that are merged and written: nothing twice, nothing lost, and other programs can read them."""

import re
from pathlib import Path

from tcia_utils import nbia

from tcia_xnat.core.model import Series
from tcia_xnat.manifest import merge, parse, read, read_all, write_csv, write_s5cmd, write_tcia

A, B, C = "1.3.6.1.4.1.14519.5.2.1.1", "1.3.6.1.4.1.14519.5.2.1.22", "2.25.333"
HEADER = write_tcia([], "x.tcia")
UUID = "0a1b2c3d-0000-4000-8000-123456789abc"


def test_several_manifests_become_one(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    texts = {
        "a.tcia": HEADER + f"{A}\n{B}\n",
        "x/a.tcia": f"{C}\n# x\n{B}\n",
        "c.s5cmd": f"cp s3://idc-open-data/{UUID}/* .\n{C}\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    merged = read_all(tmp_path / name for name in texts)
    assert merged.series_instance_uids == (A, B, C)
    assert (merged.crdc_series_uuids, merged.duplicates) == ((UUID,), 2)
    assert merged.header == tuple(HEADER.splitlines())
    assert [(one.file, one.line) for one in merged.rejected] == [("a.tcia", 2)]
    assert merged.name == "a_and_2_more.tcia"
    assert [(one.name, one.content.decode()) for one in merged.originals] == list(
        zip(("a.tcia", "a_2.tcia", "c.s5cmd"), texts.values(), strict=True)
    )
    assert merge([read(tmp_path / "a.tcia")]) == read(tmp_path / "a.tcia")


SERIES = (
    Series(
        A,
        "1.2",
        "P",
        "cmb_aml",
        "CT",
        "3",
        'a "b", c',
        "2000-01-02",
        "Thorax",
        7,
        4200,
        "CC BY 4.0",
        "10.1/x",
        "b",
        UUID,
    ),
    Series(B, "1.2", "P"),
)


def test_a_table_is_written_and_read_back() -> None:
    text = write_csv(SERIES)
    assert text.splitlines()[1] == (f'cmb_aml,P,1.2,2000-01-02,Thorax,{A},CT,3,"a ""b"", c",7,4200,CC BY 4.0,10.1/x')
    assert parse(text.encode(), "m.csv").series_instance_uids == (A, B)


def test_an_s5cmd_list_is_written_and_read_back() -> None:
    text = write_s5cmd(SERIES)
    assert text.splitlines()[1:] == [f"cp s3://b/{UUID}/* .", f"# not in IDC: {B}"]
    assert parse(text.encode(), "m.s5cmd").crdc_series_uuids == (UUID,)


def test_a_name_cannot_break_the_header() -> None:
    assert parse(write_tcia([A], "two\nlines=\r").encode(), "m").header[3] == "databasketId=two lines="


def as_java_reads(text: str) -> tuple[dict[str, str], list[str]]:
    """Read as the Data Retriever does: properties, then digits and dots behind the key (tcia-nbia-and-idc.md §1.3)."""
    lines = text.split("\n")
    start = next(number for number, line in enumerate(lines) if line.lower() == "listofseriestodownload=")
    properties = dict(line.split("=", 1) for line in lines[: start + 1])
    return properties, list(filter(None, (re.sub(r"[^.0-9]", "", line) for line in lines[start + 1 :])))


def as_go_reads(text: str) -> list[str]:
    """Read as TCIA's retriever in Go did in January 2026: each line without `=` is a series (§1.3)."""
    return [line.rstrip("\r") for line in text.splitlines() if "=" not in line]


def test_the_retrievers_of_others_read_what_is_written(tmp_path: Path) -> None:
    text = write_tcia([A, B, C], "x.tcia")
    properties, uids = as_java_reads(text)
    assert uids == as_go_reads(text) == [A, B, C]
    assert list(properties) == [
        "downloadServerUrl", "includeAnnotation", "noOfrRetry", "databasketId", "manifestVersion",
        "ListOfSeriesToDownload",
    ]  # fmt: skip
    assert properties["manifestVersion"].startswith("3.")
    path = tmp_path / "x.tcia"
    path.write_text(text)
    assert nbia.manifestToList(str(path)) == [A, B, C]
