"""Options of an upload, bad input, and a tree of many files."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tcia_xnat.sources.local.inventory import Inventory
from tcia_xnat.sources.local.tree import Tree, Wanted, gather
from tests.job.case import images, in_prearchive, projects
from tests.upload.case import archived, assert_holds, upload
from tests.upload.trees import Scan, write, zipped

CT, MR, LOC = Scan("A", 1, 1, modality="CT"), Scan("A", 1, 2, "T2 FLAIR"), Scan("A", 1, 3, "Localizer")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for scan, folder in ((CT, "ct"), (MR, "mr"), (LOC, "loc")):
        write(tmp_path / "tree/007/pre" / folder, scan.all_images())
    return tmp_path / "tree"


@pytest.mark.parametrize(
    ("options", "scans"),
    [
        (("--modality", "mr"), [MR, LOC]),
        (("--modality", "CT,PT", "--modality", "MR", "--allow-unmatched"), [CT, MR, LOC]),
        (("--exclude", "LOC*"), [CT, MR]),
        (("--exclude", "007/pre/m*"), [CT, LOC]),
        (("--include", "*flair", "--include", "ct"), [CT, MR]),
        (("--include", "007/*", "--exclude", "ct"), [MR, LOC]),
        (("--limit", "1"), [CT]),
    ],
)
def test_what_is_taken(
    sandbox: Sandbox, tmp_path: Path, tree: Path, options: tuple[str, ...], scans: list[Scan]
) -> None:
    project = "TAKEN_" + "".join(filter(str.isalnum, "".join(options)))
    done = upload(sandbox, tmp_path / "w", tree, project, *options)
    assert done.code == 0, done.err
    assert_holds(sandbox, project, {"007_pre": scans})


def test_shards_are_the_whole(sandbox: Sandbox, tmp_path: Path) -> None:
    scans = {f"s{nth}_v": [Scan(f"P{nth}", nth, 1)] for nth in range(1, 6)}
    for label, (scan,) in scans.items():
        write(tmp_path / "tree" / label.replace("_", "/"), scan.all_images())
    for part in ("0/2", "1/2"):
        assert upload(sandbox, tmp_path / f"w{part[0]}", tmp_path / "tree", "SHARDS", "--shard", part).code == 0
    assert_holds(sandbox, "SHARDS", scans)


def test_existing(sandbox: Sandbox, tmp_path: Path, tree: Path) -> None:
    assert upload(sandbox, tmp_path / "w", tree, "THERE").code == 0
    done = upload(sandbox, tmp_path / "w", tree, "THERE", "--existing", "error")
    assert (done.code, "is there already" in done.err) == (2, True)
    before = images(sandbox, "THERE")
    done = upload(sandbox, tmp_path / "w", tree, "THERE", "--existing", "append")
    assert (done.code, set(done.states().values())) == (0, {"archived"})
    assert images(sandbox, "THERE") == before
    write(tree / "007/pre/mr", {"IM0004.dcm": MR.image(4)})
    done = upload(sandbox, tmp_path / "w", tree, "THERE")
    assert done.code == 0, done.err
    assert archived(sandbox, "THERE")["007_pre"][MR.series_instance_uid] == 4


def test_a_tree_that_grows_while_its_session_waits_in_the_prearchive(
    sandbox: Sandbox, tmp_path: Path, tree: Path
) -> None:
    assert upload(sandbox, tmp_path / "w", tree, "GROWS", "--no-archive").code == 3
    assert len(in_prearchive(sandbox, "GROWS")) == 9
    write(tree / "007/pre/ct", {"IM0004.dcm": CT.image(4)})
    sent = len(_imports(sandbox))
    assert upload(sandbox, tmp_path / "w", tree, "GROWS").code == 0
    assert len(_imports(sandbox)) == sent + 1  # the series that grew; the others wait there
    assert archived(sandbox, "GROWS")["007_pre"] == {
        CT.series_instance_uid: 4, MR.series_instance_uid: 3, LOC.series_instance_uid: 3
    }  # fmt: skip


def _imports(sandbox: Sandbox) -> list[str]:
    return [one.path_with_query for one in sandbox.xnat.requests if "services/import" in one.path_with_query]


def test_a_large_series_goes_in_parts(sandbox: Sandbox, tmp_path: Path) -> None:
    large = Scan("A", 1, 1, images=9)
    tree = write(tmp_path / "tree", {"a.zip": zipped(large.all_images())})
    sent = len(_imports(sandbox))
    done = upload(sandbox, tmp_path / "w", tree, "PARTS", "--spool-limit", str(3 * len(large.image(1))))
    assert done.code == 0, done.err
    assert len(_imports(sandbox)) == sent + 2 + 3  # one image for the turn, the same for the session, and three parts
    assert_holds(sandbox, "PARTS", {"A": [large]})


BAD = {
    "no tree": (("nowhere", "P"), 2, "no such folder"),
    "an empty tree": (("empty", "P"), 2, "holds no DICOM"),
    "nothing but text": (("text", "P"), 2, "is no DICOM file"),
    "everything left out": (("tree", "P", "--exclude", "*"), 2, "and 8 more files: excluded: *"),
    "no project": (("tree",), 2, "PROJECT is missing"),
    "nothing": ((), 2, "ROOT and PROJECT are missing"),
    "too much": (("tree", "P", "http://127.0.0.1:9", "u", "p", "x"), 2, "too many"),
    "an address and too little": (("http://127.0.0.1:9", "u", "secret"), 2, "after an address come"),
    "a project that XNAT refuses": (("tree", "a b"), 2, "project ID"),
    "no JSON": (("tree", "P", "--config", "text/a.txt"), 2, "cannot be read as JSON"),
    "other JSON": (("tree", "P", "--config", "other.json"), 2, "what to exclude"),
    "an empty name": (("tree", "P", "--config", "blank.json"), 2, "no list of names"),
    "no mapping": (("tree", "P", "--mapping", "text/a.txt"), 2, "no mapping"),
    "no mapping in the tree": (("tree", "P", "--layout", "mapping"), 2, "holds no mapping"),
    "a mapping of what is not there": (("tree", "P", "--mapping", "absent.csv"), 2, "in line 2, which is not there"),
    "a mapping of what is elsewhere": (("tree", "P", "--mapping", "above.csv"), 2, "which is not below"),
    "a working folder in the tree": (("tree", "P", "--workdir", "tree/w"), 2, "lies in the tree"),
    "a wrong password": (("tree", "P", "", "admin", "wrong"), 5, "login"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(sandbox: Sandbox, tmp_path: Path, tree: Path, name: str) -> None:
    write(tmp_path, {"text/a.txt": b"x", "other.json": b'{"Include": []}', "blank.json": b'{"Exclude": [""]}'})
    write(
        tmp_path, {"absent.csv": b"path,subject,session\nx,s,v\n", "above.csv": b"path,subject,session\n../text,s,v\n"}
    )
    (tmp_path / "empty").mkdir()
    arguments, code, words = BAD[name]
    before = projects(sandbox)
    given = [
        sandbox.xnat.url if one == "" else tmp_path / one if (tmp_path / one).exists() else one for one in arguments
    ]
    inside = given.index("--workdir") if "--workdir" in given else len(given)
    done = upload(sandbox, tmp_path / (arguments[inside + 1] if given[inside:] else "w"), *given[:inside])
    assert done.code == code, done.err
    assert done.out == "" or done.out.startswith("No series was taken.\n")
    error, hint = done.err.splitlines()[-2:]
    assert error.startswith("error: ")
    assert words in error
    assert hint.startswith("hint: ")
    assert "secret" not in done.err
    assert projects(sandbox) == before
    assert tree.exists()


class Opened:
    """Counts the files below a folder that this process opens."""

    def __init__(self) -> None:
        self._below = ""
        self._count = 0
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and self._below and str(arguments[0]).startswith(self._below):
            self._count += 1

    def during(self, root: Path, action: Callable[[], Tree]) -> tuple[Tree, int]:
        self._below, self._count = f"{root}/", 0
        try:
            return action(), self._count
        finally:
            self._below = ""


OPENED = Opened()


def many(root: Path, series: int, images: int) -> None:
    """Write many small images quickly."""
    for number in range(1, series + 1):
        scan = Scan(f"P{number % 3}", number, number, images=images)
        image, uid = scan.image(1000), scan.sop_instance_uid(1000).encode()
        files = {str(nth): image.replace(uid, scan.sop_instance_uid(1000 + nth).encode()) for nth in range(images)}
        write(root / f"{number % 3}/{number}", files)


def test_headers_are_read_once(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    many(root, series=30, images=100)

    def look() -> Tree:
        with Inventory(tmp_path / "files.sqlite", root) as inventory:
            return gather(Wanted(root), inventory, lambda: None, lambda _count, _total: None)

    first, opened = OPENED.during(root, look)
    assert (len(first.catalogue.series), opened) == (30, 3000)
    assert {series.image_count for series in first.catalogue.series.values()} == {100}
    assert OPENED.during(root, look) == (first, 0)
    write(root, {"1/1/5": Scan("P1", 1, 99).image(1)})
    again, opened = OPENED.during(root, look)
    assert (len(again.catalogue.series), opened) == (31, 1)
