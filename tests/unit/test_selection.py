"""What stands in the place of a manifest: identifiers, queries, files, and mixtures of them."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tcia_xnat.core.errors import ManifestError, UsageError
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.manifest import Manifest, parse, write_tcia
from tcia_xnat.request.requested import read_asked
from tcia_xnat.request.selection import Known
from tcia_xnat.sources.idc.client import index_path

PATIENT = "MSB-07839"
COLUMNS = ("collection_id", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "crdc_series_uuid")
SELECT = "SELECT SeriesInstanceUID FROM index WHERE "


def asked(text: str, query: str = "", elsewhere: Known = lambda _uids: frozenset()) -> Manifest:
    patience = Patience(RetryPolicy(1), lambda _seconds: None)
    return read_asked(text, None, patience, query=query, elsewhere=elsewhere)


def rows(query: str) -> list[tuple[str, ...]]:
    with duckdb.connect() as database:
        return database.execute(query.replace("index", f"read_parquet('{index_path()}')", 1)).fetchall()


def uids(where: str) -> set[str]:
    return {uid for (uid,) in rows(f"{SELECT}{where}")}


@pytest.fixture(scope="module")
def row() -> dict[str, str]:
    """Return the identifiers of one series."""
    (found,) = rows(f"SELECT {', '.join(COLUMNS)} FROM index WHERE PatientID = '{PATIENT}' ORDER BY 4 LIMIT 1")  # noqa: S608  own words
    return dict(zip(COLUMNS, found, strict=True))


@pytest.mark.parametrize(
    "column", ["collection_id", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "crdc_series_uuid"]
)
def test_each_kind_of_identifier(row: dict[str, str], column: str) -> None:
    found = asked(row[column]).series_instance_uids
    assert set(found) == uids(f"{column} = '{row[column]}'")
    assert len(found) == len(set(found))


@pytest.mark.parametrize("spelling", ["CMB-AML", "cmb_aml", "CMB_AML"])
def test_collections_as_tcia_spells_them(spelling: str) -> None:
    assert set(asked(spelling).series_instance_uids) == uids("collection_id = 'cmb_aml'")


def test_several_and_blanks_between(row: dict[str, str]) -> None:
    found = asked(f"{row['StudyInstanceUID']}, {row['SeriesInstanceUID']} ,MSB-01723").series_instance_uids
    wanted = uids(f"StudyInstanceUID = '{row['StudyInstanceUID']}' OR PatientID = 'MSB-01723'")
    assert set(found) == wanted
    assert len(found) == len(wanted)


def test_the_list_says_what_was_asked_for() -> None:
    made = asked("cmb_aml,MSB-07839")
    (original,) = made.originals
    assert original.name == made.name == "cmb_aml_MSB-07839.tcia"
    text = original.content.decode()
    assert "databasketId=cmb_aml,MSB-07839\n" in text
    assert parse(original.content, "x").series_instance_uids == made.series_instance_uids
    assert made.header[-1] == "ListOfSeriesToDownload="


def test_a_query() -> None:
    made = asked("", query=f"{SELECT}\n PatientID = '{PATIENT}'\n AND Modality = 'CT'")
    assert set(made.series_instance_uids) == uids(f"PatientID = '{PATIENT}' AND Modality = 'CT'")
    assert f"databasketId={SELECT}PatientID = '{PATIENT}' AND Modality = 'CT'".replace("WHERE  ", "WHERE ") in (
        made.originals[0].content.decode()
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT PatientID FROM index LIMIT 1", "no column"),
        ("SELECT SeriesInstanceUID FROM index WHERE PatientID = 'nobody'", "finds no series"),
        ("SELECT SeriesInstanceUID FROM nowhere", "nowhere"),
        ("SELEKT", "SQL"),
        ("DROP VIEW index", "one SELECT"),
        ("SELECT 1; SELECT 2", "one SELECT"),
        ("COPY (SELECT 1) TO 'x.csv'", "one SELECT"),
        ("SELECT content AS SeriesInstanceUID FROM read_text('/etc/passwd')", "SQL"),
    ],
)
def test_queries_that_are_refused(query: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        asked("", query=query)
    assert refused.value.hint


def test_an_ambiguous_patient_is_refused_with_the_candidates() -> None:
    ((patient,),) = rows(
        "SELECT PatientID FROM index GROUP BY 1 HAVING count(DISTINCT collection_id) > 1 ORDER BY 1 LIMIT 1"
    )
    with pytest.raises(ManifestError) as refused:
        asked(patient)
    for (collection,) in rows(f"SELECT DISTINCT collection_id FROM index WHERE PatientID = '{patient}'"):  # noqa: S608  own words
        assert f"patient {patient} of {collection}" in str(refused.value)
    query = refused.value.hint.split('"')[1]
    assert 0 < len(asked("", query=query).series_instance_uids) < len(uids(f"PatientID = '{patient}'"))


@pytest.mark.parametrize(("word", "near"), [("cmb_aml_", "cmb_aml"), ("MSB-0783", "MSB-07839"), ("cmbaml", "cmb_aml")])
def test_an_unknown_name_is_refused_with_the_nearest(word: str, near: str) -> None:
    with pytest.raises(ManifestError, match="nothing of that name") as refused:
        asked(f"cmb_aml,{word}")
    assert near in refused.value.hint


def test_a_series_that_only_another_archive_knows() -> None:
    with pytest.raises(ManifestError, match="nothing of that name"):
        asked("1.2.3.4")
    assert asked("1.2.3.4", elsewhere=set).series_instance_uids == ("1.2.3.4",)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that writes a manifest into the folder we are in."""
    monkeypatch.chdir(tmp_path)

    def write(name: str) -> Path:
        (tmp_path / name).write_text(write_tcia(["1.2.3"], name))
        return tmp_path / name

    return write


def test_a_file_of_that_name_wins_and_a_folder_does_not(here: Callable[[str], Path]) -> None:
    here("cmb_aml")
    assert asked("cmb_aml").series_instance_uids == ("1.2.3",)
    Path("CMB-AML").mkdir()
    assert set(asked("CMB-AML").series_instance_uids) == uids("collection_id = 'cmb_aml'")


def test_files_and_identifiers_together(here: Callable[[str], Path]) -> None:
    here("mine.tcia")
    found = asked(f"mine.tcia,{PATIENT}").series_instance_uids
    assert set(found) == {"1.2.3"} | uids(f"PatientID = '{PATIENT}'")


@pytest.mark.parametrize("name", ["lost.tcia", "lost.csv", "some/where", "./lost"])
def test_a_file_that_is_lost_is_called_one(name: str) -> None:
    with pytest.raises(ManifestError, match="no such manifest"):
        asked(name)
