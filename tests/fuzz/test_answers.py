"""Mutated answers of NBIA, XNAT and the buckets, and mutated wrappers: only our errors come out."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tcia_xnat.core.errors import Error
from tcia_xnat.core.uids import is_uid
from tcia_xnat.manifest.wrapper import parse_wrapper
from tcia_xnat.sources.idc.buckets import _read_page
from tcia_xnat.sources.lookup import look_up
from tcia_xnat.xnat import tokens
from tcia_xnat.xnat.answers import Answer, catalog_uids, image_counts, refusal, table
from tests.fuzz.answers import mutated_json, mutated_xml
from tests.fuzz.bounded import MOST_GROWTH, SECONDS_EACH, run
from tests.unit.test_catalogue import ASKED, PATIENCE, ROW, Nbia

TABLE = {
    "ResultSet": {"Result": [{"label": "DICOM", "file_count": "3", "cat_id": "1", "UID": "1.2.3"}], "totalRecords": "1"}
}
TOKEN = {"alias": "0a1b2c3d-0000-4000-8000-123456789abc", "secret": "s", "estimatedExpirationTime": 1e13}
CATALOG = '<cat:catalog xmlns:cat="c"><cat:entries><cat:entry UID="1.2" URI="a.dcm"/></cat:entries></cat:catalog>'
LISTING = (
    "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
    '<Contents><Key>u/1.dcm</Key><Size>10</Size><ETag>"0"</ETag></Contents></ListBucketResult>'
)
WRAPPER = "<TCIACollection><Downloads><URL>https://x.org/a.tcia</URL></Downloads></TCIACollection>"
PAGE = "<html><title>Error</title><h3>No</h3><p><b>Message</b> it is locked</p></html>"


def nbia(dice: random.Random) -> None:
    found = look_up(ASKED, None, Nbia(mutated_json([ROW, ROW | {"SeriesInstanceUID": "1.2.4"}], dice)), PATIENCE)
    assert set(found.series) | set(found.missing) == set(ASKED.series_instance_uids)
    for series in found.series.values():
        assert series.patient_id.strip()
        assert is_uid(series.study_instance_uid)
        assert repr(series).encode()
        assert 0 <= series.byte_count <= 1 << 40


def xnat_table(dice: random.Random) -> None:
    rows = table(Answer(200, mutated_json(TABLE, dice).decode("utf-8", "replace")))
    assert "".join(cell for row in rows for cell in row.values()).encode() is not None
    image_counts(rows, "cat_id")


def xnat_token(dice: random.Random) -> None:
    assert tokens.is_alias(tokens.parse(mutated_json(TOKEN, dice).decode("utf-8", "replace")).alias)


def xnat_catalog(dice: random.Random) -> None:
    catalog_uids(Answer(200, mutated_xml(CATALOG, dice).decode("utf-8", "replace")))


def xnat_error(dice: random.Random) -> None:
    assert isinstance(
        refusal(Answer(dice.randint(300, 599), mutated_xml(PAGE, dice).decode("utf-8", "replace"))), Error
    )


def bucket(dice: random.Random) -> None:
    objects, _ = _read_page("bucket", mutated_xml(LISTING, dice))
    assert all(0 < stored.size <= 1 << 40 for stored in objects)


def xml_wrapper(dice: random.Random) -> None:
    parse_wrapper(mutated_xml(WRAPPER, dice).decode("utf-8", "replace"), "w.xml")


READERS = (nbia, xnat_table, xnat_token, xnat_catalog, xnat_error, bucket, xml_wrapper)


@pytest.mark.timeout(SECONDS_EACH + 120)
@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_only_our_errors_come_out(tmp_path: Path, read: Callable[[random.Random], None]) -> None:
    ended = run(read.__name__, lambda chance, _folder: read(chance), tmp_path / "folder")
    assert not ended.failure, f"seed {ended.seed!r}: {ended.failure}"
    assert ended.growth < MOST_GROWTH
