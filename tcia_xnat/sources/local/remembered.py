"""The layout that the trees of a project were read with: another one would give its patients other names.

The project keeps it, for every machine; who may not write there has it in the workdir only.
"""

import json
from pathlib import Path

from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.storage import replacing
from tcia_xnat.sources.local.layout import Layout
from tcia_xnat.sources.local.recognition import Decision

FILE = "layout.json"
"""Of the project."""
MAX_BYTES = 10_000
_NAMES = {Layout.FOLDERS: "folders", Layout.ZIPS: "headers", Layout.HEADERS: "headers"}  # a mapping names itself


def check(before: str, project: str, decision: Decision) -> None:
    """Refuse a layout that was only recognised when the project's last tree was read otherwise.

    Parameters
    ----------
    before
        Name of that of the last tree; empty when nobody knows it.

    Raises
    ------
    UsageError
    """
    now = _NAMES.get(decision.layout, "")
    if before and now and before != now:
        raise UsageError(
            f"this tree looks like layout {decision.layout} ({decision.why}); the last one for project {project} gave"
            f" its names by {before}",
            f"choose with --layout {before} or --layout {now}",
        )


def name_of(layout: Layout) -> str:
    """Return what is remembered of a layout; empty when nothing is."""
    return _NAMES.get(layout, "")


def encoded(name: str) -> bytes:
    """Return the file that a project keeps."""
    return json.dumps({"layout": name}).encode()


def decoded(content: bytes | None) -> str:
    """Return the name in a file of a project; empty when there is none, or somebody else has written it."""
    try:
        known = json.loads(content or b"")
    except (ValueError, RecursionError):
        return ""
    return _checked(known.get("layout") if isinstance(known, dict) else None)


def here(file: Path, project: str) -> str:
    """Return the name that the workdir keeps for a project; empty when it has none."""
    return _checked(_known(file).get(project))


def remember(file: Path, project: str, name: str) -> None:
    """Keep the layout of a project in the workdir, for the next run."""
    known = _known(file)
    if name and known.get(project) != name:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(file) as text:
            text.write(json.dumps({**known, project: name}, indent=1))


def _checked(name: object) -> str:
    return name if isinstance(name, str) and name in _NAMES.values() else ""


def _known(file: Path) -> dict[str, str]:
    """Return what is kept; a file that is damaged is a memory that was lost."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}
