"""Single values of XNAT: preferences of the site, settings and scripts of a project (xnat-http.md §2.2, §11.1)."""

from typing import Any
from urllib.parse import quote

from tcia_xnat.core.errors import XnatError
from tcia_xnat.core.foreign import parse_json
from tcia_xnat.xnat.answers import OK
from tcia_xnat.xnat.connection import XnatConnection
from tcia_xnat.xnat.dicomedit import read_script
from tcia_xnat.xnat.scripts import OFF, NameTemplate, ScriptEffect, Scripts, unknown_script

_BOOLEANS = {True: True, False: False, "true": True, "false": False}


class NotTold(Exception):
    """XNAT does not tell this user, or not at all."""


def preference(xnat: XnatConnection, name: str) -> Any:  # noqa: ANN401  as XNAT has it
    """Return a site preference (§2.2).

    Raises
    ------
    NotTold
    """
    return value(xnat, f"/xapi/siteConfig/{name}")


def value(xnat: XnatConnection, path: str) -> Any:  # noqa: ANN401  as XNAT has it
    """Return what XNAT says at an address: parsed JSON, or the text where it is none.

    Raises
    ------
    NotTold
    """
    try:
        answer = xnat.patience.call(lambda: xnat.ask("GET", path, accepted=OK | {204, 403, 404}))
    except XnatError as error:
        raise NotTold(str(error)) from error
    if answer.status == 403:  # noqa: PLR2004  HTTP's own
        raise NotTold("XNAT does not tell this user")
    if answer.status == 404:  # noqa: PLR2004  HTTP's own
        raise NotTold("this XNAT has no such page")
    try:
        return parse_json(answer.text)
    except ValueError:
        return answer.text


def read_scripts(xnat: XnatConnection, project: str) -> Scripts:
    """Return what XNAT does with images of a project on their way into the archive.

    What XNAT does not tell is unknown in the value; nothing is raised for it.

    Parameters
    ----------
    project
        ID of the project, not an alias; empty for one that is not there yet and has no script.
    """
    return Scripts(
        site=_site_script(xnat), project=_project_script(xnat, project) if project else OFF, template=_template(xnat)
    )


def _site_script(xnat: XnatConnection) -> ScriptEffect:
    try:
        if not _is_on(preference(xnat, "enableSitewideAnonymizationScript")):
            return OFF
        return read_script(preference(xnat, "sitewideAnonymizationScript"))
    except NotTold as why:
        return unknown_script(str(why))


def _project_script(xnat: XnatConnection, project: str) -> ScriptEffect:
    path = f"/xapi/anonymize/projects/{quote(project, safe='')}"
    try:
        return read_script(value(xnat, path)) if _is_on(value(xnat, f"{path}/enabled")) else OFF
    except NotTold as why:
        return unknown_script(str(why))


def _template(xnat: XnatConnection) -> NameTemplate:
    try:
        text = preference(xnat, "dicomFileNameTemplate")
    except NotTold:
        return NameTemplate()
    return NameTemplate(text.strip()) if isinstance(text, str) and "${" in text else NameTemplate()


def _is_on(told: object) -> bool:
    if isinstance(told, bool | str) and told in _BOOLEANS:
        return _BOOLEANS[told]
    raise NotTold("XNAT sent something else than true or false")
