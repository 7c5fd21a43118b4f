"""From a tree on disk to a catalogue: what it holds, as series, and why other things in it are not sent."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tcia_xnat.core.errors import Error, SeriesDamaged, UsageError
from tcia_xnat.core.model import Series
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.sources.local.choice import IN_NO_SESSION, IN_ZIP, UNMAPPED, Chooser, Filters, ZipMode, whole_path
from tcia_xnat.sources.local.dicomdir import files_not_on_disk, referenced
from tcia_xnat.sources.local.inventory import Inventory
from tcia_xnat.sources.local.layout import Layout, below_session, downloaded_series
from tcia_xnat.sources.local.left_out import sentence
from tcia_xnat.sources.local.mapping import is_mapping, read_mapping
from tcia_xnat.sources.local.model import File, Gathered, Image, Passed, PassedOver, Weight, shown
from tcia_xnat.sources.local.people import wrong_folders
from tcia_xnat.sources.local.read import read_file
from tcia_xnat.sources.local.recognition import Decision, decide
from tcia_xnat.sources.local.walk import Found, walk

_GAP = Passed("is named by a DICOMDIR and is not there", Weight.LOST)
_LOOK_EVERY = 1000  # files between two looks whether the run is to end
_REPAIR = "repair it, or leave it out with --exclude; the same command then completes what is there"
_WAYS_OUT = {
    UNMAPPED: "name it in the mapping, or leave out with --partial what is not named there",
    IN_ZIP: "--zipmode process opens zips, --zipmode nozip leaves them out",
    IN_NO_SESSION: "move it into a session folder, leave it out with --exclude, or choose another --layout",
}
_NOT_THEIRS = "move them to their patient's folder, leave them out with --exclude, or say --same-patient OWN=PATIENTID"
_ONE_OF_BOTH = "leave one of them out"
_NAME_IT = "give them names with --layout folders or --layout mapping"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tree, and what of it is wanted; what is None is found out by looking.

    `root` is a folder or a zip; `follows_links` also takes what lies behind links that lead out of it.
    `is_partial` leaves out what a mapping does not name; `allows_unmatched` takes patterns that fit nothing.
    `same_patients` has by PatientID another name of the same person.
    """

    root: Path
    layout: Layout | None = None
    zip_mode: ZipMode | None = None
    mapping: Path | None = None
    filters: Filters = field(default_factory=Filters)
    follows_links: bool = False
    is_partial: bool = False
    allows_unmatched: bool = False
    same_patients: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tree:
    """What a tree holds.

    Attributes
    ----------
    problems
        By SeriesInstanceUID why a series cannot be sent although its images are there: its study waits for it.
    notes
        By SeriesInstanceUID what is worth reporting.
    folders
        By SeriesInstanceUID where the first of its images lies, below the root.
    why
        Why the tree has this layout.
    """

    layout: Layout
    zip_mode: ZipMode
    catalogue: Catalogue
    problems: Mapping[str, SeriesDamaged]
    notes: Mapping[str, tuple[str, ...]]
    folders: Mapping[str, str]
    why: str = ""


def find_root(root: Path, mapping: Path | None, layout: Layout | None) -> tuple[Path, Path | None]:
    """Return the tree and its mapping: a CSV of path, subject and session may stand for the tree it lies in, or in it.

    Raises
    ------
    UsageError
        There is no such tree, or no mapping although one was asked for, or one beside another layout; or it cannot be
        seen which.
    """
    try:
        return _found_root(root, mapping, layout)
    except OSError as error:  # a folder or a table that this user may not read: what it says might name the patients
        said = f"{error.filename or root} cannot be read: {error.strerror or error}"
        raise UsageError(said, "have it made readable, or name --layout and --mapping") from error


def _found_root(root: Path, mapping: Path | None, layout: Layout | None) -> tuple[Path, Path | None]:
    if not root.exists():
        raise UsageError(f"no such folder: {root}", "name a folder, a zip, or a CSV of path, subject and session")
    if mapping is None and is_mapping(root):
        root, mapping = root.parent, root
    if mapping and layout not in {None, Layout.MAPPING}:
        raise UsageError(f"--layout {layout} and the mapping {mapping} name subjects in two ways", _ONE_OF_BOTH)
    if mapping is None and root.is_dir() and layout in {None, Layout.MAPPING}:
        listed = [file for file in sorted(root.iterdir()) if is_mapping(file)]
        if len(listed) > 1:
            raise UsageError(f"{root} holds several mappings", "choose one with --mapping")
        mapping = next(iter(listed), None)
    if mapping is None and layout is Layout.MAPPING:
        raise UsageError(f"{root} holds no mapping", "name a CSV of path, subject and session with --mapping")
    return root, mapping


def gather(
    wanted: Wanted, inventory: Inventory, check: Callable[[], None], on_files: Callable[[int, int], None]
) -> Tree:
    """Look through a tree.

    Parameters
    ----------
    check
        Raises `Stopped` when the run is to end.
    on_files
        Told how many files were read, and how many there are.

    Raises
    ------
    UsageError
        It holds nothing to send.
    """
    inventory.see(_checked(walk(wanted.root, follows=wanted.follows_links), check))
    _read_new(inventory, check, on_files, zips=False)
    mapping = read_mapping(wanted.mapping, wanted.root) if wanted.mapping else {}
    decision = _decision(wanted, inventory, is_mapped=bool(mapping))
    layout = decision.layout
    zip_mode = wanted.zip_mode or (ZipMode.NOZIP if layout in {Layout.FOLDERS, Layout.MAPPING} else ZipMode.PROCESS)
    if wanted.zip_mode is not ZipMode.NOZIP:  # also where they stay shut: whether they hold images must be known
        _read_new(inventory, check, on_files, zips=True)
    chooser = Chooser(
        layout,
        zip_mode,
        wanted.filters,
        mapping,
        is_zip_mode_given=wanted.zip_mode is not None,
        is_partial=wanted.is_partial,
    )
    inventory.choose(chooser)
    _look_at_indexes(inventory, chooser, check)
    if (idle := chooser.unmatched.named()) and not wanted.allows_unmatched:
        raise UsageError(f"{idle} fits nothing in {wanted.root}", chooser.unmatched.hint())
    tree = _tree(decision, zip_mode, inventory, wanted.same_patients, chooser.unmatched.notes())
    if not (tree.catalogue.series or tree.catalogue.missing):
        raise _nothing(wanted.root, inventory.passed_over())
    return tree


def _decision(wanted: Wanted, inventory: Inventory, *, is_mapped: bool) -> Decision:
    if wanted.layout or is_mapped:
        return Decision(
            wanted.layout or Layout.MAPPING, "as asked" if wanted.layout else f"{wanted.mapping} is a mapping"
        )
    filters = wanted.filters

    def refuses(path: str, image: Image) -> bool:
        by_folder = filters.folder_refusal(below_session(Layout.FOLDERS, path.split("/")), takes_parts=True)
        return (by_folder or filters.refusal(whole_path(path, image), image)) is not None

    return decide(inventory.spots(refuses if filters != Filters() else None), inventory.zips())


def _look_at_indexes(inventory: Inventory, chooser: Chooser, check: Callable[[], None]) -> None:
    """See that what the DICOMDIR files name is there; a gap says that a medium was copied in part."""
    for index in inventory.indexes():
        check()
        try:
            with index.open("rb") as file:
                listed = list(files_not_on_disk(referenced(file), index.parent))
        except (OSError, ValueError) as error:
            inventory.lose(chooser, [(index, Passed(f"a DICOMDIR that cannot be read: {error}", Weight.LOST))], ())
            continue
        inventory.lose(
            chooser,
            [(path, _GAP) for path, is_missing in listed if is_missing],
            (path for path, is_missing in listed if not is_missing),
        )


def _checked(found: Iterable[Found], check: Callable[[], None]) -> Iterator[Found]:
    for number, one in enumerate(found):
        if number % _LOOK_EVERY == 0:
            check()
        yield one


def _read_new(
    inventory: Inventory, check: Callable[[], None], on_files: Callable[[int, int], None], *, zips: bool
) -> None:
    total, done = inventory.count(zips=zips), 0
    for files in inventory.unread(zips=zips):
        check()
        inventory.keep(_read(files, inventory))
        done += len(files)
        on_files(done, total)


def _read(files: Iterable[File], inventory: Inventory) -> list[tuple[File, list[Image | Passed]]]:
    read: list[tuple[File, list[Image | Passed]]] = []
    for file in files:
        try:
            read.append((file, list(read_file(Path(file.path), file.size))))
        except OSError as error:
            inventory.mark(file.path, Passed(f"cannot be read: {error.strerror or error}", Weight.SUSPECT))
    return read


def _tree(
    decision: Decision, zip_mode: ZipMode, inventory: Inventory, same: Mapping[str, str], notes: tuple[str, ...]
) -> Tree:
    layout, gathered = decision.layout, inventory.series()
    missing: dict[str, Error] = {}
    for passed in inventory.passed_over():
        if passed.weight is not Weight.LEFT_OUT:
            missing[downloaded_series(passed.first) or passed.first] = SeriesDamaged(
                _lost(passed), _WAYS_OUT.get(passed.reason, _REPAIR)
            )
    for one in gathered:
        if one.folder is None and not one.first.patient_id:
            missing[one.first.series_instance_uid] = SeriesDamaged("its images have no PatientID", _NAME_IT)
    for uid, why in wrong_folders(gathered, same).items():
        missing[uid] = SeriesDamaged(why, _NOT_THEIRS)
    sent = {one.first.series_instance_uid: one for one in gathered if one.first.series_instance_uid not in missing}
    return Tree(
        layout,
        zip_mode,
        Catalogue(
            {uid: _series(one) for uid, one in sent.items()},
            missing,
            notes=notes,
            images_of=inventory.images_of,
            left_out=sentence(inventory.left_out()),
            unwanted=inventory.unwanted(),
        ),
        _problems(layout, sent, inventory),
        {uid: (f"{one.copies} copies of its images were left out",) for uid, one in sent.items() if one.copies},
        {uid: inventory.folder(one.path) for uid, one in sent.items()},
        decision.why,
    )


def _series(gathered: Gathered) -> Series:
    first = gathered.first
    return Series(
        first.series_instance_uid,
        first.study_instance_uid,
        first.patient_id,
        modality=first.modality,
        series_number=first.series_number,
        series_description=first.series_description,
        study_date=first.study_date,
        study_description=first.study_description,
        image_count=gathered.image_count,
        byte_count=gathered.byte_count,
        people=gathered.people,
        folder=gathered.folder,
    )


def _problems(layout: Layout, sent: Mapping[str, Gathered], inventory: Inventory) -> dict[str, SeriesDamaged]:
    """Return what keeps series from being sent although all of their images can be read."""
    suspects = inventory.suspects()
    found: dict[str, str] = {}
    for uid, one in sent.items():
        named = downloaded_series(one.path)
        if one.studies > 1:
            found[uid] = f"its images name {one.studies} studies"
        elif one.folders > 1:
            found[uid] = f"its images lie in {one.folders} session folders"
        elif one.folder is None and len(one.patients) > 1:
            found[uid] = f"its images name several patients: {shown(', '.join(sorted(one.patients)))}"
        elif layout is Layout.ZIPS and named and named != uid:
            found[uid] = f"it lies in the folder of series {named}"
        elif uid in suspects:
            found[uid] = "beside its images, {} {}, and may be one of them".format(*suspects[uid])
    return {uid: SeriesDamaged(why, _REPAIR) for uid, why in found.items()}


def _lost(passed: PassedOver) -> str:
    if passed.count == 1:
        return f"{passed.first} {passed.reason}"
    return f"{passed.count} files: {passed.first} {passed.reason}"


def _nothing(root: Path, passed_over: Iterable[PassedOver]) -> UsageError:
    passed = list(passed_over)
    counts: dict[str, int] = {}
    for one in passed:
        counts[one.reason] = counts.get(one.reason, 0) + one.count
    most = max(counts, key=lambda reason: counts[reason], default="")
    first = next((one.first for one in passed if one.reason == most), "")
    why = f"; {_named(first, counts[most])} {most}" if most else ""
    return UsageError(
        f"{root} holds no DICOM images to send{why}",
        "name a folder, zip or CSV of DICOM files, and see that --include, --modality and --zipmode let them through",
    )


def _named(first: str, count: int) -> str:
    if count == 1:
        return f"{first}:"
    return f"{first} and {count - 1} more {'file' if count == 2 else 'files'}:"  # noqa: PLR2004  one besides the first
