"""From what a list names to series: studies, folders and patients become theirs, and it is said how many."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.model import ListRead, Series
from tcia_xnat.manifest import Level, Manifest, Reading

_SINGULAR = {
    Level.STUDY: "study",
    Level.FOLDER: "folder of IDC",
    Level.PATIENT: "patient",
    Level.UID: "UID",
}
_BY_HEADINGS = "give the columns headings, SeriesInstanceUID and StudyInstanceUID, or leave the studies out"


class Index(Protocol):
    """What is asked of an index of series."""

    def find_series(self, series_instance_uids: Sequence[str]) -> Sequence[Series]:
        """Return what is known of these series."""

    def find_studies(self, study_instance_uids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the series of each study."""

    def find_folders(self, crdc_series_uuids: Sequence[str]) -> Mapping[str, str]:
        """Return the series of each folder."""

    def find_patients(self, patient_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the series of each patient.

        Raises
        ------
        ManifestError
            Several collections have a patient of that name.
        """


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What the entries of a manifest stand for, and the studies that only stand beside their series."""

    series: Mapping[Level, Mapping[str, Sequence[str]]]
    beside: Mapping[Reading, frozenset[str]]


def resolve(manifest: Manifest, index: Index) -> Manifest:
    """Return one file's manifest with series in the place of what the index knows to be studies, folders or patients.

    What the index does not know stays: UIDs as series, for another archive may have them; folders and studies under
    their own names.

    Raises
    ------
    ManifestError
        A line may mean a study or one of its series; single images of a series are named; or nothing is known of
        a list of studies or patients.
    """
    meaning = _meaning(manifest, index)
    _check_images(manifest, meaning.series[Level.FOLDER], index)
    beside = _all_beside(meaning)
    uids = [
        one
        for uid in manifest.series_instance_uids
        if uid not in beside
        for one in meaning.series[Level.UID].get(uid, (uid,))
    ]
    for level, named in _named(manifest).items():
        uids += chain.from_iterable(meaning.series[level].get(one, ()) for one in named)
    _refuse_unknown(manifest, meaning)
    return replace(
        manifest,
        series_instance_uids=tuple(dict.fromkeys(uids)),
        crdc_series_uuids=_left(manifest.crdc_series_uuids, meaning.series[Level.FOLDER]),
        study_instance_uids=_left(manifest.study_instance_uids, meaning.series[Level.STUDY]),
        patient_ids=(),
        read=tuple(_said(reading, meaning) for reading in manifest.readings),
    )


def studies_beside(
    reading: Reading, studies: Mapping[str, Sequence[str]], listed: AbstractSet[str] = frozenset()
) -> frozenset[str]:
    """Return the studies of a list without headings that only stand beside their series.

    Parameters
    ----------
    studies
        StudyInstanceUID → series, of those UIDs of the list that are studies.
    listed
        The other UIDs of the list that the index knows as series.

    Raises
    ------
    ManifestError
        A study may be meant as a whole or not.
    """
    beside, whole = set[str](), {uid for uid in reading.entries if uid in studies}
    whole -= {uid for row in reading.rows for uid in row}
    columns = _studies_in_columns(reading.rows, studies)
    for row in reading.rows:
        others = {uid for uid in row if uid and uid not in studies}
        for study in (uid for uid in row if uid in studies):
            is_beside = not others.isdisjoint(studies[study]) or (study in columns and others.isdisjoint(listed))
            if others and not is_beside:
                raise _ambiguous(reading, study)
            (beside if others else whole).add(study)
    named = set(reading.entries)
    alone = {uid for row in reading.rows if len(set(row) - {""}) == 1 for uid in row if uid in whole}
    if alone and any(len(set(row) - {""}) > 1 for row in reading.rows):  # the series of its row is missing
        raise _ambiguous(reading, min(alone))
    for study in whole:
        if study in beside or not named.isdisjoint(studies[study]):
            raise _ambiguous(reading, study)
    return frozenset(beside)


def _studies_in_columns(rows: Sequence[Sequence[str]], studies: Mapping[str, object]) -> frozenset[str]:
    """Return the studies in columns that have nothing else, in a table of several rows of which a column has none."""
    if len(rows) < 2 or len(set(map(len, rows))) != 1:  # noqa: PLR2004  one line is no table
        return frozenset()
    columns = [{uid for uid in column if uid} for column in zip(*rows, strict=True)]
    if not any(column and column.isdisjoint(studies) for column in columns):
        return frozenset()
    return frozenset(chain.from_iterable(column for column in columns if column <= studies.keys()))


def _meaning(manifest: Manifest, index: Index) -> _Meaning:
    found = index.find_studies(manifest.series_instance_uids) if manifest.series_instance_uids else {}
    of_folder = index.find_folders(manifest.crdc_series_uuids) if manifest.crdc_series_uuids else {}
    series = {
        Level.UID: found,
        Level.SERIES: found,
        Level.FOLDER: {folder: (uid,) for folder, uid in of_folder.items()},
        Level.STUDY: index.find_studies(manifest.study_instance_uids) if manifest.study_instance_uids else {},
        Level.PATIENT: index.find_patients(manifest.patient_ids) if manifest.patient_ids else {},
    }
    rows = [uid for reading in manifest.readings for row in reading.rows for uid in row if uid] if found else []
    listed = {one.series_instance_uid for one in index.find_series(rows)} if rows else frozenset[str]()
    beside = {one: studies_beside(one, found, listed) for one in manifest.readings if found and _is_of_uids(one)}
    return _Meaning(series, beside)


def _all_beside(meaning: _Meaning) -> frozenset[str]:
    """Return the studies that no file names for themselves."""
    taken = {entry for one, beside in meaning.beside.items() for entry in one.entries if entry not in beside}
    return frozenset[str]().union(*meaning.beside.values()) - taken


def _named(manifest: Manifest) -> Mapping[Level, Sequence[str]]:
    return {
        Level.FOLDER: manifest.crdc_series_uuids,
        Level.STUDY: manifest.study_instance_uids,
        Level.PATIENT: manifest.patient_ids,
    }


def _left(named: Iterable[str], known: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(one for one in named if one not in known)


def _is_of_uids(reading: Reading) -> bool:
    return reading.level in {Level.UID, Level.SERIES}


def _refuse_unknown(manifest: Manifest, meaning: _Meaning) -> None:
    studies, patients = manifest.study_instance_uids, manifest.patient_ids
    others = manifest.series_instance_uids or manifest.crdc_series_uuids or patients
    if studies and not others and not meaning.series[Level.STUDY]:
        raise ManifestError(
            f"{manifest.name} lists studies, not series, and IDC's index knows none of the {len(studies)}",
            "add a column SeriesInstanceUID with their series",
        )
    if unknown := _left(patients, meaning.series[Level.PATIENT]):
        raise ManifestError(
            f"IDC's index does not list {_counted(len(unknown), Level.PATIENT)} of {manifest.name}: {unknown[0]}",
            "query.py patients shows what there is; a column SeriesInstanceUID brings what only NBIA has",
        )


def _check_images(manifest: Manifest, folders: Mapping[str, Sequence[str]], index: Index) -> None:
    """Refuse a list that names some images of a series: series come whole."""
    of_uid = {folders[folder][0]: folder for folder in manifest.images if folder in folders}
    for series in index.find_series(list(of_uid)) if of_uid else ():
        folder = of_uid[series.series_instance_uid]
        if (count := manifest.images[folder]) != series.image_count:
            raise ManifestError(
                f"{manifest.name} names {count} of the {series.image_count} images of series"
                f" {series.series_instance_uid}",
                f"series come whole: write cp s3://{series.aws_bucket}/{folder}/* . for it, or leave it out",
            )


def _said(reading: Reading, meaning: _Meaning) -> ListRead:
    """Return how a file was read."""
    known, beside = meaning.series[reading.level], meaning.beside.get(reading, frozenset())
    taken = [entry for entry in reading.entries if entry not in beside]
    column = f" in column {reading.column}" if reading.column else ""
    text = f"{reading.name}: {_plural(reading.lines, 'line', 'lines')}, {_counts(taken, reading.level, known)}{column}"
    is_of_uids = _is_of_uids(reading)
    series = {uid for entry in taken for uid in known.get(entry, (entry,) if is_of_uids else ())}
    if not is_of_uids or any(entry in known for entry in taken):
        text += f": {_plural(len(series), 'series', 'series')}"
    text += f"; {_counted(len(beside), Level.STUDY)} beside their series not taken" if beside else ""
    kind = _kind(taken, reading.level, known)
    return ListRead(text, reading.file, kind, len(series), reading.lines, len(taken), reading.sheet, reading.column)


def _kind(taken: Sequence[str], level: Level, known: Mapping[str, object]) -> str:
    """Return what entries are; those of a list of UIDs may be of two kinds."""
    kinds = {Level.STUDY if entry in known else Level.SERIES for entry in taken}
    return " and ".join(sorted(kinds)) if level in {Level.SERIES, Level.UID} else level.value


def _counts(taken: Sequence[str], level: Level, known: Mapping[str, object]) -> str:
    if level not in {Level.SERIES, Level.UID}:
        return _counted(len(taken), level)
    studies = sum(entry in known for entry in taken)
    named = [_counted(len(taken) - studies, Level.SERIES)] if len(taken) > studies else []
    return " and ".join([*named, *([_counted(studies, Level.STUDY)] if studies else [])])


def _counted(count: int, level: Level) -> str:
    return _plural(count, _SINGULAR.get(level, level.value), level.value)


def _plural(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _ambiguous(reading: Reading, study: str) -> ManifestError:
    return ManifestError(
        f"{reading.name} names study {study} and series beside it: it is not certain which are meant", _BY_HEADINGS
    )
