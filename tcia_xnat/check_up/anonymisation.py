"""What XNAT's anonymisation scripts change in the images that are sent (xnat-http.md §11.1)."""

import re
from urllib.parse import quote

from tcia_xnat.check_up.finding import Finding, ok, unseen, warning, wrong
from tcia_xnat.check_up.site import NotTold, preference, value
from tcia_xnat.errors import XnatRefused
from tcia_xnat.xnat.connection import XnatConnection

_IDENTITY = {"0020,000D": "StudyInstanceUID", "0020,000E": "SeriesInstanceUID", "0008,0018": "SOPInstanceUID"}
_NAMES = _IDENTITY | {"0010,0010": "PatientName", "0010,0020": "PatientID", "0008,1030": "StudyDescription"}
_TAG = re.compile(r"\(\s*([0-9A-Fa-fXx@#]{4})\s*,\s*([0-9A-Fa-fXx@#]{4})\s*\)")
_CHANGE = re.compile(rf"^\s*(?:-\s*({_TAG.pattern})|({_TAG.pattern})\s*:=)|\?\s*({_TAG.pattern})\s*:=")
_SHOWN = 4
_LOOK = "an owner of the project, or an administrator, can see it"


def changed_tags(script: str) -> list[str]:
    """Return the tags that a DicomEdit script sets or removes, as `0010,0020`, in its order."""
    lines = (line.partition("//")[0] for line in script.splitlines())
    found = (match.group(0) for line in lines if (match := _CHANGE.search(line)))
    tags = (_TAG.search(text) for text in found)
    return list(dict.fromkeys(f"{tag[1]},{tag[2]}".upper() for tag in tags if tag))


def judged(name: str, script: str) -> Finding:
    """Return what a script that is on means."""
    tags = changed_tags(script)
    if lost := [_IDENTITY[tag] for tag in tags if tag in _IDENTITY]:
        to_do = "nothing that is sent can be found again: have it switched off for this project"
        return wrong(name, f"on, changes {', '.join(lost)}", to_do, XnatRefused.exit_code)
    shown = ", ".join(_NAMES.get(tag, f"({tag})") for tag in tags[:_SHOWN])
    more = f" and {len(tags) - _SHOWN} more" if len(tags) > _SHOWN else ""
    drops = " and may reject images" if "reject" in script else ""
    return warning(
        name,
        f"on, changes {shown or 'headers'}{more}{drops}",
        "nothing, if that is wanted: no image is lost by it, but headers then differ from those that TCIA published",
    )


def of_site(xnat: XnatConnection) -> Finding:
    """Judge the script of the site."""
    name = "anonymisation, site"
    try:
        if not preference(xnat, "enableSitewideAnonymizationScript"):
            return ok(name, "off")
        return judged(name, str(preference(xnat, "sitewideAnonymizationScript")))
    except NotTold as why:
        return unseen(name, why, f"it changes headers on the way in; {_LOOK}")


def of_project(xnat: XnatConnection, project: str) -> Finding:
    """Judge the script of a project."""
    name, path = "anonymisation, project", f"/xapi/anonymize/projects/{quote(project)}"
    try:
        if not value(xnat, f"{path}/enabled"):
            return ok(name, "off")
        return judged(name, str(value(xnat, path)))
    except NotTold as why:
        return unseen(name, why, f"it changes headers on the way in; {_LOOK}")
