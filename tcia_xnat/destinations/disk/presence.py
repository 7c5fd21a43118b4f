"""Whether a series is there: the one place that decides it, for a run to disk and for --verify alike. Pure.

Names of files do not count, and neither do folders: each image must lie below the output folder once, with the bytes
that it was published with. What lies there of the series besides is wrong too, since readers of the folder would take
it for slices.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tcia_xnat.core.errors import FolderError
from tcia_xnat.core.model import Series
from tcia_xnat.core.uids import image_name
from tcia_xnat.core.words import counted
from tcia_xnat.destinations.disk.kept import KeptFile
from tcia_xnat.destinations.disk.scan import IMAGE_NAMES, File, Image

_SHOWN = 5  # reasons of one kind; all are counted


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a series before its files are looked at.

    Attributes
    ----------
    series
        As the catalogue has it; of one that nobody offers its UID alone.
    image_count
        Images that it should have; None when nobody says.
    files
        Path → what was remembered when it was stored; empty when nothing was.
    hashes
        MD5 of every image that IDC lists; empty when they are not known.
    notes, errors
        What is worth saying, and why something could not be found out.
    """

    series: Series
    image_count: int | None = None
    files: Mapping[str, KeptFile] | None = None
    hashes: Sequence[str] = ()
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clearing:
    """Names in the folder of a series that readers would take for its slices, and that are not.

    Attributes
    ----------
    remove
        What the series has under another name, or has no more.
    aside
        What looks like an image, and cannot be read as one.
    """

    remove: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()


def wrong(known: Known, files: Sequence[File]) -> list[str]:
    """Return what is wrong with the files of a series, a sentence each; nothing when it is there.

    Without remembered files and without hashes images are counted: what this finds right is not proved.
    """
    return list(_wrong(known, files, images_of(known.series.series_instance_uid, files)))


def whole_part(known: Known, files: Iterable[File], home: str) -> tuple[File, ...]:
    """Return the files that hold a series whole, each image once; none when it is not there, or cannot be proved.

    Parameters
    ----------
    home
        The folder of the series. Of two files with the same image the remembered one is taken, else the one in there.
    """
    places = known.files or {}
    wanted = Counter(file.md5 for file in places.values()) or Counter(known.hashes)
    taken = []
    for file in sorted(files, key=lambda file: _preference(file, home, places)):
        parts = Counter([file.md5] if places else [image.md5 for image in file.images])
        if parts and file.images and parts <= wanted:
            wanted -= parts
            taken.append(file)
    return () if not taken or wrong(known, taken) else tuple(taken)


def _preference(file: File, home: str, places: Collection[str]) -> tuple[bool, int, bool, bool, str]:
    """Return a key that sorts the better one of two files with the same image first."""
    is_named = any(image_name(image.header.sop_instance_uid) == file.name for image in file.images)
    return file.path not in places, -len(file.images), file.folder != home, not is_named, file.path


def clearing(  # noqa: PLR0913  what decides of each file
    files: Iterable[File],
    series_instance_uid: str,
    images: Collection[str],
    names: Collection[str],
    ours: Collection[str] = (),
    *,
    is_shared: bool = False,
) -> Clearing:
    """Decide what has to leave the folder of a series, so that it holds each of its images once.

    Parameters
    ----------
    files
        What lies in the folder.
    images
        SOPInstanceUIDs of the series as it is right.
    names
        Files that hold these, or are to hold them: what has such a name is right, or replaced.
    ours
        Files that an earlier run has put there.
    is_shared
        Other series lie in the folder, too: what has no name of `names` or `ours` and does not say that it is of this
        series, is theirs.

    Raises
    ------
    FolderError
        Something lies there that nothing replaces: another series, an image that the series does not list, or what
        the disk does not give.
    """
    remove, aside = [], []
    for file in files:
        name = file.name
        if is_shared and name not in {*names, *ours} and series_instance_uid not in _claimed(file):
            continue
        _refuse_foreign(file, series_instance_uid, images, is_ours=name in ours, is_replaced=name in names)
        if name in names:
            continue
        if file.claims or name in ours:
            remove.append(name)
        elif looks_like_image(file):
            aside.append(name)
    return Clearing(tuple(remove), tuple(aside))


def _refuse_foreign(
    file: File, series_instance_uid: str, images: Collection[str], *, is_ours: bool, is_replaced: bool
) -> None:
    if others := _claimed(file) - {series_instance_uid, ""}:
        raise FolderError(
            f"{file.folder or '.'} holds images of series {min(others)}",
            "move them away, or choose folders with %SeriesInstanceUID in them",
        )
    if file.is_error and not is_replaced:
        raise FolderError(file.problem, "look at the rights and at the disk, then run the same command again")
    if not is_ours and (extra := {image for _, image in file.claims} - set(images)):
        raise FolderError(
            f"{file.path} holds image {min(extra)}, which the series does not list",
            "move it out of the output folder, then run the same command again",
        )


def _claimed(file: File) -> set[str]:
    """Return the SeriesInstanceUIDs of what a file is."""
    return {series for series, _ in file.claims}


def looks_like_image(file: File) -> bool:
    """Whether a file that cannot be read as an image seems to be one by its name."""
    return file.path.endswith(IMAGE_NAMES)


def images_of(series_instance_uid: str, files: Iterable[File]) -> list[Image]:
    """Return the images of a series in these files."""
    return [image for file in files for image in file.images if image.header.series_instance_uid == series_instance_uid]


def _wrong(known: Known, files: Sequence[File], images: Sequence[Image]) -> Iterator[str]:
    if known.image_count is not None and len(images) != known.image_count:
        yield f"{counted(len(images), 'image')}, {known.image_count} expected"
    if known.files:
        yield from _shortened(_wrong_files(known.files, files))
    elif known.hashes:
        yield from _shortened(_wrong_images(known.hashes, files))
    else:
        yield from _shortened(file.problem for file in files if file.problem and not file.is_error)
    yield from _identity(known.series, images)


def _wrong_files(kept: Mapping[str, KeptFile], files: Sequence[File]) -> Iterator[str]:
    """Yield what is wrong with files of which name, size and MD5 were remembered; moved ones are not wrong."""
    there = {file.path: file for file in files}
    elsewhere = [file for file in files if file.path not in kept]
    moved = Counter(file.md5 for file in elsewhere)
    for path, should in kept.items():
        found = there.get(path)
        if found is not None and (found.is_error or found.md5 == should.md5):
            continue
        if moved[should.md5] > 0:
            moved[should.md5] -= 1
            elsewhere.remove(next(file for file in elsewhere if file.md5 == should.md5))
        elif found is None:
            yield f"missing: {path}"
        elif found.size < should.size:
            yield f"truncated: {path}, {found.size} of {should.size} bytes"
        else:
            yield f"other bytes: {path}"
    yield from (f"extra: {file.path}" for file in elsewhere if not file.is_error)


def _wrong_images(hashes: Sequence[str], files: Sequence[File]) -> Iterator[str]:
    """Yield what is wrong with files of which IDC lists the hashes, without names."""
    wanted = Counter(hashes)
    for file in files:
        unknown = [image for image in file.images if wanted[image.md5] <= 0]
        wanted.subtract(image.md5 for image in file.images)
        if unknown:
            yield f"other bytes than IDC lists, or extra: {file.path}"
        elif file.problem and not file.is_error:
            yield file.problem
    if missing := sum(count for count in wanted.values() if count > 0):
        yield f"{missing} of the {len(hashes)} images that IDC lists are not there as it lists them"


def _identity(series: Series, images: Sequence[Image]) -> Iterator[str]:
    counts = Counter(image.header.sop_instance_uid for image in images)
    if twice := [uid for uid, count in counts.items() if count > 1]:
        yield f"{counted(len(twice), 'image is', 'images are')} there twice, first {twice[0]}"
    for what, should, says in (
        ("study", series.study_instance_uid, {image.header.study_instance_uid for image in images}),
        ("patient", series.patient_id, {image.header.patient_id for image in images}),
    ):
        if should and (wrong := says - {should}):
            yield f"images say that they are of {what} {min(wrong) or '(none)'}, not {should}"


def _shortened(reasons: Iterable[str]) -> list[str]:
    found = list(reasons)
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return [*found[:_SHOWN], *more]
