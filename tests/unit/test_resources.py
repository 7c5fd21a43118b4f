"""The ready manifests are what their table says, and what the index says today."""

import re
from pathlib import Path

import duckdb
import pytest

from resources.make_manifests import READY, RECIPES, make
from tcia_xnat.clients.idc import index_path
from tcia_xnat.manifest import read

COUNTED = {
    "CMB-AML.tcia": (9, 16, 52),
    "CMB-AML_one-patient.tcia": (1, 3, 8),
    "CMB-AML_one-series.tcia": (1, 1, 1),
}


@pytest.mark.parametrize("file", COUNTED)
def test_its_series_are_real(file: str) -> None:
    uids = list(read(READY / file).series_instance_uids)
    query = """
        SELECT count(DISTINCT PatientID), count(DISTINCT StudyInstanceUID), count(*), list(DISTINCT collection_id),
            list_sort(list(DISTINCT Modality))
        FROM read_parquet(?) WHERE list_contains(?, SeriesInstanceUID)"""
    with duckdb.connect() as database:
        (found,) = database.execute(query, [str(index_path()), uids]).fetchall()
    assert found[:3] == COUNTED[file]
    assert found[3] == ["cmb_aml"]
    assert set(found[4]) <= {"CT", "MR", "XA"}
    row = re.search(rf"^\| \[{re.escape(file)}\].*$", (READY / "README.md").read_text(), re.MULTILINE)
    assert row is not None
    assert tuple(map(int, re.findall(r"\| (\d+) (?=\|)", row[0])[:3])) == COUNTED[file]


def test_they_are_made_anew_to_the_byte(tmp_path: Path) -> None:
    make(tmp_path)
    names = {recipe.file for recipe in RECIPES}
    assert {path.name for path in READY.iterdir()} == names | {"README.md"}
    for name in names:
        assert (tmp_path / name).read_bytes() == (READY / name).read_bytes()
        assert f"databasketId={name}\n" in (READY / name).read_text()
