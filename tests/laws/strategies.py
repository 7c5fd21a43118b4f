"""Random stories: people whose IDs nearly collide, trees as people have them, sessions of others, runs in any order."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from hypothesis import strategies as st

from tests.laws.story import Content, Foreign, Image, Junk, Mapped, Pack, Run, Stored, Story, Tree

_Value = TypeVar("_Value")

IDS = (
    "P", "p", "Q", "12/3", "12^3", "12_3", "Cas", "CAS", "Жук", "Лис", "S1", "P_01", "sub-01", "A=B", "A\\B",
    "L" * 64 + "a", "L" * 64 + "b", "P ", " P", "P\0", "P.", "", "-",
)  # fmt: skip
DESCRIPTIONS = ("t1", "AX T1 [C+]", "loc", "t2 FLAIR", "Жук")
FOLDERS = ("t1", "b\udcff", "AX T1 [C+]", ".5mm bone", "loc", "Block loc 2", "DTI/raw", "t1*", "Протокол")
SUBJECTS = ("S1", "S2", "P", "Q", "s1", "12_3", "DICOM", "S 1")
SESSIONS = ("v1", "v2", "ses", "ses_01", "2020-01-01", "V1")
RARE = (
    ["--no-archive"], ["--existing", "append"], ["--existing", "error"], ["--session-label", "{StudyDate}"],
    ["--subject-label", "X-{PatientID}"], ["--subject-label", "{StudyDate}"], ["--subject-label", "all"],
    ["--limit", "1"], ["--shard", "0/2"], ["--shard", "1/2"],
)  # fmt: skip
JUNK = {
    "notes.txt": b"seen",
    "._IM10001.dcm": b"\0\5\26\7",
    ".DS_Store": b"\0\0\0\1Bud1",
    "Thumbs.db": b"\xd0\xcf\x11\xe0",
    "__MACOSX/._x": b"x",
    "LICENSE": b"free",
    "report.pdf": b"%PDF-1.4",
    "empty": b"",
    "list.csv": b"path,what\n",
}


def rarely(draw: st.DrawFn, one_in: int) -> bool:
    """Return whether something happens that happens once in so many times; a smaller example has less of it."""
    return draw(st.integers(0, one_in - 1)) == one_in - 1


def drawn(draw: st.DrawFn, values: Sequence[_Value]) -> _Value:
    """Return one of some values; the first is the simplest."""
    return draw(st.sampled_from(values))


@st.composite
def scans(draw: st.DrawFn) -> list[list[Image]]:
    """Return the images of one to four series of one to three people."""
    people = draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=3, unique=True))
    made = []
    for series in range(1, draw(st.integers(1, 4)) + 1):
        who = draw(st.integers(0, len(people) - 1))
        study = 1 if rarely(draw, 6) else 10 * (who + 1) + draw(st.integers(0, 1))
        first = Image(
            people[who], study, series, 1, drawn(draw, ("MR", "MR", "CT", "PT")), drawn(draw, DESCRIPTIONS),
            drawn(draw, ("", "19400101", "19900101")),
        )  # fmt: skip
        images = [replace(first, number=number) for number in range(1, draw(st.integers(1, 3)) + 1)]
        if rarely(draw, 20):  # one image names somebody else
            images[-1] = replace(images[-1], patient=drawn(draw, people))
        made.append(images)
    return made


@st.composite
def trees(draw: st.DrawFn, parts: list[list[Image]]) -> Tree:
    """Return a delivery of some of the images, in one of the layouts that people have."""
    tree: dict[str, Content] = {}
    layout = drawn(draw, tuple(LAYOUTS))
    names = Names(draw)
    for images in parts:
        if rarely(draw, 5):
            continue  # not in this delivery
        kept = [image for image in images if not rarely(draw, 5)] or images[:1]
        folder = LAYOUTS[layout](names, images[0])
        _put(draw, tree, folder, kept, is_packed=layout == "downloaded")
    if not tree:
        _put(draw, tree, "a", parts[0], is_packed=False)
    return _spoiled(draw, tree)


class Names:
    """What the folders of one tree are called: each patient, study and series gets its name once."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._known: dict[tuple[str, object], str] = {}

    def _of(self, kind: str, key: object, values: Sequence[str]) -> str:
        if (kind, key) not in self._known:
            self._known[kind, key] = drawn(self._draw, values)
        return self._known[kind, key]

    def subject(self, image: Image) -> str:
        own = "".join(letter if letter.isalnum() or letter in "_- " else "_" for letter in image.person)[:60] or "none"
        wrong = rarely(self._draw, 15)  # a series in the folder of somebody else
        return self._of("subject", image.series if wrong else image.patient, (own, own, *SUBJECTS))

    def session(self, image: Image) -> str:
        return self._of("session", image.study_uid, SESSIONS)

    def series(self, image: Image) -> str:
        return self._of("series", image.series, FOLDERS)

    def number(self, kind: str, key: object) -> int:
        return int(self._known.setdefault((kind, key), str(len(self._known) + 1)))


LAYOUTS: dict[str, Callable[[Names, Image], str]] = {
    "any": lambda names, image: f"export/{names.series(image)}",
    "root": lambda names, image: f"{names.subject(image)}/{names.session(image)}/{names.series(image)}",
    "bids": lambda names, image: f"{names.subject(image)}/{names.session(image)}",
    "flat": lambda _names, _image: "",
    "cd": lambda names, image: (
        f"DICOM/PA{names.number('p', image.patient):06}/ST{names.number('st', image.study):06}"
        f"/SE{names.number('se', image.series):06}"
    ),
    "site": lambda names, image: f"site1/{names.subject(image)}/{names.session(image)}/{names.series(image)}",
    "uids": lambda names, image: f"{names.subject(image)}/{image.study_uid}/{image.series_uid}",
    "downloaded": lambda _names, image: image.series_uid,
    "deep": lambda names, image: f"a/b/c/d/{names.session(image)}/{names.series(image)}",
}
STYLES: dict[str, Callable[[Image], str]] = {
    "suffix": lambda image: f"IM{image.series}{image.number:04}.dcm",
    "none": lambda image: f"IM{image.series}{image.number:04}",
    "hidden": lambda image: f".CT..{image.series:04}.{image.number:04}.IMA",
    "uid": lambda image: f"MR.{image.uid}",
    "text": lambda image: f"scan {image.series} Жук {image.number}.txt",
}


def _put(draw: st.DrawFn, tree: dict[str, Content], folder: str, images: list[Image], *, is_packed: bool) -> None:
    """Put the images of a series into a tree, as files or in an archive."""
    style = STYLES[drawn(draw, tuple(STYLES))]
    form = drawn(draw, ("plain", "plain", "plain", "bare", "gzip", "padded"))
    files = {style(image) + (".gz" if form == "gzip" else ""): Stored(image, form) for image in images}
    base = f"{folder}/" if folder else ""
    if is_packed:
        tree[f"{base}img.zip"] = Pack({name: replace(one, form="plain") for name, one in files.items()})
    elif rarely(draw, 5):
        kind = drawn(draw, ("zip", "windows", "tar", "tgz"))
        suffix = "zip" if kind == "windows" else kind
        tree[f"{base}x{images[0].series}.{suffix}"] = Pack(
            {f"DATA/{name.removesuffix('.gz')}": replace(one, form="plain") for name, one in files.items()}, kind
        )
    else:
        tree |= {base + name: one for name, one in files.items()}


def _spoiled(draw: st.DrawFn, tree: dict[str, Content]) -> Tree:
    """Return a tree with what else lies in trees: junk, copies, strays, what is broken."""
    loose = [path for path, what in tree.items() if isinstance(what, Stored)]
    if rarely(draw, 4):
        folder = drawn(draw, list(tree)).rpartition("/")[0]
        name = drawn(draw, tuple(JUNK))
        tree.setdefault(f"{folder}/{name}" if folder else name, Junk(JUNK[name]))
    if loose and rarely(draw, 8):
        path = drawn(draw, loose)
        what = tree[path]
        if isinstance(what, Stored) and rarely(draw, 2):  # the same UID, and not the same image
            what = replace(what, image=replace(what.image, edition=1))
        tree[f"copy/{path.rpartition('/')[2]}"] = what
    if loose and rarely(draw, 8):
        path = drawn(draw, loose)
        if "/" in path:
            tree[path.rpartition("/")[2]] = tree.pop(path)  # a stray
            loose = [one for one in loose if one != path]
    if loose and rarely(draw, 6):
        path = drawn(draw, loose)
        broken = tree[path]
        if isinstance(broken, Stored) and broken.form == "plain":
            tree[path] = replace(broken, form=drawn(draw, ("cut", "empty", "zeros", "pointer", "link")))
    packs = [path for path, what in tree.items() if isinstance(what, Pack)]
    if packs and rarely(draw, 8):
        pack = tree[packs[0]]
        assert isinstance(pack, Pack)
        first = next(iter(pack.members.values()))
        if isinstance(first, Stored):
            inner = Stored(replace(first.image, series=80), "nested")
            tree[packs[0]] = replace(pack, members={**pack.members, "inner.zip": inner})
    return tree


@st.composite
def runs(draw: st.DrawFn, made: list[Tree], base: tuple[str, ...], people: Sequence[str]) -> Run:
    """Return a run of one of the trees, mostly with the layout that all runs of the story have."""
    number = draw(st.integers(0, len(made) - 1))
    tree = made[number]
    options = list(base) if not rarely(draw, 8) else ["--layout", drawn(draw, ("headers", "folders"))]
    options += _filters(draw, tree)
    if len(people) > 1 and rarely(draw, 8):
        held, patient = draw(st.permutations([one.strip(" \0") for one in people]))[:2]
        if held and patient:
            options += ["--same-patient", f"{held}={patient}"]
    for option in ("--split-session", "--keep-paths", "--follow-links"):
        options += [option] if rarely(draw, 6) else []
    if rarely(draw, 8):
        options += ["--zipmode", drawn(draw, ("process", "nozip", "asis"))]
    if rarely(draw, 6):
        options += drawn(draw, RARE)
    mapping = draw(mappings(tree)) if not base and rarely(draw, 5) else None
    if mapping and rarely(draw, 3):
        options.append("--partial")
    config = (drawn(draw, ("loc", "t1", "S1", "nowhere")),) if rarely(draw, 10) else ()
    if (config or {"--exclude", "--include"} & {*options}) and not rarely(draw, 4):
        options.append("--allow-unmatched")
    workdir = drawn(draw, ("w", "w", "v", "u"))
    place = drawn(draw, ("", "", "t"))
    return Run(number, tuple(options), mapping, config, workdir, place, again=rarely(draw, 3))


def _filters(draw: st.DrawFn, tree: Tree) -> list[str]:
    options = []
    if rarely(draw, 4):
        options += ["--exclude", drawn(draw, patterns(tree))]
        options += ["--exclude", drawn(draw, patterns(tree))] if rarely(draw, 3) else []
    if rarely(draw, 10):
        options += ["--include", drawn(draw, patterns(tree))]
    if rarely(draw, 10):
        options += ["--modality", drawn(draw, ("MR", "CT", "PET", "mr,CT", "US"))]
    return options


def patterns(tree: Tree) -> list[str]:
    """Return what one may write to name something of a tree, or nothing of it."""
    paths = list(tree)
    parts = [part for path in paths for part in path.split("/")]
    folders = [path.rpartition("/")[0] for path in paths if "/" in path]
    return [*dict.fromkeys([*parts, *folders, *DESCRIPTIONS, "IM1*", "*2", "nowhere", "s?", *paths])]


@st.composite
def mappings(draw: st.DrawFn, tree: Tree) -> Mapped:
    """Return a mapping of the folders of a tree: right, of a part, with a path twice, or in UTF-16."""
    folders = [*dict.fromkeys(path.rpartition("/")[0] or path for path in tree)]
    rows = [
        (folder, drawn(draw, SUBJECTS), drawn(draw, SESSIONS))
        for folder in folders
        if folder == folders[0] or not rarely(draw, 5)
    ]
    if rarely(draw, 8):
        rows.append((f"./{rows[0][0]}", "S2", "v9"))
    return Mapped(tuple(rows), drawn(draw, ("utf-8", "utf-8-sig", "utf-16")))


@st.composite
def foreigners(draw: st.DrawFn, parts: list[list[Image]]) -> Foreign:
    """Return a session of another tool, of one of the studies: the same images, or one that no tree has."""
    images = drawn(draw, parts)
    first = images[0]
    here = drawn(draw, (images[:1], images, [replace(first, series=90, number=9)]))
    safe = first.person if first.person.isalnum() and first.person.isascii() and len(first.person) < 64 else "S1"
    subject, session = drawn(draw, (safe, "THEIRS", "S1", "P")), drawn(draw, ("REVIEW", safe, "S1_v1"))
    return Foreign(subject, session, tuple(here), waits=draw(st.booleans()))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Return a story."""
    parts = draw(scans())
    made = draw(st.lists(trees(parts), min_size=1, max_size=3))
    base = drawn(draw, ((), (), ("--layout", "headers"), ("--layout", "folders")))
    people = [*dict.fromkeys(image.patient for images in parts for image in images)]
    played = draw(st.lists(runs(made, base, people), min_size=1, max_size=3))
    foreign = (draw(foreigners(parts)),) if rarely(draw, 4) else ()
    return Story(tuple(made), tuple(played), foreign)
