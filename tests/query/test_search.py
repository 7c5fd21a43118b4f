"""Every filter beside SQL of its own, straight on the parquet."""

import pytest

from tcia_xnat.core.errors import UsageError
from tcia_xnat.sources.idc.index import IdcIndex
from tcia_xnat.sources.idc.selection import Selection, collection_id
from tests.query.case import query, straight

FILTERS = [
    (("--collection", "CMB-CRC"), "collection_id = 'cmb_crc'"),
    (("-c", "cmb_aml,cmb_crc"), "collection_id IN ('cmb_aml', 'cmb_crc')"),
    (("-c", "cmb_*", "-m", "PT"), "collection_id LIKE 'cmb\\_%' ESCAPE '\\' AND Modality = 'PT'"),
    (("--patient", "MSB-01723"), "PatientID = 'MSB-01723'"),
    (("--modality", "pt,nm"), "Modality IN ('PT', 'NM')"),
    (("-m", "CT", "--body-part", "head*"), "Modality = 'CT' AND upper(BodyPartExamined) LIKE 'HEAD%'"),
    (("-m", "MR", "--manufacturer", "philips"), "Modality = 'MR' AND lower(Manufacturer) LIKE '%philips%'"),
    (("--model", "Discovery LS"), "ManufacturerModelName LIKE '%Discovery LS%'"),
    (("--description", "t2*flair"), "lower(SeriesDescription) SIMILAR TO '(.|\\n)*t2.*flair(.|\\n)*'"),
    (("--description", "t2_"), "contains(lower(SeriesDescription), 't2_')"),
    (("--study-description", "thorax", "-m", "CT"), "Modality = 'CT' AND lower(StudyDescription) LIKE '%thorax%'"),
    (("--sex", "F", "-m", "PT"), "PatientSex = 'F' AND Modality = 'PT'"),
    (("--licence", "cc by-nc*", "-m", "MR"), "license_short_name LIKE 'CC BY-NC%' AND Modality = 'MR'"),
    (("--license", "CC BY 3.0", "-m", "PT"), "license_short_name = 'CC BY 3.0' AND Modality = 'PT'"),
    (("--date-from", "2019-03", "--date-to", "2019"), "StudyDate BETWEEN '2019-03-01' AND '2019-12-31'"),
    (("--date-from", "20200115", "--date-to", "2020-02"), "StudyDate >= '2020-01-15' AND StudyDate < '2020-03-01'"),
    (("--images-min", "2000", "--images-max", "3000"), "instanceCount BETWEEN 2000 AND 3000"),
    (("--size-min", "5GB", "--size-max", "6 gb"), "series_size_MB BETWEEN 5000 AND 6000"),
    (("--size-min", "500000", "--size-max", "0.5MB"), "round(series_size_MB * 1e6) = 500000"),
    (("-m", "MR", "--age-min", "90", "--age-max", "95"), "Modality = 'MR' AND PatientAge BETWEEN '090Y' AND '095Y'"),
]


@pytest.mark.parametrize(("options", "condition"), FILTERS, ids=lambda value: " ".join(value) if value else "")
def test_a_filter_finds_what_sql_finds(options: tuple[str, ...], condition: str) -> None:
    done = query("search", *options)
    assert done.code == 0, done.err
    wanted = {uid for (uid,) in straight(f"SELECT SeriesInstanceUID FROM INDEX WHERE {condition}")}  # noqa: S608  own
    assert len(done.lines) == len(set(done.lines))
    assert set(done.lines) == wanted
    assert wanted or "500000" in condition
    assert done.seconds < 2


def test_ages_in_months_days_and_weeks_are_years() -> None:
    index = IdcIndex()
    found = index.select_series(Selection(age_min=1.0, age_max=1.9))
    wanted = straight(
        """SELECT SeriesInstanceUID FROM INDEX WHERE (PatientAge = '001Y'
            OR (PatientAge BETWEEN '012M' AND '022M' AND PatientAge LIKE '%M')
            OR (PatientAge BETWEEN '366D' AND '693D' AND PatientAge LIKE '%D')
            OR (PatientAge BETWEEN '053W' AND '099W' AND PatientAge LIKE '%W'))"""
    )
    assert wanted
    assert {(series.series_instance_uid,) for series in found} == set(wanted)
    index.close()


def test_a_series_of_unknown_age_is_of_no_age() -> None:
    with_age = query("search", "-c", "cmb_aml", "--age-min", "0").lines
    known = straight("SELECT count(PatientAge) FROM INDEX WHERE collection_id = 'cmb_aml' AND PatientAge <> '000Y'")
    assert len(with_age) == known[0][0]


def test_an_age_that_was_removed_is_not_the_age_of_a_newborn() -> None:
    ((removed, others),) = straight(
        """SELECT count(*) FILTER (PatientAge = '000Y'), count(*) FILTER (PatientAge BETWEEN '001Y' AND '050Y')
        FROM INDEX WHERE collection_id = 'cmb_crc' AND Modality = 'CT'"""
    )
    done = query("search", "-c", "CMB-CRC", "-m", "CT", "--age-max", "50")
    assert removed > others == len(done.lines)


UNKNOWN = [
    (("-p", "LIDC-IDRI-0001,LIDC-IDRI-9999"), ("no patient LIDC-IDRI-9999", "LIDC-IDRI-0")),
    (("-m", "CT,CTX"), ("no modality CTX", "did you mean CT")),
    (("--series", "1.2.3.4"), ("no series 1.2.3.4",)),
    (("--study", "1.2.3.4,1.2.3.5"), ("no study 1.2.3.4, 1.2.3.5",)),
    (("--sex", "X"), ("no sex X",)),
    (("--body-part", "CHESST"), ("no body part CHESST", "CHEST")),
    (("-c", "nlst,nowhere_*"), ("no collection nowhere_*",)),
    (("--licence", "CC-BX"), ("no licence 'CC-BX'", "CC BY")),
    (("--description", "100%"), ("no series has a description with '100%'",)),
    (("-d", "t2", "-d", "tpyo"), ("no series has a description with 'tpyo'",)),
    (("--manufacturer", "siemns"), ("no series has a manufacturer with 'siemns'",)),
    (("--model", "NoSuch", "--study-description", "thorax"), ("no series has a model with 'NoSuch'",)),
    (("--date-from", "2019-13"), ("'2019-13' is not a date",)),
    (("--date-to", "2019-02-31"), ("'2019-02-31' is not a date",)),
    (("--date-from", "2024", "--date-to", "2020"), ("the first date, 2024-01-01, comes after the last, 2020-12-31",)),
    (("--age-min", "50", "--age-max", "20"), ("the least age, 50, is above the greatest, 20",)),
    (("--images-min", "5", "--images-max", "2"), ("least number of images",)),
    (("--age-min", "5", "--age-min", "6"), ("--age-min is given 2 times",)),
]


@pytest.mark.parametrize(("options", "words"), UNKNOWN, ids=" ".join)
def test_a_value_that_no_series_has_is_named(options: tuple[str, ...], words: tuple[str, ...]) -> None:
    done = query("search", *options)
    assert (done.code, done.out) == (2, "")
    for word in words:
        assert word in done.err


@pytest.mark.parametrize(
    ("options", "condition"),
    [
        (("-m", "pet", "-c", "qin_breast"), "Modality = 'PT' AND collection_id = 'qin_breast'"),
        (("-c", "qin_breast", "--licence", "CC-BY-3.0"), "license_short_name = 'CC BY 3.0'"),
        (("-c", "qin_breast", "--licence", "ccby"), "license_short_name LIKE 'CC BY _._'"),
        (("-c", "qin_breast", "--licence", "commercial"), "license_short_name NOT LIKE '%NC%'"),
    ],
)
def test_people_s_spellings_are_understood(options: tuple[str, ...], condition: str) -> None:
    wanted = straight(f"SELECT SeriesInstanceUID FROM INDEX WHERE {condition} AND collection_id = 'qin_breast'")  # noqa: S608  own
    assert set(query("search", *options).lines) == {uid for (uid,) in wanted}
    assert wanted


def test_several_uids_and_levels_are_asked_together() -> None:
    uids = [uid for (uid,) in straight("SELECT SeriesInstanceUID FROM INDEX WHERE collection_id = 'cmb_aml' LIMIT 3")]
    assert set(query("search", "--series", ",".join(uids[:2]), "--series", uids[2]).lines) == set(uids)
    assert query("search", "--series", uids[0], "-c", "cmb_crc").lines == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("search", "-c", "CMB-AMI"), ("no collection CMB-AMI", "cmb_aml")),
        (("search", "--date-from", "yesterday"), ("'yesterday' is not a date", "2021-03-31")),
        (("search", "--size-min", "big"), ("'big' is no size",)),
        (("search", "--age-min", "-1"), ("age-min",)),
        (("serch",), ("serch is no command", "did you mean search")),
        (("citations",), ("nothing is selected",)),
        (("viewer",), ("nothing is selected",)),
        (("viewer", "1.2.3"), ("does not list 1.2.3",)),
        (("schema", "idc"), ("no table idc", "collections_index")),
        (("sql", "DROP TABLE index"), ("one SELECT",)),
        (("sql", "SELECT nothing FROM index"), ('"nothing" not found', "schema")),
        (("sql", "SELECT 1", "--source", "nbia"), ("no SQL",)),
        (("search", "--idc-index", "nowhere.parquet"), ("no such index",)),
    ],
)
def test_what_is_wrong_is_said_in_a_line_and_a_hint(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    done = query(*arguments)
    assert done.code == 2
    assert not done.out
    for word in words:
        assert word in done.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-c", "cmb_aml", "-m", "CT,MG", "-m", "DX"), "modality MG, DX"),
        (("-c", "cmb_aml,cmb_crc", "--patient", "MSB-01723"), "collection cmb_crc"),
        (("-c", "cmb_aml", "-d", "axial", "-d", "flair"), "description flair"),
        (("-m", "CT", "-p", "MSB-01723,MSB-0*,LIDC*", "--images-min", "2000"), "patient MSB-01723, MSB-0*, LIDC*"),
    ],
)
def test_a_value_that_adds_nothing_to_what_the_others_find_is_told(options: tuple[str, ...], words: str) -> None:
    done = query("search", *options)
    assert done.code == 0
    said = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert said == ([f"warning: no series of this choice has {words}"] if done.lines else [])


def test_nothing_found_is_no_failure() -> None:
    for command in ("search", "patients", "studies", "series", "sizes", "licences", "collections", "citations"):
        done = query(command, "-c", "cmb_aml", "-m", "MG")
        assert (done.code, "nothing fits" in done.err) == (0, True), command
        assert "1." not in done.out


def test_names_of_tcia_are_collections_of_idc() -> None:
    names = straight(f"SELECT collection_name, collection_id FROM '{_collections()}'")  # noqa: S608  own path
    assert len(names) > 150
    assert all(collection_id(name) == identifier for name, identifier in names)
    with pytest.raises(UsageError):
        IdcIndex().resolved(Selection(collections=("no such",)))


def _collections() -> str:
    import idc_index_data  # noqa: PLC0415  only its path is wanted

    return str(idc_index_data.IDC_INDEX_PARQUET_FILEPATH).replace("idc_index.parquet", "collections_index.parquet")
