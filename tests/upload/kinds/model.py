"""A tree that knows which images it holds, the runs in which it is sent, and what each of them must come to."""

import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydicom.config import disable_value_validation

from tests.upload.trees import Scan


@dataclass(frozen=True, slots=True)
class Tree:
    """Files by path, and the PatientID of each DICOM image that they hold, in whatever form, by SOPInstanceUID."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)

    def __or__(self, other: "Tree") -> "Tree":
        return Tree({**self.files, **other.files}, {**self.images, **other.images})

    def with_files(self, files: Mapping[str, bytes]) -> "Tree":
        """Return the tree with further files that are no images, or that stand in the place of some."""
        return replace(self, files={**self.files, **files})

    def without(self, *paths: str) -> "Tree":
        """Return the tree without some files; the images that they held are asked for all the same."""
        return replace(self, files={path: data for path, data in self.files.items() if path not in paths})

    def zipped(self, path: str, rename: Callable[[str], str] = lambda name: name, **more: bytes) -> "Tree":
        """Return the tree as one zip; `more` are members that are no images."""
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for name, content in {**self.files, **more}.items():
                archive.writestr(rename(name), content)
        return Tree({path: made.getvalue()}, self.images)


def images_of(
    scan: Scan,
    numbers: Iterable[int] = (1, 2, 3),
    folder: str = "",
    name: str = "IM{:05}.dcm",
    packed: Callable[[bytes], bytes] = bytes,
    **changed: str,
) -> Tree:
    """Return some images of a scan in a folder; `changed` are elements by keyword, also some that DICOM forbids."""
    paths = {number: f"{folder}/{name.format(number)}".lstrip("/") for number in numbers}
    with disable_value_validation():
        files = {path: packed(scan.image(number, **changed)) for number, path in paths.items()}
    return Tree(files, {scan.sop_instance_uid(number): changed.get("PatientID", scan.patient) for number in paths})


def joined(trees: Iterable[Tree]) -> Tree:
    """Return several trees as one."""
    found = Tree()
    for tree in trees:
        found |= tree
    return found


@dataclass(frozen=True, slots=True)
class Ends:
    """What a run must come to.

    Attributes
    ----------
    holds
        What the archive has then, and nothing else: `subject/session` → images.
    says
        Words that a user reads.
    unsaid
        Words that would mislead him.
    """

    code: int
    holds: Mapping[str, Tree] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One run of upload.py.

    Attributes
    ----------
    machine
        Runs of one machine share state, memory of headers and layout; another machine knows nothing.
    root
        Name of the folder; what a second run writes into the same folder replaces files of the first.
    """

    tree: Tree
    ends: Ends
    options: tuple[str, ...] = ()
    machine: int = 1
    root: str = "tree"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of tree.

    Attributes
    ----------
    plays
        By name the runs into one project, one after the other.
    left_out
        Images that an option names.
    foreign
        Images that somebody else has sent to the prearchive before, where they stay.
    is_one
        Whether the user says that all PatientIDs are one patient's.
    """

    plays: Mapping[str, Sequence[Run]]
    left_out: Tree = Tree()
    foreign: Tree = Tree()
    is_one: bool = False


def alone(tree: Tree, ends: Ends, *options: str, left_out: Tree | None = None) -> Kind:
    """Return a tree that is sent once, and once more by a machine that knows nothing of it: the same comes of it."""
    return Kind({"on two machines": twice(tree, ends, *options)}, left_out or Tree())


def mended(broken: Tree, ends: Ends, whole: Tree, *, has: Mapping[str, Tree]) -> Kind:
    """Return a tree that ends in the same way on each machine, until it is mended, and then again: XNAT `has` it."""
    runs = [
        *twice(broken, ends),
        Run(whole, Ends(0, has)),
        Run(broken, replace(ends, holds=has), machine=3),
    ]
    return Kind({"broken, mended, and broken again": runs})


def delivered(
    first: Tree, second: Tree, *, whole: Ends, one: Ends, two: Ends, then_two: Ends | None = None,
    then_one: Ends | None = None, options: tuple[str, ...] = (), alike: bool = False,
) -> Kind:  # fmt: skip
    """Return two deliveries: in one run and repeated, in two, and the other way round, with and without the state.

    Parameters
    ----------
    one, two
        What either delivery comes to as the first one.
    then_two, then_one
        What it comes to as the second one; None for `whole`.
    alike
        Whether they differ in names only: then both orders are one, and each is played once.
    """
    a, b = Run(first, one, options, root="a"), Run(second, two, options, root="b")
    then_a, then_b = replace(a, ends=then_one or whole), replace(b, ends=then_two or whole)
    plays = {
        "in one run": twice(first | second, whole, *options),
        "in two": [a, then_b],
        "the other way round, on two machines": [b, replace(then_a, machine=2)],
    }
    return Kind(plays if alike else {**plays, "in two, on two machines": [a, replace(then_b, machine=2)]})


def twice(tree: Tree, ends: Ends, *options: str) -> list[Run]:
    """Return a run, and another on a machine that knows nothing of it; words about what is new are not said again."""
    repeated = ends if ends.code else replace(ends, says=())
    return [Run(tree, ends, options), Run(tree, repeated, options, machine=2)]
