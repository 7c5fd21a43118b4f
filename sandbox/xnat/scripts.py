"""Which anonymisation script runs where: the site's on import, the project's on archiving (xnat-http.md §11.2)."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sandbox.xnat.dicom import DicomHead
from sandbox.xnat.dicom_stream import NotDicom
from sandbox.xnat.dicomedit import Script, ScriptError, parse
from sandbox.xnat.prearchive_row import Row
from sandbox.xnat.settings import Settings
from sandbox.xnat.store import UNASSIGNED, Store, remove

ANON = "anon", "script"
"""Tool and path of a project's script among the configurations."""

_STORED = "SELECT contents, status FROM configs WHERE project = ? AND tool = ? AND path = ?"


class Scripts:
    """The scripts of the site and of its projects, as they are now."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store

    def of_site(self, row: Row) -> Script | None:
        """Return the script for an object that is imported; None when none is to run.

        Raises
        ------
        ScriptError
        """
        if row.prevent_anon or not self._settings.enable_sitewide_anonymization_script:
            return None
        if self._settings.anonymization_error:
            raise ScriptError(self._settings.anonymization_error)
        return parse(self._settings.sitewide_anonymization_script)

    def last_tag_of_site(self) -> int:
        """Return how far the site's script looks into an object."""
        try:
            return parse(self._settings.sitewide_anonymization_script).last_tag
        except ScriptError:
            return 0

    def of_project(self, row: Row, project: str) -> Script | None:
        """Return the script for a session that is archived; None when none is to run.

        Raises
        ------
        ScriptError
        """
        text, is_on = self.stored(project)
        return parse(text) if is_on and text.strip() and not row.prevent_anon else None

    def stored(self, project: str) -> tuple[str, bool]:
        """Return the script of a project, and whether it is on."""
        found = self._store.row(_STORED, project, *ANON)
        return (found["contents"], found["status"] == "enabled") if found else ("", False)

    def set_project(self, project: str, text: str, user: str, *, is_on: bool) -> None:
        """Set the script of a project."""
        self._store.run("DELETE FROM configs WHERE project = ? AND tool = ? AND path = ?", project, *ANON)
        self._store.insert(
            "configs",
            project=project,
            tool=ANON[0],
            path=ANON[1],
            contents=text,
            status="enabled" if is_on else "disabled",
            user=user,
            create_date=self._settings.clock.date().isoformat(" "),
        )


def variables(project: str, subject: str, session: str) -> dict[str, str]:
    """Return what scripts know of a session."""
    return {"project": project or UNASSIGNED, "subject": subject, "session": session}


def run_on_files(script: Script, folder: Path, named: Mapping[str, str]) -> None:
    """Change all files of a session as a script says, and remove those that it rejects.

    Raises
    ------
    ScriptError
        Also when it rejects all files.
    """
    kept = [_is_kept(script, path, named) for path in sorted(folder.glob("SCANS/*/*/*")) if path.suffix != ".xml"]
    if not any(kept):
        raise ScriptError("All files of the session were rejected by the anonymization script.")


def _is_kept(script: Script, path: Path, named: Mapping[str, str]) -> bool:
    part = path.with_name(f"{path.name}.part")
    with path.open("rb") as file:
        try:
            head = DicomHead(file, script.last_tag)
        except NotDicom:
            return True
        is_kept = head.accepted_by(script, named)
        if not is_kept:
            path.unlink()
        if not is_kept or head.is_deflated:
            return is_kept
        file.seek(head.length)
        with part.open("wb") as changed:
            changed.write(head.encoded())
            shutil.copyfileobj(file, changed)
    part.replace(path)
    return True


@contextmanager
def kept_on_failure(store: Store, paths: Sequence[Path]) -> Iterator[None]:
    """Put files and folders back as they were when what is done inside fails."""
    backup = store.cache_path(".original")
    backup.mkdir()
    for path in paths:
        (shutil.copytree if path.is_dir() else shutil.copy2)(path, backup / path.name)
    try:
        yield
    except BaseException:
        remove(paths)
        for path in paths:
            (backup / path.name).rename(path)
        raise
    finally:
        remove([backup])
