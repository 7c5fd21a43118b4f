"""The ready manifests are what their table says, and what the index says today."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from resources.make_manifests import READY, RECIPES, Recipe, make
from tcia_xnat.manifest import read
from tcia_xnat.progress import size
from tcia_xnat.sources.idc.client import index_path

ROOT = READY.parents[1]
COUNTED = {
    "CMB-AML.tcia": (9, 16, 52),
    "CMB-AML_one-patient.tcia": (1, 3, 8),
    "CMB-AML_one-series.tcia": (1, 1, 1),
    "LIDC-IDRI.tcia": (1010, 1308, 1308),  # 1,308 as TCIA's own manifest (tcia-nbia-and-idc.md §7.4)
    "Spine-Mets-CT-SEG.tcia": (55, 55, 110),
    "NLST_50-patients.tcia": (50, 144, 392),
}


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a database with the series of the index in memory."""
    columns = """SeriesInstanceUID, StudyInstanceUID, PatientID, collection_id, Modality, instanceCount,
        license_short_name, source_DOI, series_size_MB"""
    with duckdb.connect() as opened:
        opened.from_parquet(str(index_path())).project(columns).create("series")
        yield opened


def row(file: str) -> list[str]:
    """Return the cells that the table has for a manifest."""
    (found,) = re.findall(rf"^\| \[{re.escape(file)}\]\({re.escape(file)}\) \|(.*)\|$", table(), re.MULTILINE)
    return [cell.strip() for cell in found.split("|")]


def table() -> str:
    return (READY / "README.md").read_text()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.file)
def test_its_series_are_real_and_its_row_is_true(recipe: Recipe, database: duckdb.DuckDBPyConnection) -> None:
    uids = list(read(READY / recipe.file).series_instance_uids)
    query = """
        SELECT count(DISTINCT PatientID), count(DISTINCT StudyInstanceUID), count(*), sum(instanceCount),
            list(DISTINCT collection_id), list_sort(list(DISTINCT Modality)),
            list_sort(list(DISTINCT license_short_name)), list_sort(list(DISTINCT source_DOI)),
            sum(series_size_MB) * 1e6
        FROM series WHERE SeriesInstanceUID IN (SELECT unnest(?::VARCHAR[]))"""
    *counts, collections, modalities, licences, dois, byte_count = database.execute(query, [uids]).fetchall()[0]
    assert counts[2] == len(uids)
    assert tuple(counts[:3]) == COUNTED.get(recipe.file, tuple(counts[:3]))
    assert collections == [re.sub("[ -]", "_", recipe.collection).lower()]
    assert not set(modalities) & {"SM", "ANN"}
    cells = row(recipe.file)
    assert cells[0].split(", ")[0] == recipe.collection
    assert cells[1:5] == [str(count) for count in counts]
    assert cells[5] == size(byte_count)
    assert cells[6:8] == [", ".join(modalities), ", ".join(licences)]
    assert re.findall(r"\[([^]]+)\]\(https://doi\.org/\1\)", cells[8]) == dois


def test_they_are_made_anew_to_the_byte(tmp_path: Path) -> None:
    make(tmp_path)
    names = {recipe.file for recipe in RECIPES}
    assert {path.name for path in READY.iterdir()} == names | {"README.md"}
    for name in names | {"README.md"}:
        assert (tmp_path / name).read_bytes() == (READY / name).read_bytes()
    for name in names:
        assert f"databasketId={name}\n" in (READY / name).read_text()


def test_there_are_enough_and_they_are_small() -> None:
    sizes = [path.stat().st_size for path in READY.iterdir()]
    assert len({recipe.collection for recipe in RECIPES}) >= 40
    assert max(sizes) < 500_000
    assert sum(sizes) < 5_000_000


def test_the_list_of_them_comes_at_once(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("StudyInstanceUID\n1.2.3\n")
    (tmp_path / "broken.tcia").write_text("ListOfSeriesToDownload=\nnone\n")
    (tmp_path / "mine.s5cmd").write_text("cp s3://b/0a1b2c3d-0000-4000-8000-123456789abc/* .\n")
    (tmp_path / "letter.csv").write_text("Dear,all\n")
    command = [sys.executable, str(ROOT / "download.py")]
    before = os.times()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30)
    after = os.times()
    lines = [line.split("  ") for line in done.stdout.splitlines()]
    shown = {Path(cells[-1]).name: cells[-2].strip() for cells in lines}
    assert shown.keys() == {recipe.file for recipe in RECIPES} | {"mine.csv", "broken.tcia", "mine.s5cmd"}
    assert shown["CMB-AML.tcia"] == "52 series"
    assert shown["mine.csv"] == "1 study"
    assert shown["mine.s5cmd"] == "1 series"
    assert shown["broken.tcia"] == "cannot be read"
    assert after.children_user + after.children_system - before.children_user - before.children_system < 1  # seconds
