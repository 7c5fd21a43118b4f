"""Addresses that people open in XNAT."""

from urllib.parse import quote

from tcia_xnat.core.markup import web_address


def project_link(host: str, project: str) -> str:
    """Return the page of a project."""
    return f"{host}/data/projects/{quote(project, safe='')}?format=html" if web_address(host) else ""


def session_link(host: str, project: str, subject: str, session: str) -> str:
    """Return the page of an archived session, by its labels (xnat-http.md §0.5, §10)."""
    if not web_address(host):
        return ""
    parts = ("projects", project, "subjects", subject, "experiments", session)
    return f"{host}/data/{'/'.join(quote(part, safe='') for part in parts)}?format=html"


def prearchive_link(host: str) -> str:
    """Return the page of the prearchive."""
    return f"{host}/app/template/XDATScreen_prearchives.vm" if web_address(host) else ""
