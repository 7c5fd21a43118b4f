"""Images that XNAT leaves out of what it took: by which of its rules, and what can be done about it."""

from collections.abc import Iterable

from tcia_xnat.core.words import counted
from tcia_xnat.planning.completeness import Judgement
from tcia_xnat.xnat.scripts import Scripts

KIND = "ImagesLeftOut"
HINT = (
    "--accept-rejected takes what XNAT keeps for the whole; or have the rule changed in XNAT, then send it again with "
    "--existing append"
)


def cause(scripts: Scripts) -> str:
    """Name the rule of an XNAT that leaves out images; empty when none is known."""
    if scripts.project.may_reject:
        return "the project's anonymisation script may reject images"
    if scripts.site.may_reject:
        return "the site's anonymisation script may reject images"
    if scripts.template.is_unique is False:
        return "the site's template of file names keeps one file per name"
    return ""


def is_possible(scripts: Scripts) -> bool:
    """Whether an XNAT may leave out images, as far as anybody knows."""
    return scripts.may_reject is not False or scripts.template.is_unique is False


def is_rejection(said: str, scripts: Scripts) -> bool:
    """Whether XNAT says that the project's script rejects all images of a session that it was to archive.

    It answers 500 as for every failure, so its words decide, and only where the script is not known to reject nothing.
    """
    return scripts.project.may_reject is not False and "reject" in said.lower()


def reason(judged: Judgement, scripts: Scripts) -> str:
    """Say that a series is short in the same way after two sends."""
    why = cause(scripts)
    return f"XNAT holds {judged} after two sends" + (f": {why}" if why else "")


_ACCEPTED = "XNAT left out "


def is_accepted(notes: Iterable[str]) -> bool:
    """Whether a series counts although images of it were left out, as its notes say."""
    return any(note.startswith(_ACCEPTED) for note in notes)


def accepted_note(kept: int, count: int) -> str:
    """Say that a series counts although images of it were left out."""
    return f"{_ACCEPTED}{count - kept} of its {counted(count, 'image')}; accepted"
