"""The archive: subjects, sessions, scans, and where their files are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.xnat.catalog import read_catalog, sizes
from sandbox.xnat.document import Scan, Session
from sandbox.xnat.resources import Owner
from sandbox.xnat.settings import Settings
from sandbox.xnat.store import Store

Record = dict[str, Any]


class Archive:
    """What is archived."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store

    # finding

    def by_label(self, project: str, label: str) -> Record | None:
        """Return a session by project and label, without regard to case (xnat-http.md §6.4)."""
        return self._store.row("SELECT * FROM experiments WHERE project = ? AND label = ?", project, label)

    def experiment(self, name: str, project: str = "") -> Record | None:
        """Return a session by ID, or by label when its project is known; also one that is shared into the project."""
        found = self._store.row("SELECT * FROM experiments WHERE id = ?", name)
        if found is None and project:
            return self.by_label(project, name) or self.shared(project, name)
        return found if found and (project in {"", found["project"]} or self.shared(project, name)) else None

    def shared(self, project: str, name: str) -> Record | None:
        """Return a session that is shared into a project, by its ID or by the label that it bears there."""
        shared = "SELECT experiment FROM shares WHERE project = ? AND (experiment = ? OR label = ?)"
        return self._store.row(f"SELECT * FROM experiments WHERE id IN ({shared})", project, name, name)  # noqa: S608

    def share(self, experiment: str, project: str, label: str) -> None:
        """Share a session into another project under a label."""
        self._store.run("INSERT OR REPLACE INTO shares VALUES(?, ?, ?)", experiment, project, label)

    def relabel(self, experiment: Record, label: str) -> None:
        """Give a session another label; its folder follows."""
        before, after = (
            self._store.session_folder(experiment["project"], name) for name in (experiment["label"], label)
        )
        if before.exists():
            before.rename(after)
        root = self._store.directory
        old, new = f"{before.relative_to(root)}/", f"{after.relative_to(root)}/"
        with self._store.transaction():
            self._store.run("UPDATE experiments SET label = ? WHERE id = ?", label, experiment["id"])
            self._store.run(
                "UPDATE resources SET folder = ? || substr(folder, ?) WHERE substr(folder, 1, ?) = ?",
                new, len(old) + 1, len(old), old,
            )  # fmt: skip

    def subject(self, name: str, project: str = "") -> Record | None:
        """Return a subject by ID, or by label when its project is known."""
        found = self._store.row("SELECT * FROM subjects WHERE id = ?", name)
        if found is None and project:
            return self._store.row("SELECT * FROM subjects WHERE project = ? AND label = ?", project, name)
        return found if found and project in {"", found["project"]} else None

    def scan_rows(self, experiment: str) -> list[Record]:
        """Return the scans of a session."""
        return self._store.rows("SELECT * FROM scans WHERE experiment = ? ORDER BY key", experiment)

    def scan_owner(self, experiment: Mapping[str, Any], scan: Mapping[str, Any]) -> Owner:
        """Return a scan as owner of resources."""
        folder = self._store.session_folder(experiment["project"], experiment["label"]) / "SCANS" / scan["id"]
        uri = f"/data/experiments/{experiment['id']}/scans/{scan['id']}"
        key = f"scans/{scan['key']}"
        return Owner(key, uri, experiment["project"], folder, "scans", scan["id"], scan["type"] or "")

    def session_owner(self, experiment: Mapping[str, Any]) -> Owner:
        """Return a session as owner of resources."""
        folder = self._store.session_folder(experiment["project"], experiment["label"]) / "RESOURCES"
        key, uri = f"experiments/{experiment['id']}", f"/data/experiments/{experiment['id']}"
        return Owner(key, uri, experiment["project"], folder, "resources", experiment["id"])

    def project_owner(self, project: str) -> Owner:
        """Return a project as owner of resources."""
        folder = self._store.archive / project / "resources"
        return Owner(f"projects/{project}", f"/data/projects/{project}", project, folder, "project", project)

    def scan_catalogs(self, experiment: str, scan_id: str) -> dict[str, Path]:
        """Return the catalogs of a scan's resources, by label."""
        found = self._store.rows(
            "SELECT label, resources.folder, resources.catalog FROM resources JOIN scans ON owner = 'scans/' || key"
            " WHERE experiment = ? AND scans.id = ? ORDER BY resources.id",
            experiment,
            scan_id,
        )
        return {row["label"]: self._store.directory / row["folder"] / row["catalog"] for row in found}

    # writing

    def ensure_subject(self, project: str, label: str) -> Record:
        """Return a subject by label; it is made when it is not there (§6.4)."""
        with self._store.lock:
            found = self._store.row("SELECT * FROM subjects WHERE project = ? AND label = ?", project, label)
            if found:
                return found
            subject_id = f"{self._settings.site_id}_S{self._store.next_number('subject'):05}"
            now = self._settings.clock.now()
            self._store.insert("subjects", id=subject_id, project=project, label=label, inserted=now)
            return {"id": subject_id, "project": project, "label": label, "inserted": now}

    def register(self, session: Session, existing: Record | None, fields: Mapping[str, str]) -> None:
        """Enter an archived session, or what was merged into one.

        Parameters
        ----------
        fields
            Its subject, project, label and user, and its note when there is a new one.
        """
        described = {
            "uid": session.uid,
            "date": session.date,
            "time": session.time,
            "modality": session.modality,
            "patient_id": session.patient_id,
            "patient_name": session.patient_name,
            "accession_number": session.accession_number,
        }
        with self._store.transaction():
            experiment = existing["id"] if existing else self._insert(session, {**fields, **described})
            if existing and "note" in fields:
                self._store.run("UPDATE experiments SET note = ? WHERE id = ?", fields["note"], experiment)
            if existing and existing["xsi_type"] == session.xsi_type:  # else its own description stays (§8.4)
                changes = ", ".join(f"{name} = ?" for name in described)
                statement = f"UPDATE experiments SET {changes} WHERE id = ?"  # noqa: S608  names from above
                self._store.run(statement, *described.values(), experiment)
            folder = self._store.session_folder(fields["project"], fields["label"])
            for scan in session.scans:
                self._register_scan(experiment, scan, folder)

    def _insert(self, session: Session, fields: dict[str, str]) -> str:
        experiment = f"{self._settings.site_id}_E{self._store.next_number('experiment'):05}"
        now = self._settings.clock.now()
        self._store.insert("experiments", id=experiment, xsi_type=session.xsi_type, inserted=now, **fields)
        return experiment

    def _register_scan(self, experiment: str, scan: Scan, folder: Path) -> None:
        found = self._store.row("SELECT key FROM scans WHERE experiment = ? AND id = ?", experiment, scan.id)
        key = found["key"] if found else self._store.insert("scans", experiment=experiment, id=scan.id)
        count = sum(self._register_resource(key, label, folder / catalog) for label, catalog in scan.catalogs.items())
        described = {
            "uid": scan.uid,
            "xsi_type": scan.xsi_type,
            "type": scan.type,
            "series_description": scan.series_description,
            "modality": scan.modality,
            "frames": str(count) if found else scan.frames,
        }
        changes = ", ".join(f"{name} = ?" for name in described)
        self._store.run(f"UPDATE scans SET {changes} WHERE key = ?", *described.values(), key)  # noqa: S608  names from above

    def _register_resource(self, scan: int, label: str, catalog: Path) -> int:
        """Enter a resource of a scan, or count one that is there; return the number of its files."""
        owner = f"scans/{scan}"
        known = self._store.row("SELECT * FROM resources WHERE owner = ? AND label = ?", owner, label)
        path = self._store.directory / known["folder"] / known["catalog"] if known else catalog
        if known is None:
            self._store.insert(
                "resources",
                owner=owner,
                label=label,
                folder=str(path.parent.relative_to(self._store.directory)),
                catalog=path.name,
                format="DICOM",
                content="RAW",
                tags="",
                description="",
            )
        count, size = sizes(path.parent, read_catalog(path).entries.values())
        stats = (count, size) if self._settings.populate_stats else (None, None)
        statement = "UPDATE resources SET file_count = ?, file_size = ? WHERE owner = ? AND label = ?"
        self._store.run(statement, *stats, owner, label)
        return count

    def delete(self, experiment: Record) -> None:
        """Remove a session from the database."""
        with self._store.transaction():
            keys = [f"scans/{scan['key']}" for scan in self.scan_rows(experiment["id"])]
            for owner in (*keys, f"experiments/{experiment['id']}"):
                self._store.run("DELETE FROM resources WHERE owner = ?", owner)
            self._store.run("DELETE FROM scans WHERE experiment = ?", experiment["id"])
            self._store.run("DELETE FROM shares WHERE experiment = ?", experiment["id"])
            self._store.run("DELETE FROM experiments WHERE id = ?", experiment["id"])
