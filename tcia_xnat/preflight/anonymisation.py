"""What scripts and file name template of XNAT do with images, as a run would read and say it (xnat-http.md §11.1)."""

from collections.abc import Iterator

from tcia_xnat.preflight.finding import Finding, ok, unseen, warning
from tcia_xnat.xnat.forecast import script_words, template_words
from tcia_xnat.xnat.scripts import NameTemplate, ScriptEffect, Scripts

_LOOK = "it may change UIDs and headers, and reject images; an owner of the project, or an administrator, can see it"


def judged(name: str, effect: ScriptEffect) -> Finding:
    """Return what a script means."""
    if effect.is_on is None:
        return unseen(name, effect.unread, _LOOK)
    return warning(name, *script_words(effect)) if effect.is_on else ok(name, "off")


def of_site(scripts: Scripts) -> Iterator[Finding]:
    """Judge the script and the file name template of the site."""
    yield judged("anonymisation, site", scripts.site)
    yield _names(scripts.template)


def of_project(scripts: Scripts) -> Finding:
    """Judge the script of a project."""
    return judged("anonymisation, project", scripts.project)


def _names(template: NameTemplate) -> Finding:
    name = "file names"
    if template.is_unique is None:
        return unseen(name, "XNAT does not tell its template", "an administrator can see dicomFileNameTemplate")
    return ok(name, "each image has its own") if template.is_unique else warning(name, *template_words(template))
