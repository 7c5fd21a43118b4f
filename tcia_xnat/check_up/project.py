"""What the settings of the project, and the user's rights in it, mean for a run (xnat-http.md §3, §4, §7.3)."""

import json
from urllib.parse import quote

from tcia_xnat.check_up.finding import Finding, failed, ok, unseen, warning, wrong
from tcia_xnat.check_up.site import NotTold, filtering, preference, value
from tcia_xnat.errors import Error, RightsRefused
from tcia_xnat.xnat.answers import OK, table
from tcia_xnat.xnat.connection import XnatConnection
from tcia_xnat.xnat.project import XnatProject

_RESOURCE, _FILE = "TCIA_INGEST", "check"
_MANUAL, _OVERWRITES = 0, 5


def is_there(xnat: XnatConnection, project: str, *, may_create: bool) -> Finding:
    """Judge whether the project is there, or can be made."""
    if XnatProject(xnat, project).exists():
        return ok("project", f"{project} is there")
    told = f"{project} is not there, or this user may not see it"
    if not may_create:
        return wrong("project", told, "leave --no-create-project out to have it created", RightsRefused.exit_code)
    try:
        users_may = bool(preference(xnat, "uiAllowNonAdminProjectCreation"))
    except NotTold:
        users_may = True
    if not users_may:
        to_do = "only administrators create projects here: ask one for it"
        return warning("project", told, to_do) if _is_administrator(xnat) else _refused(told, to_do)
    return warning("project", told, "a run creates it, private and with manual archiving; or ask its owner for access")


def rights(xnat: XnatConnection, project: str) -> Finding:
    """Do what a run does first: store a small file in the project, and read that it is there; then remove it (§4.3).

    XNAT says 200 also when it stores nothing, and takes images of a user who may only read: only this proves it.
    """
    try:
        XnatProject(xnat, project).put_resource(_RESOURCE, _FILE, b"may this user write?\n")
        xnat.ask("DELETE", f"/data/projects/{quote(project)}/resources/{_RESOURCE}/files/{_FILE}", accepted=OK | {404})
    except Error as error:
        return failed("rights", error)
    return ok("rights", f"this user may write to {project}")


def auto_archive(xnat: XnatConnection, project: str) -> Finding:
    """Judge what XNAT archives on its own account (§3.6, §7.3)."""
    try:
        code = int(value(xnat, f"/data/projects/{quote(project)}/prearchive_code"))
    except (NotTold, ValueError, TypeError) as why:
        return unseen("auto-archive", why, "an owner can see it: Manage, Prearchive settings")
    if code == _MANUAL:
        return ok("auto-archive", "off: sessions are archived when they are complete")
    over = ", over what is there" if code == _OVERWRITES else ""
    return warning(
        "auto-archive",
        f"on (code {code}): XNAT archives sessions that were idle for some minutes{over}",
        "nothing for what this tool sends, which opts out; what others send of the same studies may be archived half: "
        "an owner can set it to manual",
    )


def import_filter(xnat: XnatConnection, project: str) -> Finding:
    """Judge the series-import filter of the project: it drops images without a word (§5.9)."""
    name = "series-import filter, project"
    path = f"/data/projects/{quote(project)}/config/seriesImportFilter/config"
    try:
        answer = xnat.ask("GET", path, {"format": "json"}, accepted=OK | {204, 404})
        rows = table(answer) if answer.status in OK and answer.text.strip() else []
    except Error as error:
        return unseen(name, error, "it would drop series without a word; an owner can see it")
    if not rows or rows[-1].get("status") == "disabled":
        return ok(name, "off")
    return filtering(name, _described(rows[-1].get("contents", "")))


def _described(contents: str) -> str:
    """Return mode and list of a filter, as far as it has them."""
    try:
        found = json.loads(contents)
        return f"{found['mode']} {found.get('list', '')}"
    except (ValueError, LookupError, TypeError, AttributeError):
        return contents


def _refused(seen: str, to_do: str) -> Finding:
    return wrong("project", seen, to_do, RightsRefused.exit_code)


def _is_administrator(xnat: XnatConnection) -> bool:
    try:
        preference(xnat, "concurrentMaxSessions")
    except NotTold:
        return False
    return True
