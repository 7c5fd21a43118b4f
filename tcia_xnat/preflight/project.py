"""What the settings of the project, and the user's rights in it, mean for a run (xnat-http.md §3, §4, §7.3)."""

from urllib.parse import quote

from tcia_xnat.core.errors import Error, RightsRefused
from tcia_xnat.core.foreign import parse_json
from tcia_xnat.preflight.finding import Finding, failed, ok, unseen, warning, wrong
from tcia_xnat.preflight.site import filtering
from tcia_xnat.xnat.answers import OK, table
from tcia_xnat.xnat.connection import XnatConnection
from tcia_xnat.xnat.preferences import NotTold, preference, value
from tcia_xnat.xnat.project import find_project
from tcia_xnat.xnat.roles import RESOURCES_STAY, ask_rights

_MANUAL, _OVERWRITES = 0, 5


def is_there(xnat: XnatConnection, named: str, *, may_create: bool) -> tuple[str, Finding]:
    """Judge whether the project is there, or can be made; return also its ID, empty when it is not there."""
    if project := find_project(xnat, named):
        given = "" if project == named else f" (given as {named})"
        return project, ok("project", f"{project}{given} is there")
    return "", _absent(xnat, f"{named} is not there, or this user may not see it", may_create=may_create)


def _absent(xnat: XnatConnection, told: str, *, may_create: bool) -> Finding:
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
    """Judge what the user may do, by the questions that a run asks before it sends anything; nothing is changed."""
    try:
        asked = ask_rights(xnat, project)
    except Error as error:
        return failed("rights", error)
    if refusal := asked.refusal(project):
        return failed("rights", refusal)
    if asked.may_transfer is None:
        return unseen("rights", "XNAT tells neither permissions nor role", "a run tries: begin with --limit 1")
    if asked.may_write_project is False:
        return warning("rights", f"this user may bring images into {project}", RESOURCES_STAY)
    return ok("rights", f"this user may bring images into {project}")


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
        found = parse_json(contents)
    except ValueError:
        return contents
    return f"{found['mode']} {found.get('list', '')}" if isinstance(found, dict) and "mode" in found else contents


def _refused(seen: str, to_do: str) -> Finding:
    return wrong("project", seen, to_do, RightsRefused.exit_code)


def _is_administrator(xnat: XnatConnection) -> bool:
    try:
        preference(xnat, "concurrentMaxSessions")
    except NotTold:
        return False
    return True
