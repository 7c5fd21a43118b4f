"""The layout that the trees of a project were read with: another one would give its patients other names."""

import json
from pathlib import Path

from tcia_xnat.core.storage import replacing
from tcia_xnat.errors import UsageError
from tcia_xnat.local.layout import Layout
from tcia_xnat.local.recognition import Decision

_NAMES = {Layout.FOLDERS: "folders", Layout.ZIPS: "headers", Layout.HEADERS: "headers"}  # a mapping names itself


def check(file: Path, project: str, decision: Decision) -> None:
    """Refuse a layout that was only recognised when the project's last tree was read otherwise.

    Raises
    ------
    UsageError
    """
    before, now = _known(file).get(project, ""), _NAMES.get(decision.layout, "")
    if before and now and before != now:
        raise UsageError(
            f"this tree looks like layout {decision.layout} ({decision.why}); the last one for project {project} gave"
            f" its names by {before}",
            f"choose with --layout {before} or --layout {now}",
        )


def remember(file: Path, project: str, layout: Layout) -> None:
    """Keep the layout of a project for the next run."""
    known = _known(file)
    if (name := _NAMES.get(layout, "")) and known.get(project) != name:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(file) as text:
            text.write(json.dumps({**known, project: name}, indent=1))


def _known(file: Path) -> dict[str, str]:
    """Return what is kept; a file that is damaged is a memory that was lost."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
