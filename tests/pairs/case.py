"""The thirty studies of studies.csv, checked by hand: for each rule one, each with its verdict and its reason."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tcia_xnat.pairs import SeriesRow

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Study:
    """A study: its series as `modality description`, the verdict of the default rules, and that of the strict ones.

    The series of study 9 have the UIDs 1.9.1, 1.9.2, … and 109, 209, … images.
    """

    number: int
    series: tuple[str, ...]
    collection: str
    patient: str
    date: str
    verdict: str
    strict: str
    reason: str


def _studies() -> Iterator[Study]:
    with (HERE / "studies.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            number, series = int(row.pop("number")), tuple(row.pop("series").split(" | "))
            yield Study(number, series, **row)


STUDIES = tuple(_studies())


def series_rows() -> Iterator[SeriesRow]:
    """Yield the series of all studies; the sex is known of CT, the age of PET only."""
    for study in STUDIES:
        for nth, text in enumerate(study.series, 1):
            modality, description = text.split(" ", 1)
            yield SeriesRow(
                study.collection,
                study.patient,
                "F" if modality == "CT" else "",
                "061Y" if modality == "PT" else "",
                f"1.{study.number}",
                study.date,
                f"Study {study.number}",
                modality,
                description,
                100 * nth + study.number,
                f"1.{study.number}.{nth}",
            )


def write_index(path: Path) -> Path:
    """Write the series as an index of IDC; what is unknown is NULL there."""
    rows = [
        [value or None for value in (
            one.series_instance_uid, one.study_instance_uid, one.patient_id, one.collection, one.modality, "1",
            one.series_description, one.study_date, one.study_description, one.image_count, one.image_count / 2,
            "CC BY 4.0", "10.1/x", "b", f"0a1b2c3d-0000-4000-8000-{number:012}", one.patient_sex, one.patient_age,
        )]
        for number, one in enumerate(series_rows())
    ]  # fmt: skip
    with duckdb.connect() as database:
        database.execute(
            """CREATE TABLE series (SeriesInstanceUID VARCHAR, StudyInstanceUID VARCHAR, PatientID VARCHAR,
                collection_id VARCHAR, Modality VARCHAR, SeriesNumber VARCHAR, SeriesDescription VARCHAR,
                StudyDate VARCHAR, StudyDescription VARCHAR, instanceCount BIGINT, series_size_MB DOUBLE,
                license_short_name VARCHAR, source_DOI VARCHAR, aws_bucket VARCHAR, crdc_series_uuid VARCHAR,
                PatientSex VARCHAR, PatientAge VARCHAR)"""
        )
        database.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        database.table("series").write_parquet(str(path))
    return path
