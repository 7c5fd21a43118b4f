"""What lies on disk beside what was asked for: each series by its images, their hashes, and its geometry. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tcia_xnat.folder.images import ZIP_NAME
from tcia_xnat.folder.kept import KeptFile
from tcia_xnat.model import Series
from tcia_xnat.verify import geometry
from tcia_xnat.verify.model import Row, Sign
from tcia_xnat.verify.scan import File, Image

_SHOWN = 5  # reasons of one kind; all are counted
_NO_HASHES = "no hashes are known: images were counted, and each read to its end"


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


def compare(known: Mapping[str, Known], others: Iterable[str], files: Iterable[File]) -> list[Row]:
    """Return a row for each series that is known, and for all that lies there besides.

    Parameters
    ----------
    known
        By SeriesInstanceUID what was asked for.
    others
        SeriesInstanceUIDs that may lie there as well: the rest of the manifest.
    """
    by_series, strays = _by_series(known, files)
    rows = [_compared(one, by_series.get(uid, ())) for uid, one in known.items()]
    homes = {file.folder: uid for uid in known for file in by_series.get(uid, ()) if _holds(file, uid)}
    beyond = set(by_series) - set(known) - set(others)
    rows += [_extra(uid, by_series[uid], homes) for uid in sorted(beyond)]
    return rows + [_stray(file) for file in strays]


def _by_series(
    known: Mapping[str, Known], files: Iterable[File]
) -> tuple[Mapping[str, Sequence[File]], Sequence[File]]:
    """Give each file to the series it is of; one that does not say so to that whose place it takes."""
    given: dict[str, list[File]] = defaultdict(list)
    silent: list[File] = []
    for file in files:
        for uid in {image.header.series_instance_uid for image in file.images}:
            given[uid].append(file)
        if not file.images:
            silent.append(file)
    places = {path: uid for uid, one in known.items() for path in one.files or ()}
    folders = {file.folder: uid for uid, some in given.items() for file in some}
    strays = []
    for file in silent:
        by_folder = folders.get(file.folder, "") if _looks_like_image(file) else ""
        if uid := places.get(file.path) or by_folder:
            given[uid].append(file)
        else:
            strays.append(file)
    return given, strays


def _looks_like_image(file: File) -> bool:
    return file.path.endswith((".dcm", ZIP_NAME))


def _holds(file: File, series_instance_uid: str) -> bool:
    return any(image.header.series_instance_uid == series_instance_uid for image in file.images)


def _compared(known: Known, files: Sequence[File]) -> Row:
    series = known.series
    uid = series.series_instance_uid
    images = [image for file in files for image in file.images if image.header.series_instance_uid == uid]
    errors = [*(file.problem for file in files if file.is_error), *known.errors]
    reasons = [] if not files else [*_wrong(known, files, images)]
    notes = list(known.notes)
    if not known.files and not known.hashes and not known.errors:
        notes.append(_NO_HASHES)
    if not files:
        sign = Sign.MISSING
        shown = known.notes
    else:
        sign = Sign.ERROR if errors else Sign.DIFFERS if reasons else Sign.SAME
        shown = (*errors, *reasons, *notes)
    return Row(
        sign,
        uid,
        series.study_instance_uid,
        series.patient_id,
        known.image_count,
        len(images),
        _folders(files),
        tuple(shown),
    )


def _wrong(known: Known, files: Sequence[File], images: Sequence[Image]) -> Iterator[str]:
    if known.image_count is not None and len(images) != known.image_count:
        yield f"{len(images)} images, {known.image_count} expected"
    if known.files:
        yield from _shortened(_wrong_files(known.files, files))
    elif known.hashes:
        yield from _shortened(_wrong_images(known.hashes, files))
    else:
        yield from _shortened(file.problem for file in files if file.problem and not file.is_error)
    yield from _identity(known.series, images)
    yield from geometry.problems([part for image in images for part in image.header.slices])


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
    counted = Counter(image.header.sop_instance_uid for image in images)
    if twice := [uid for uid, count in counted.items() if count > 1]:
        yield f"{len(twice)} images are there twice, first {twice[0]}"
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


def _extra(series_instance_uid: str, files: Sequence[File], homes: Mapping[str, str]) -> Row:
    images = [image for file in files for image in file.images]
    mine = [image.header for image in images if image.header.series_instance_uid == series_instance_uid]
    whose = sorted({homes[file.folder] for file in files if file.folder in homes})
    reasons = ["not asked for", *(f"lies in the folder of series {uid}" for uid in whose)]
    return Row(
        Sign.EXTRA,
        series_instance_uid,
        min((header.study_instance_uid for header in mine), default=""),
        min((header.patient_id for header in mine), default=""),
        None,
        len(mine),
        _folders(files),
        tuple(reasons),
    )


def _stray(file: File) -> Row:
    sign = Sign.ERROR if file.is_error else Sign.EXTRA
    says = file.problem if file.is_error or _looks_like_image(file) else "holds no image"
    return Row(sign, where=file.path, reasons=(says,))


def _folders(files: Sequence[File]) -> str:
    return ", ".join(sorted({file.folder or "." for file in files}))
