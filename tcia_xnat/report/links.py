"""Addresses that people open: sessions in XNAT, images in the viewers of IDC."""

from collections.abc import Iterable
from urllib.parse import quote, urlencode

from tcia_xnat.core.markup import web_address

_VIEWERS = "https://viewer.imaging.datacommons.cancer.gov"
_SLIDES = "SM"  # slide microscopy has a viewer of its own


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


def study_viewer(study_instance_uid: str, modalities: Iterable[str]) -> str:
    """Return where IDC shows a study: OHIF, or Slim when all of it is slides."""
    if set(modalities) == {_SLIDES}:
        return f"{_VIEWERS}/slim/studies/{quote(study_instance_uid)}"
    return f"{_VIEWERS}/v3/viewer/?{urlencode({'StudyInstanceUIDs': study_instance_uid})}"


def series_viewer(study_instance_uid: str, series_instance_uid: str, modality: str) -> str:
    """Return where IDC shows one series."""
    if modality == _SLIDES:
        return f"{study_viewer(study_instance_uid, [modality])}/series/{quote(series_instance_uid)}"
    return f"{study_viewer(study_instance_uid, [modality])}&{urlencode({'SeriesInstanceUIDs': series_instance_uid})}"
