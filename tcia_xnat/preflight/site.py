"""What the site's settings mean for a run (xnat-http.md §1.6, §2.2, §13.9)."""

import re
from urllib.parse import quote

from tcia_xnat.core.errors import XnatUnreachable
from tcia_xnat.preflight.finding import Finding, ok, unseen, warning, wrong
from tcia_xnat.xnat.connection import XnatConnection
from tcia_xnat.xnat.preferences import NotTold, preference, value

_LEAST, _TRIED = (1, 8), (1, 8, 9)  # XNAT's versions: without its importer nothing works; proved against
_FEW = 3  # sessions: those of one run, of a browser, of a second run
_ASK = "an administrator can see it"
_USER = re.compile(r"User '(.*)' is logged in")


def user_name(xnat: XnatConnection) -> str:
    """Return the name of the user, also of one who came by a token; empty when XNAT does not say."""
    found = _USER.search(xnat.ask("GET", "/data/auth").text)
    return found.group(1) if found else ""


def version(xnat: XnatConnection) -> Finding:
    """Judge XNAT's version."""
    try:
        told = preference(xnat, "buildInfo")
    except NotTold as why:
        return unseen("XNAT version", why, f"1.8.9 or newer is needed; {_ASK}")
    name = str(told.get("version", "")) if isinstance(told, dict) else ""
    numbers = tuple(int(part) for part in re.findall(r"\d{1,9}", name.partition("-")[0]))
    if not numbers:
        return unseen("XNAT version", "XNAT does not name it", "1.8.9 or newer is needed")
    if numbers < _LEAST:
        return wrong("XNAT version", f"XNAT {name}", "1.8.9 or newer is needed", XnatUnreachable.exit_code)
    if numbers < _TRIED:
        return warning("XNAT version", f"XNAT {name}", "older than 1.8.9, nobody has tried: begin with --limit 1")
    return ok("XNAT version", f"XNAT {name}")


def session_cap(xnat: XnatConnection, user: str) -> Finding:
    """Judge how many logins the user has left: each run is one (§1.6)."""
    try:
        most = int(preference(xnat, "concurrentMaxSessions"))
    except (NotTold, ValueError, TypeError, OverflowError) as why:
        return unseen("sessions", why, f"each run takes one login; how many a user may have: {_ASK}")
    try:
        taken = len(value(xnat, f"/xapi/users/active/{quote(user)}"))
    except (NotTold, TypeError):
        taken = 1
    told = f"{taken} of {most} that {user or 'a user'} may have at once"
    if most - taken < _FEW - 1:
        return warning("sessions", told, "a run needs one: close others, or raise concurrentMaxSessions before --shard")
    return ok("sessions", told)


def import_filter(xnat: XnatConnection) -> Finding:
    """Judge the series-import filter of the site: it drops images without a word (§5.9)."""
    name = "series-import filter, site"
    try:
        if not preference(xnat, "enableSitewideSeriesImportFilter"):
            return ok(name, "off")
        contents = preference(xnat, "sitewideSeriesImportFilter")
    except NotTold as why:
        return unseen(name, why, f"it would drop series without a word; {_ASK}")
    return filtering(name, str(contents))


def filtering(name: str, contents: str) -> Finding:
    """Return what a filter that is on means."""
    first = " ".join(contents.split())[:60] or "its list is not told"
    to_do = "series that it drops end as failed: have it switched off while a run goes on, or accept that"
    return warning(name, f"on: {first}", to_do)
