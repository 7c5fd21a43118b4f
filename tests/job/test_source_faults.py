"""Every fault of IDC and NBIA, in a whole run: while it lasts nothing is called done, after it nothing is missing."""

import hashlib
import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pydicom
import pytest

from sandbox import faults
from sandbox.faults import Action, Fault
from sandbox.sandbox import Sandbox
from tests.job.case import TWO_PATIENTS, Expected, assert_holds, download, expected, images, quick, several

HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
Entries = list[tuple[str, bytes]]


@pytest.fixture
def manifest(sandbox: Sandbox, tmp_path: Path) -> Path:
    return several(sandbox, tmp_path / "several.tcia", TWO_PATIENTS)


@pytest.fixture
def hit(sandbox: Sandbox, manifest: Path) -> str:
    """Return the series that the faults hit: one of several images."""
    wanted = expected(sandbox, manifest)
    return next(uid for uid, count in wanted.images.items() if count == 15)


@pytest.fixture(autouse=True)
def lifted(sandbox: Sandbox) -> Iterator[None]:
    yield
    for rules in (sandbox.nbia_faults, sandbox.idc_faults, sandbox.xnat_faults):
        rules.lift()


def rezipped(change: Callable[[Entries], Entries]) -> Action:
    """Send the zip with other entries, as a clean answer."""

    def edit(body: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in change(entries):
                with warnings.catch_warnings(action="ignore"):  # of a name that comes twice
                    archive.writestr(zipfile.ZipInfo(name), data)
        return made.getvalue()

    return faults.edited(edit)


def is_image(name: str) -> bool:
    return name not in {"LICENSE", "md5hashes.csv"}


def short(entries: Entries) -> Entries:
    return entries[:8]


def truncated_last(entries: Entries) -> Entries:
    name, data = entries[-2]
    return [*entries[:-2], (name, data[: len(data) // 2])]


def hashed(change: Callable[[str], str]) -> Callable[[Entries], Entries]:
    def edit(entries: Entries) -> Entries:
        name, data = entries[-1]
        return [*entries[:-1], (name, change(data.decode()).encode())]

    return edit


def stale_hash(table: str) -> str:
    first = table.splitlines()[1]
    return table.replace(first, first[:-4] + "0000")


def renamed(change: Callable[[str], str]) -> Callable[[Entries], Entries]:
    def edit(entries: Entries) -> Entries:
        first = next(name for name, _ in entries if is_image(name))
        return [
            (change(name) if name == first else name, data.replace(first.encode(), change(first).encode()))
            if name in {"md5hashes.csv", first}
            else (name, data)
            for name, data in entries
        ]

    return edit


def emptied(entries: Entries) -> Entries:
    first = next(name for name, _ in entries if is_image(name))
    return [(name, b"" if name == first else data) for name, data in entries]


def twice(entries: Entries) -> Entries:
    first = next(entry for entry in entries if is_image(entry[0]))
    return [*entries[:-1], ("9-999.dcm", first[1]), entries[-1]]


def of_another_series(entries: Entries) -> Entries:
    """Change the last digit of the SeriesInstanceUID inside of the first image, hash and all."""
    first, data = next(entry for entry in entries if is_image(entry[0]))
    uid = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).SeriesInstanceUID.encode()
    other = data.replace(uid, uid[:-1] + (b"1" if uid[-1:] != b"1" else b"2"))
    old, new = (hashlib.md5(image, usedforsecurity=False).hexdigest().encode() for image in (data, other))
    return [(name, other if name == first else content.replace(old, new)) for name, content in entries]


def same_name_twice(entries: Entries) -> Entries:
    first, second = [entry for entry in entries if is_image(entry[0])][:2]
    return [(first[0] if name == second[0] else name, data) for name, data in entries]


GET_IMAGE = r"GET .*/v4/getImage\?.*SeriesInstanceUID={uid}(&|$)"
SINGLES = r"GET .*/v4/getSingleImage\?.*SeriesInstanceUID={uid}(&|$)"

NBIA: Mapping[str, tuple[str, Action]] = {
    "short but valid": (GET_IMAGE, rezipped(short)),
    "licence only": (GET_IMAGE, rezipped(lambda entries: entries[:1])),
    "no entries": (GET_IMAGE, rezipped(lambda _entries: [])),
    "last image cut": (GET_IMAGE, rezipped(truncated_last)),
    "no list of hashes": (GET_IMAGE, rezipped(lambda entries: entries[:-1])),
    "a stale hash": (GET_IMAGE, rezipped(hashed(stale_hash))),
    "upper-case hashes": (GET_IMAGE, rezipped(hashed(str.upper))),
    "a hash too many": (
        GET_IMAGE,
        rezipped(hashed(lambda table: table + "9-999.dcm,d41d8cd98f00b204e9800998ecf8427e\n")),
    ),
    "no hash for one": (GET_IMAGE, rezipped(hashed(lambda table: re.sub(r",\w{32}\n", ",\n", table, count=1)))),
    "another extension": (GET_IMAGE, rezipped(renamed(lambda name: name + ".ima"))),
    "a name with ..": (GET_IMAGE, rezipped(renamed(lambda name: "../" + name))),
    "an absolute name": (GET_IMAGE, rezipped(renamed(lambda name: "/etc/" + name))),
    "an empty image": (GET_IMAGE, rezipped(emptied)),
    "an image twice": (GET_IMAGE, rezipped(twice)),
    "an image of another series": (GET_IMAGE, rezipped(of_another_series)),
    "a name twice": (GET_IMAGE, rezipped(same_name_twice)),
    "cut cleanly": (GET_IMAGE, faults.edited(lambda body: body[: len(body) // 2])),
    "cut by a reset": (GET_IMAGE, faults.cut(3000)),
    "reset": (GET_IMAGE, faults.reset()),
    "stall": (GET_IMAGE, faults.stall()),
    "500": (
        GET_IMAGE,
        faults.answer(500, "Server was not able to process your request", {"content-type": "text/plain"}),
    ),
    "502": (GET_IMAGE, faults.answer(502, HTML)),
    "503": (GET_IMAGE, faults.answer(503, HTML)),
    "504": (GET_IMAGE, faults.answer(504, HTML)),
    "429": (GET_IMAGE, faults.answer(429)),
    "429 with a date to come back": (GET_IMAGE, faults.answer(429, "", {"retry-after": "0"})),
    "a web page": (GET_IMAGE, faults.answer(200, HTML)),
    "a text": (GET_IMAGE, faults.answer(200, '{"error": "sorry"}', {"content-type": "application/json"})),
    "nothing": (GET_IMAGE, faults.answer(200)),
    "redirect": (GET_IMAGE, faults.answer(302, "", {"location": "http://127.0.0.1:9/elsewhere"})),
}
REPAIRED = {
    "short but valid",
    "licence only",
    "no entries",
    "last image cut",
    "no list of hashes",
    "a stale hash",
    "upper-case hashes",
    "a hash too many",
    "no hash for one",
    "another extension",
    "an empty image",
    "an image twice",
    "an image of another series",
}
"""What NBIA's other endpoints make good even while it lasts."""


def found(sandbox: Sandbox, project: str, uid: str) -> int:
    return sum(image.series_instance_uid == uid for image in images(sandbox, project))


def without(wanted: Expected, *uids: str) -> set[str]:
    return set(wanted.images) - set(uids)


@pytest.mark.parametrize("name", sorted(set(NBIA) - {"redirect"}))  # what is refused for good is not tried again
def test_nbia_fails_once(sandbox: Sandbox, tmp_path: Path, manifest: Path, hit: str, name: str) -> None:
    where, action = NBIA[name]
    rule = Fault(where.format(uid=re.escape(hit)), action)
    sandbox.nbia_faults.add(rule)
    done = download(sandbox, manifest, tmp_path / "out", project(name, "1"), *quick("--source", "nbia"))
    assert rule.hits == 1
    assert done.code == 0, done.err + done.out
    assert_holds(sandbox, project(name, "1"), expected(sandbox, manifest))


@pytest.mark.parametrize("name", NBIA)
def test_nbia_fails_for_good(sandbox: Sandbox, tmp_path: Path, manifest: Path, hit: str, name: str) -> None:
    where, action = NBIA[name]
    here, wanted = project(name, "2"), expected(sandbox, manifest)
    sandbox.nbia_faults.add(Fault(where.format(uid=re.escape(hit)), action, times=None))
    done = download(sandbox, manifest, tmp_path / "out", here, *quick("--source", "nbia"))
    states = done.states()
    if name in REPAIRED:
        assert (done.code, set(states.values())) == (0, {"archived"}), done.err
    else:
        assert done.code == 3, done.err
        assert states.pop(hit) == "failed"
        assert "are in the archive" in done.out
        assert not re.search(r"\bAll \d+ series", done.out)
        assert hit in done.out
        assert found(sandbox, here, hit) == 0
        assert not any(hit in path.name for path in (sandbox.directory / "xnat" / "prearchive" / here).rglob("*.dcm"))
    sandbox.nbia_faults.lift()
    done = download(sandbox, manifest, tmp_path / "out", here, *quick("--source", "nbia"))
    assert done.code == 0, done.err
    assert_holds(sandbox, here, wanted)


@pytest.mark.parametrize("sources", [("--source", "idc"), ("--source", "nbia"), ()])
def test_sources_that_are_not_there(sandbox: Sandbox, tmp_path: Path, manifest: Path, sources: tuple[str, ...]) -> None:
    nowhere = {"TCIA_XNAT_IDC_URL": "http://127.0.0.1:9", "TCIA_XNAT_NBIA_URL": "http://127.0.0.1:9/nbia"}
    here = project("NOWHERE", "".join(sources))
    done = download(sandbox, manifest, tmp_path / "out", here, *quick(*sources), **nowhere)
    assert done.code == 4
    assert set(done.states().values()) == {"failed"}
    assert "Connection refused" in done.out
    assert download(sandbox, manifest, tmp_path / "out", here, *quick(*sources)).code == 0
    assert_holds(sandbox, here, expected(sandbox, manifest))


def test_what_nbia_cannot_give_at_all_fails_with_the_numbers(
    sandbox: Sandbox, tmp_path: Path, manifest: Path, hit: str
) -> None:
    uid = re.escape(hit)
    sandbox.nbia_faults.add(
        Fault(GET_IMAGE.format(uid=uid), rezipped(lambda entries: entries[:8]), times=None),
        Fault(SINGLES.format(uid=uid), faults.answer(500, "null"), times=None),
    )
    done = download(sandbox, manifest, tmp_path / "out", "NUMBERS", *quick("--source", "nbia"))
    assert done.code == 3
    row = next(row for row in done.rows if row["SeriesInstanceUID"] == hit)
    assert row["state"] == "failed"
    assert "of 15 images" in row["reason"]
    assert found(sandbox, "NUMBERS", hit) == 0
    siblings = {other["state"] for other in done.rows if other["session"] == row["session"] and other != row}
    assert siblings == {"held"}
    sandbox.nbia_faults.lift()
    assert download(sandbox, manifest, tmp_path / "out", "NUMBERS", *quick()).code == 0
    assert_holds(sandbox, "NUMBERS", expected(sandbox, manifest))


@pytest.mark.parametrize(
    "action", [faults.answer(500, "no"), faults.answer(200, HTML), faults.answer(429), faults.reset()]
)
def test_nbia_tells_no_metadata(sandbox: Sandbox, tmp_path: Path, manifest: Path, action: Action) -> None:
    here = project(f"META{id(action)}", "")
    sandbox.nbia_faults.add(Fault("getSeriesMetadata", action, times=None))
    done = download(sandbox, manifest, tmp_path / "out", here, *quick("--source", "nbia"))
    assert done.code == 4
    assert set(done.states().values()) == {"failed"}
    sandbox.nbia_faults.lift()
    sandbox.nbia_faults.add(Fault("getSeriesMetadata", action))
    assert download(sandbox, manifest, tmp_path / "out", here, *quick("--source", "nbia")).code == 0
    assert_holds(sandbox, here, expected(sandbox, manifest))


LIST, OBJECT = r"GET /[^/]+\?.*prefix={uuid}", r"GET /[^/]+/{uuid}/"
NO_SUCH_KEY = "<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>"

IDC: Mapping[str, tuple[str, Action]] = {
    "no such key": (OBJECT, faults.answer(404, NO_SUCH_KEY)),
    "access denied": (OBJECT, faults.answer(403, NO_SUCH_KEY)),
    "slow down": (OBJECT, faults.answer(503, NO_SUCH_KEY, {"retry-after": "0"})),
    "500": (OBJECT, faults.answer(500, NO_SUCH_KEY)),
    "cut by a reset": (OBJECT, faults.cut(500)),
    "cut cleanly": (OBJECT, faults.edited(lambda body: body[: len(body) // 2])),
    "other bytes": (OBJECT, faults.edited(lambda body: body[:-1] + bytes([body[-1] ^ 1]))),
    "more bytes": (OBJECT, faults.edited(lambda body: body + b"more")),
    "a web page": (OBJECT, faults.answer(200, HTML)),
    "reset": (OBJECT, faults.reset()),
    "stall": (OBJECT, faults.stall()),
    "redirect": (OBJECT, faults.answer(307, "", {"location": "http://127.0.0.1:9/elsewhere"})),
    "a list of nothing": (
        LIST,
        faults.edited(lambda body: re.sub(rb"<Contents>.*</Contents>", b"", body, flags=re.DOTALL)),
    ),
    "a short list": (
        LIST,
        faults.edited(lambda body: re.sub(rb"<Contents>.*?</Contents>", b"", body, count=1, flags=re.DOTALL)),
    ),
    "a list that is no XML": (LIST, faults.answer(200, HTML)),
    "a list cut": (LIST, faults.cut(300)),
    "no list": (LIST, faults.answer(503, NO_SUCH_KEY)),
    "a list refused": (LIST, faults.answer(403, NO_SUCH_KEY)),
}
PASSES_AT_ONCE = {"no such key", "access denied", "a list of nothing", "a list refused", "redirect"}
"""What IDC says for good: it is not asked twice, and the series waits for the next run or comes from NBIA."""


def folder(sandbox: Sandbox, uid: str) -> str:
    row = sandbox.index.nbia_series(uid)
    assert row is not None
    return str(row["crdc_series_uuid"])


@pytest.mark.parametrize("name", IDC)
def test_idc_fails_and_then_works(sandbox: Sandbox, tmp_path: Path, manifest: Path, hit: str, name: str) -> None:
    where, action = IDC[name]
    pattern, here = where.format(uuid=folder(sandbox, hit)), project(name, "I")
    sandbox.idc_faults.add(Fault(pattern, action, times=None))
    done = download(sandbox, manifest, tmp_path / "out", here, *quick("--source", "idc"))
    assert done.code == 3, done.err
    assert done.states()[hit] in {"failed", "unavailable"}
    assert hit in done.out
    assert found(sandbox, here, hit) == 0
    sandbox.idc_faults.lift()
    if name not in PASSES_AT_ONCE:
        sandbox.idc_faults.add(Fault(pattern, action))
    done = download(sandbox, manifest, tmp_path / "out", here, *quick("--source", "idc"))
    assert done.code == 0, done.err
    assert_holds(sandbox, here, expected(sandbox, manifest))


@pytest.mark.parametrize("name", IDC)
def test_what_idc_does_not_deliver_comes_from_nbia(
    sandbox: Sandbox, tmp_path: Path, manifest: Path, hit: str, name: str
) -> None:
    where, action = IDC[name]
    here = project(name, "A")
    sandbox.idc_faults.add(Fault(where.format(uuid=folder(sandbox, hit)), action, times=None))
    done = download(sandbox, manifest, tmp_path / "out", here, *quick())
    assert done.code == 0, done.err
    (row,) = [row for row in done.rows if row["source"] == "nbia"]
    assert row["SeriesInstanceUID"] == hit
    assert "IDC" in row["notes"]
    assert_holds(sandbox, here, expected(sandbox, manifest))


def project(name: str, kind: str) -> str:
    return re.sub(r"\W", "_", f"{name}{kind}")
