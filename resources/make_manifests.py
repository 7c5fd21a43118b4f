"""Makes the manifests in this folder from IDC's index: `python -m resources.make_manifests [FOLDER]`."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import idc_index_data

from tcia_xnat.manifest import write_tcia
from tcia_xnat.progress import size
from tcia_xnat.sources.idc.client import index_path

READY = Path(__file__).resolve().parent / "TCIA"

_HEADINGS = (
    "manifest", "collection", "patients", "studies", "series", "images", "size", "modalities", "licence", "DOI",
)  # fmt: skip
_NO_SCANS = "'SM', 'ANN', 'M3D', 'XC'"  # slides, surfaces and photographs
_COUNTED = """count(DISTINCT PatientID), count(DISTINCT StudyInstanceUID), count(*), sum(instanceCount), sum(bytes),
    list_sort(list(DISTINCT Modality)), list_sort(list(DISTINCT license_short_name)),
    list_sort(list(DISTINCT source_DOI))"""
_ONE_PATIENT = """PatientID = (
    SELECT PatientID FROM collection GROUP BY PatientID
    HAVING count(DISTINCT StudyInstanceUID) = 3 ORDER BY PatientID LIMIT 1)"""
_ONE_SERIES = """SeriesInstanceUID = (
    SELECT SeriesInstanceUID FROM collection ORDER BY bytes, SeriesInstanceUID LIMIT 1)"""
_ONE_STUDY = """StudyInstanceUID = (
    SELECT StudyInstanceUID FROM collection GROUP BY StudyInstanceUID
    HAVING bool_or(Modality = 'PT') AND bool_or(Modality = 'CT') ORDER BY sum(bytes), StudyInstanceUID LIMIT 1)"""
_ONE_PAIR = """StudyInstanceUID = (
    SELECT StudyInstanceUID FROM collection GROUP BY StudyInstanceUID
    HAVING list_sort(list(Modality)) = ['CT', 'PT'] AND bool_or(SeriesDescription = 'PET WB')
    ORDER BY sum(bytes), StudyInstanceUID LIMIT 1)"""
_FIRST_PATIENTS = """PatientID IN (SELECT DISTINCT PatientID FROM collection ORDER BY PatientID LIMIT {})"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One manifest: the collection as TCIA names it, and its part.

    Attributes
    ----------
    part
        What people read; empty for the whole collection.
    condition
        The part as a condition on the rows of view `collection`.
    """

    collection: str
    part: str = ""
    condition: str = "true"

    @property
    def file(self) -> str:
        """Name of the file, of letters that XNAT takes in names of resources."""
        stem = re.sub(r"[^A-Za-z0-9._+-]+", "-", self.collection)
        return f"{stem}{'_' if self.part else ''}{self.part.replace(' ', '-')}.tcia"


def _first_patients(collection: str, count: int) -> Recipe:
    return Recipe(collection, f"{count} patients", _FIRST_PATIENTS.format(count))


_SMALL = (
    Recipe("CMB-AML", "one patient", _ONE_PATIENT),
    Recipe("CMB-AML", "one series", _ONE_SERIES),
    Recipe("CMB-CRC", "one series", _ONE_SERIES),
    Recipe("NSCLC Radiogenomics", "one PET-CT pair", _ONE_PAIR),
    Recipe("RIDER PHANTOM PET-CT", "one PET-CT study", _ONE_STUDY),
)
_SAMPLED = (
    _first_patients("Advanced-MRI-Breast-Lesions", 50),
    _first_patients("Breast-Cancer-Screening-DBT", 100),
    _first_patients("Duke-Breast-Cancer-MRI", 100),
    _first_patients("EA1141", 20),
    _first_patients("FDG-PET-CT-Lesions", 100),
    _first_patients("ISPY2", 20),
    _first_patients("NLST", 50),
    _first_patients("Prostate-MRI-US-Biopsy", 100),
    _first_patients("PSMA-PET-CT-Lesions", 100),
    _first_patients("UPENN-GBM", 50),
)
_WHOLE = (
    "ACRIN-NSCLC-FDG-PET",
    "Adrenal-ACC-Ki67-Seg",
    "Anti-PD-1_Lung",
    "Breast-MRI-NACT-Pilot",
    "C4KC-KiTS",
    "CMB-AML",
    "CMB-BRCA",
    "CMB-CRC",
    "CMB-GEC",
    "CMB-LCA",
    "CMB-MEL",
    "CMB-MML",
    "CMB-OV",
    "CMB-PCA",
    "Colorectal-Liver-Metastases",
    "CPTAC-CCRCC",
    "CPTAC-CM",
    "CPTAC-LSCC",
    "CPTAC-LUAD",
    "CPTAC-PDA",
    "CPTAC-SAR",
    "CPTAC-UCEC",
    "CT Lymph Nodes",
    "CT-Phantom4Radiomics",
    "HCC-TACE-Seg",
    "LCTSC",
    "LIDC-IDRI",
    "Lung-PET-CT-Dx",
    "Mediastinal-Lymph-Node-SEG",
    "NaF PROSTATE",
    "NSCLC Radiogenomics",
    "NSCLC-Radiomics",
    "Pancreas-CT",
    "PDMR-Texture-Analysis",
    "Prostate Fused-MRI-Pathology",
    "Prostate-Anatomical-Edge-Cases",
    "PROSTATE-MRI",
    "QIN-BREAST",
    "ReMIND",
    "RIDER Lung CT",
    "RIDER Lung PET-CT",
    "RIDER PHANTOM PET-CT",
    "Soft-tissue-Sarcoma",
    "Spine-Mets-CT-SEG",
    "TCGA-LUAD",
    "TCGA-LUSC",
    "VAREPOP-APOLLO",
    "Vestibular-Schwannoma-MC-RC",
)
RECIPES = tuple(sorted((*_SMALL, *_SAMPLED, *map(Recipe, _WHOLE)), key=lambda recipe: recipe.file.lower()))


def make(folder: Path) -> None:
    """Write every manifest, and README.md with what is in them; the same index makes the same bytes."""
    with duckdb.connect() as database:
        _load(database)
        rows = [_made(database, recipe, folder) for recipe in RECIPES]
    (folder / "README.md").write_text("\n".join([*_above(), *rows, ""]))


def _load(database: duckdb.DuckDBPyConnection) -> None:
    """Make table `ready` of the series of all collections that a recipe names."""
    index = str(index_path())
    collections = str(Path(index).with_name("collections_index.parquet"))
    names = "SELECT collection_id FROM read_parquet(?) WHERE collection_name IN (SELECT unnest(?))"
    known = database.execute(names, [collections, sorted({recipe.collection for recipe in RECIPES})]).fetchall()
    database.execute(
        f"""CREATE TABLE ready AS
            SELECT *, round(series_size_MB * 1e6)::BIGINT AS bytes, collection_name
            FROM read_parquet(?) JOIN (SELECT collection_id, collection_name FROM read_parquet(?)) USING (collection_id)
            WHERE collection_id IN (SELECT unnest(?)) AND analysis_result_id IS NULL
                AND Modality NOT IN ({_NO_SCANS})""",  # noqa: S608  modalities of ours
        [index, collections, [one for (one,) in known]],
    )


def _made(database: duckdb.DuckDBPyConnection, recipe: Recipe, folder: Path) -> str:
    """Write one manifest and return its row of the table."""
    database.execute(
        f"CREATE OR REPLACE VIEW collection AS SELECT * FROM ready WHERE collection_name = '{recipe.collection}'"  # noqa: S608  a name of ours
    )
    part = f"FROM collection WHERE {recipe.condition}"
    uids = database.execute(
        f"SELECT SeriesInstanceUID {part} ORDER BY PatientID, StudyDate, StudyInstanceUID, SeriesInstanceUID"
    ).fetchall()
    (folder / recipe.file).write_text(write_tcia([uid for (uid,) in uids], recipe.file))
    (found,) = database.execute(f"SELECT {_COUNTED} {part}").fetchall()
    return _row(recipe, found)


def _row(recipe: Recipe, found: tuple[Any, ...]) -> str:
    *counts, byte_count, modalities, licences, dois = found
    cells = (
        f"[{recipe.file}]({recipe.file})",
        f"{recipe.collection}, {recipe.part}" if recipe.part else recipe.collection,
        *counts,
        size(byte_count),
        ", ".join(modalities),
        ", ".join(licences),
        ", ".join(f"[{doi}](https://doi.org/{doi})" for doi in dois),
    )
    return f"| {' | '.join(map(str, cells))} |"


def _above() -> Iterator[str]:
    yield "# Manifests that are ready to use"
    yield ""
    yield f"Made by `python -m resources.make_manifests` from the package idc-index-data {idc_index_data.__version__}."
    yield "Whole collections are without slides and without the results of later analyses; of very large ones the first"
    yield "patients by PatientID. The small ones are for trying."
    yield ""
    yield f"| {' | '.join(_HEADINGS)} |"
    yield "|" + " --- |" * len(_HEADINGS)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else READY)
