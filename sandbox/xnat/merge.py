"""A session's files on their way into the archive: renamed scans, overlaps, backup, move (xnat-http.md §8.3, §8.4)."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sandbox.xnat.archive import Archive
from sandbox.xnat.catalog import Catalog, Entry, read_catalog
from sandbox.xnat.document import Scan, Session, write_session
from sandbox.xnat.modalities import letters
from sandbox.xnat.store import Store, remove

_HAS_FILES = "Session already exists with matching files."
_CAT_ENTRY_MATCH = "Session already exists with the same resources."
_DICOM_CLASH = "A DICOM file with the same name but different UID already exists."
_OTHER_CLASH = "A non-DICOM file exists with the same name as an incoming DICOM file."
_UNCOMPARED = {".xml", ".log"}
ScanRow = Mapping[str, Any]


class Clash(Exception):
    """Files that are there forbid the merge."""


class Merge:
    """Moves one prearchive session into the archive.

    Parameters
    ----------
    source, target
        Folders of the session before and after.
    """

    def __init__(self, source: Path, target: Path, store: Store, archive: Archive) -> None:
        self._source, self._target = source, target
        self._store, self._archive = store, archive
        self._backup: Path | None = None

    def correct_scan_ids(self, session: Session, scans: list[dict[str, Any]]) -> Session:
        """Give incoming scans the ID that the archive has for their UID, or a free one where it has another scan."""
        by_uid = {scan["uid"]: scan["id"] for scan in scans if scan["uid"]}
        taken = {scan["id"] for scan in scans} | {scan.id for scan in session.scans}
        others = {scan["id"] for scan in scans if scan["uid"]}
        is_changed = False
        for scan in session.scans:
            if scan.uid in by_uid:
                scan.id = by_uid[scan.uid]
            elif scan.id in others:
                self._rename(scan, _free_id(scan, taken))
                taken.add(scan.id)
                is_changed = True
        if is_changed:
            write_session(session, self._source.with_name(f"{self._source.name}.xml"))
        return session

    def _rename(self, scan: Scan, scan_id: str) -> None:
        folder = self._source / "SCANS" / scan_id / "DICOM"
        folder.mkdir(parents=True, exist_ok=True)
        for label, catalog in scan.catalogs.items():
            before = self._source / catalog
            for entry in read_catalog(before).entries.values():
                _move(before.parent / entry.uri, folder / entry.uri)
            after = folder / before.name.replace(f"scan_{scan.id}_", f"scan_{scan_id}_", 1)
            _move(before, after)
            scan.catalogs[label] = after.relative_to(self._source).as_posix()
        scan.id = scan_id

    def run(self, session: Session, existing: ScanRow | None, *, overwrite: bool) -> None:
        """Move the files.

        Raises
        ------
        Clash
            The archive is as it was.
        """
        if self._source == self._target:
            return
        if not self._target.exists():
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._source.rename(self._target)
            return
        if not overwrite:
            self._refuse_overlap(session, existing)
        self._backup = self._store.cache_path(".backup")
        shutil.copytree(self._target, self._backup)  # XNAT copies the whole session before each merge (§8.4)
        try:
            for scan, label in _resources(session):
                self._merge_scan(scan, label, existing)
            self._move_rest(overwrite=overwrite)
        except BaseException:
            self._restore()
            raise

    def close(self) -> None:
        """Remove the backup."""
        if self._backup:
            remove([self._backup])

    def _restore(self) -> None:
        if self._backup:
            remove([self._target])
            self._backup.rename(self._target)

    def _refuse_overlap(self, session: Session, existing: ScanRow | None) -> None:
        files = (path for path in self._source.rglob("*") if path.is_file() and path.suffix not in _UNCOMPARED)
        if any((self._target / path.relative_to(self._source)).exists() for path in files):
            raise Clash(_HAS_FILES)
        for scan, label in _resources(session):
            there = read_catalog(self._target_catalog(scan, label, existing))
            uids = {entry.uid for entry in there.entries.values() if entry.uid}
            incoming = read_catalog(self._source / scan.catalogs[label]).entries.values()
            if any(entry.uid in uids or entry.uri in there.entries for entry in incoming):
                raise Clash(_CAT_ENTRY_MATCH)

    def _target_catalog(self, scan: Scan, label: str, existing: ScanRow | None) -> Path:
        """Return the catalog of the archive that a scan goes to."""
        known = {} if existing is None else self._archive.scan_catalogs(existing["id"], scan.id)
        beside = next((path.with_name(f"scan_{scan.id}_{label}_catalog.xml") for path in known.values()), None)
        return known.get(label) or beside or self._target / scan.catalogs[label]

    def _merge_scan(self, scan: Scan, label: str, existing: ScanRow | None) -> None:
        path, source = self._target_catalog(scan, label, existing), self._source / scan.catalogs[label]
        there, incoming = read_catalog(path), read_catalog(source)
        there.uid = there.uid or incoming.uid
        by_uid = {entry.uid: entry for entry in there.entries.values() if entry.uid}
        for entry in incoming.entries.values():
            _refuse_clash(there, entry)
            old = by_uid.get(entry.uid)
            if old and old.uri != entry.uri:
                del there.entries[old.uri]
                remove([path.parent / old.uri])
            _move(source.parent / entry.uri, path.parent / entry.uri)
            there.add(entry)
        there.write(path)
        scan.catalogs[label] = path.relative_to(self._target).as_posix()
        remove([source])

    def _move_rest(self, *, overwrite: bool) -> None:
        """Take along what no catalog lists."""
        for path in list(self._rest()):
            target = self._target / path.relative_to(self._source)
            if overwrite or not target.exists():
                _move(path, target)

    def _rest(self) -> Iterator[Path]:
        return (path for path in self._source.rglob("*") if path.is_file() and path.suffix != ".xml")


def _resources(session: Session) -> list[tuple[Scan, str]]:
    """Return the resources of all scans: the scan and the label of each."""
    return [(scan, label) for scan in session.scans for label in scan.catalogs]


def _refuse_clash(there: Catalog, entry: Entry) -> None:
    same_name = there.entries.get(entry.uri)
    if same_name and not same_name.uid:
        raise Clash(_OTHER_CLASH)
    if same_name and same_name.uid != entry.uid:
        raise Clash(_DICOM_CLASH)


def _free_id(scan: Scan, taken: set[str]) -> str:
    """Return `{id}-{MOD}{n}` with the first n that is free (§8.3)."""
    number = 1
    while f"{scan.id}-{letters(scan.xsi_type)}{number}" in taken:
        number += 1
    return f"{scan.id}-{letters(scan.xsi_type)}{number}"


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
