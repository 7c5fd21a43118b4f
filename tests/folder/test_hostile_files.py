"""Images that bite, in whole runs to disk and to XNAT: their series fail by name, the innocent one arrives."""

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from sandbox.index import Row
from sandbox.sandbox import Sandbox
from tests.folder.case import on_disk
from tests.job.case import ONE_PATIENT, expected, images, manifest, quick, run
from tests.unit.test_dicom_limits import nested


def named(uid: bytes) -> Callable[[bytes], bytes]:
    """Return what gives an image another SOPInstanceUID."""

    def change(content: bytes) -> bytes:
        at = content.index(b"\x08\x00\x18\x00UI")
        (length,) = struct.unpack_from("<H", content, at + 6)
        padded = uid + b"\0" * (len(uid) % 2)
        return content[: at + 6] + struct.pack("<H", len(padded)) + padded + content[at + 8 + length :]

    return change


def with_number_of_three_bytes(content: bytes) -> bytes:
    """Return an image whose (0008,0016) is a number of three bytes."""
    at = content.index(b"\x08\x00\x16\x00UI")
    (length,) = struct.unpack_from("<H", content, at + 6)
    return content[: at + 4] + b"US\x03\x00abc" + content[at + 8 + length :]


BITES: Mapping[str, Callable[[bytes], bytes]] = {
    "climbs": named(b"../../../evil"),
    "absolute": named(b"/tmp/evil_of_tests"),
    "NUL": named(b"1.2\x003"),
    "number": with_number_of_three_bytes,
    "nested": lambda _content: nested(5000),
}


@pytest.fixture
def biting(tmp_path: Path) -> Iterator[tuple[Sandbox, dict[str, str]]]:
    """Serve a series of each kind: kind → SeriesInstanceUID; `innocent` is as it should be."""
    with Sandbox(
        tmp_path / "sandbox", collections=["cmb_aml"], pixels=16, max_instances=2, multipart_etags=True
    ) as sandbox:
        sessions = expected(sandbox, ONE_PATIENT).sessions
        apart = Counter(sessions.values())  # the innocent one is alone in its session: a session is archived as a whole
        ordered = sorted(sessions, key=lambda uid: apart[sessions[uid]])
        mates = [uid for uid in ordered[1:] if sessions[uid] != sessions[ordered[0]]]
        kinds = dict(zip(("innocent", *BITES), [ordered[0], *mates], strict=False))
        of_series, honest = {uid: kind for kind, uid in kinds.items()}, sandbox.images.image

        def image(row: Row, number: int) -> bytes:
            content, kind = honest(row, number), of_series.get(row["SeriesInstanceUID"], "")
            if number != 1 or kind in {"", "innocent"}:
                return content
            return BITES[kind](content)[: len(content)].ljust(len(content), b"\0")  # as long as the bucket lists it

        sandbox.images.image = image  # type: ignore[method-assign]  # an archive that bites
        yield sandbox, kinds


@pytest.mark.parametrize("to", ["disk", "XNAT"])
def test_files_that_bite_fail_by_name_and_the_innocent_arrive(
    biting: tuple[Sandbox, dict[str, str]], tmp_path: Path, to: str
) -> None:
    sandbox, kinds = biting
    listed, output = manifest(tmp_path / "m.tcia", kinds.values()), tmp_path / "deep" / "er" / "out"
    output.parent.mkdir(parents=True)
    before = {path for path in tmp_path.rglob("*") if sandbox.directory not in path.parents}
    project = ["BITES"] if to == "XNAT" else []
    done = run(sandbox, output, listed, output, *project, *quick("--source", "idc"))
    assert done.code == 3, done.err + done.out
    states = {kind: done.states()[uid] for kind, uid in kinds.items()}
    good = "archived" if to == "XNAT" else states["innocent"]
    assert states == dict.fromkeys(BITES, "failed") | {"innocent": good}
    reasons = {row["SeriesInstanceUID"]: row["reason"] for row in done.rows}
    assert all("SOPInstanceUID" in reasons[kinds[kind]] for kind in ("climbs", "absolute", "NUL")), reasons
    arrived = {one.series_instance_uid for one in images(sandbox, "BITES")} if project else set(on_disk(output))
    assert kinds["innocent"] in arrived
    assert not arrived & {kinds[kind] for kind in BITES}
    after = {path for path in tmp_path.rglob("*") if sandbox.directory not in path.parents}
    assert all(output in {path, *path.parents} for path in after - before)
    assert not Path("/tmp/evil_of_tests.dcm").exists()  # noqa: S108  where the image wants to go
