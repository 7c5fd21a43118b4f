"""Makes the manifests in this folder from IDC's index: `python -m resources.make_manifests [FOLDER]`."""

import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import idc_index_data

from tcia_xnat.clients.idc import index_path
from tcia_xnat.manifest import write_tcia
from tcia_xnat.progress import size

READY = Path(__file__).resolve().parent / "TCIA"

_RADIOLOGY = "collection_id = 'cmb_aml' AND Modality <> 'SM'"  # its slides are no images for XNAT's sessions


@dataclass(frozen=True, slots=True)
class Recipe:
    """One manifest: its file, what it is for people, and its series as a condition on the rows of CMB-AML."""

    file: str
    title: str
    condition: str


RECIPES = (
    Recipe("CMB-AML.tcia", "CMB-AML without its slides", "true"),
    Recipe(
        "CMB-AML_one-patient.tcia",
        "the first patient of CMB-AML with exactly three studies",
        """PatientID = (
            SELECT PatientID FROM cmb_aml GROUP BY PatientID
            HAVING count(DISTINCT StudyInstanceUID) = 3 ORDER BY PatientID LIMIT 1)""",
    ),
    Recipe(
        "CMB-AML_one-series.tcia",
        "the smallest series of CMB-AML",
        """SeriesInstanceUID = (
            SELECT SeriesInstanceUID FROM cmb_aml ORDER BY series_size_MB, SeriesInstanceUID LIMIT 1)""",
    ),
)


def make(folder: Path) -> None:
    """Write every manifest, and README.md with what is in them; the same index makes the same bytes."""
    with duckdb.connect() as database:
        database.from_parquet(str(index_path())).filter(_RADIOLOGY).create_view("cmb_aml")
        rows = [_row(database, recipe) for recipe in RECIPES]
        for recipe in RECIPES:
            (folder / recipe.file).write_text(write_tcia(_series(database, recipe), recipe.file))
    (folder / "README.md").write_text("\n".join([*_heading(), *rows, ""]))


def _series(database: duckdb.DuckDBPyConnection, recipe: Recipe) -> list[str]:
    order = "PatientID, StudyDate, StudyInstanceUID, SeriesInstanceUID"
    query = f"SELECT SeriesInstanceUID FROM cmb_aml WHERE {recipe.condition} ORDER BY {order}"  # noqa: S608  recipes of ours
    return [uid for (uid,) in database.execute(query).fetchall()]


def _row(database: duckdb.DuckDBPyConnection, recipe: Recipe) -> str:
    columns = """count(DISTINCT PatientID), count(DISTINCT StudyInstanceUID), count(*), sum(instanceCount),
        sum(series_size_MB) * 1e6, string_agg(DISTINCT Modality, ', ' ORDER BY Modality),
        string_agg(DISTINCT license_short_name, ', '), string_agg(DISTINCT source_DOI, ', ')"""
    query = f"SELECT {columns} FROM cmb_aml WHERE {recipe.condition}"  # noqa: S608  recipes of ours
    (found,) = database.execute(query).fetchall()
    *counts, byte_count, modalities, licence, doi = found
    link = f"[{recipe.file}]({recipe.file})"
    cells = [link, recipe.title, *counts, size(byte_count), modalities, licence, f"[{doi}](https://doi.org/{doi})"]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _heading() -> list[str]:
    columns = ("manifest", "what", "patients", "studies", "series", "images", "size", "modalities", "licence", "DOI")
    return [
        "# Manifests that are ready to use",
        "",
        f"Made by `python -m resources.make_manifests` from the package idc-index-data {idc_index_data.__version__}.",
        "",
        "| " + " | ".join(columns) + " |",
        "|" + " --- |" * len(columns),
    ]


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else READY)
