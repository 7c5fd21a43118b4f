"""What scripts and file name template of XNAT mean for a transfer, in words: the same before a run and in it. Pure."""

from collections.abc import Iterator

from tcia_xnat.xnat.dicomedit import NAMED_TAGS
from tcia_xnat.xnat.scripts import NameTemplate, ScriptEffect, Scripts

_SHOWN = 4
_CHANGED_UIDS = "images are archived under changed UIDs; a repeat recognizes them by provenance"
_REJECTS = "a series of which it rejects images is not complete: exit code 3, unless --accept-rejected is given"
_HEADERS = "nothing, if that is wanted: no image is lost by it, but headers then differ from those that TCIA published"
_UNKNOWN = "what it does to UIDs and images is unknown: begin with --limit 1, and look at the session"
_LOST_NAMES = "XNAT would keep one file of all that get the same name: have SOPInstanceUID added to it"


def script_words(effect: ScriptEffect) -> tuple[str, str]:
    """Return what a script that is on does, and what follows from it."""
    named = [NAMED_TAGS.get(tag, tag if tag[:1].isalpha() else f"({tag})") for tag in effect.changed]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    does = [f"changes {', '.join(sorted(effect.changed_uids) or named[:_SHOWN]) or 'headers'}"]
    does[0] += "" if effect.changed_uids else more
    if effect.may_reject:
        does.append("may reject images")
    if effect.unread:
        does.append(f"cannot be read whole ({effect.unread})")
    return "on, " + " and ".join(does), "; ".join(_consequences(effect))


def _consequences(effect: ScriptEffect) -> Iterator[str]:
    if effect.changed_uids:
        yield _CHANGED_UIDS
    if effect.may_reject:
        yield _REJECTS
    if effect.unread:
        yield _UNKNOWN
    if not (effect.changed_uids or effect.may_reject or effect.unread):
        yield _HEADERS


def template_words(template: NameTemplate) -> tuple[str, str]:
    """Return what a template that does not tell images apart is, and what follows from it."""
    return f"{template.text} gives several images one name", _LOST_NAMES


def notes(scripts: Scripts) -> Iterator[str]:
    """Yield what a user should know before the first byte moves."""
    for name, effect in (("site", scripts.site), ("project", scripts.project)):
        if effect.is_on and (effect.changed_uids or effect.may_reject or effect.unread):
            does, follows = script_words(effect)
            yield f"anonymization script of the {name}: {does}; {follows}"
    if scripts.template.is_unique is False:
        is_so, follows = template_words(scripts.template)
        yield f"file names: {is_so}; {follows}"
