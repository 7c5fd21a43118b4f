"""Whatever NBIA sends in the place of a zip: a series proved whole, or one of our errors."""

import hashlib

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tcia_xnat.core.errors import Error, SourceError
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.sources.nbia.client import TCIAClient
from tcia_xnat.sources.nbia.source import NbiaSource
from tcia_xnat.staging.spool import Spool
from tests.images import images, md5, nbia_zip, series

FILES = images(3)
WHOLE = nbia_zip(FILES)
SENT = {md5(data) for data in FILES.values()}


class OneAnswer(TCIAClient):
    """An NBIA that answers getImage with the same bytes, and nothing else."""

    def __init__(self, content: bytes) -> None:
        super().__init__("http://127.0.0.1:9")
        self._content = content

    def get_image(self, series_instance_uid: str, write: object) -> None:
        del series_instance_uid
        assert callable(write)
        write(self._content)

    def get_sop_instance_uids(self, series_instance_uid: str) -> list[str]:
        raise SourceError(f"no list of {series_instance_uid}")


def check(content: bytes) -> None:
    """Fetch a series of three images from these bytes."""
    client = OneAnswer(content)
    source = NbiaSource(client, Patience(RetryPolicy(1), lambda _seconds: None))
    with Spool() as spool:
        try:
            (package,) = source.fetch(series(3), spool, lambda _count: None)
        except Error:
            return
        finally:
            client.close()
        found = {_inflated_md5(spool, member.offset, member.compressed_size) for member in package.members}
        assert found == SENT


def _inflated_md5(spool: Spool, offset: int, size: int) -> str:
    import zlib  # noqa: PLC0415  only here

    data = zlib.decompress(b"".join(spool.read(offset, size)), -zlib.MAX_WBITS)
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_the_whole_zip_is_a_series() -> None:
    check(WHOLE)


@settings(max_examples=300)
@example([(1948, 1)])  # a deflate stream without its end: zipfile takes it, Java does not
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_zip_with_other_bytes(changes: list[tuple[int, int]]) -> None:
    content = bytearray(WHOLE)
    for place, value in changes:
        content[place] = value
    check(bytes(content))


@settings(max_examples=150)
@given(st.integers(0, len(WHOLE)), st.binary(max_size=64), st.integers(0, len(WHOLE)))
def test_a_zip_that_is_cut_and_joined(end: int, between: bytes, start: int) -> None:
    check(WHOLE[:end] + between + WHOLE[start:])


@settings(max_examples=150)
@given(st.binary(max_size=400))
def test_what_is_no_zip(content: bytes) -> None:
    check(content)
    check(b"PK\x03\x04" + content)
    check(content + WHOLE[-22:])
