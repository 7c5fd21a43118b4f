"""What lies on disk beside what was asked for: each series by its images, their hashes, and its geometry. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tcia_xnat.destinations.disk.presence import Known, images_of, looks_like_image, wrong
from tcia_xnat.destinations.disk.scan import File
from tcia_xnat.verify import geometry
from tcia_xnat.verify.model import Row, Sign

_NO_HASHES = "no hashes are known: images were counted, and each read to its end"


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
    """Give each file to the series it is of; others to that whose place they take, or whose folder it is."""
    given: dict[str, list[File]] = defaultdict(list)
    silent: list[File] = []
    for file in files:
        for uid in {uid for uid, _ in file.claims}:
            given[uid].append(file)
        if not file.claims:
            silent.append(file)
    places = {path: uid for uid, one in known.items() for path in one.files or ()}
    folders: dict[str, set[str]] = defaultdict(set)
    for uid, some in given.items():
        for file in some:
            folders[file.folder].add(uid)
    strays = []
    for file in silent:
        of_folder = folders[file.folder] if looks_like_image(file) else set()
        if uid := places.get(file.path) or (min(of_folder) if len(of_folder) == 1 else ""):
            given[uid].append(file)
        else:
            strays.append(file)
    return given, strays


def _holds(file: File, series_instance_uid: str) -> bool:
    return any(image.header.series_instance_uid == series_instance_uid for image in file.images)


def _compared(known: Known, files: Sequence[File]) -> Row:
    series = known.series
    uid = series.series_instance_uid
    images = images_of(uid, files)
    errors = [*(file.problem for file in files if file.is_error), *known.errors]
    slices = [part for image in images for part in image.header.slices]
    reasons = [*wrong(known, files), *geometry.problems(slices)] if files else []
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


def _extra(series_instance_uid: str, files: Sequence[File], homes: Mapping[str, str]) -> Row:
    mine = [image.header for image in images_of(series_instance_uid, files)]
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
    says = file.problem if file.is_error or looks_like_image(file) else "holds no image"
    return Row(sign, where=file.path, reasons=(says,))


def _folders(files: Sequence[File]) -> str:
    return ", ".join(sorted({file.folder or "." for file in files}))
