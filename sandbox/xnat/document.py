"""The XML document of a session: what a build writes beside the session's folder, and what the archiver reads."""

from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from defusedxml import ElementTree

from sandbox.xnat.files import write_document
from sandbox.xnat.modalities import element_name

_NAMESPACES = 'xmlns:xnat="http://nrg.wustl.edu/xnat" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


@dataclass(slots=True)
class Scan:
    """One scan; `catalogs` has by label where those of its resources lie in the session's folder."""

    id: str
    uid: str
    xsi_type: str
    type: str = ""
    series_description: str = ""
    modality: str = ""
    frames: str = ""
    catalogs: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Session:
    """One session as it was at its last build."""

    xsi_type: str
    uid: str
    label: str
    project: str = ""
    subject: str = ""
    date: str = ""
    time: str = ""
    modality: str = ""
    patient_id: str = ""
    patient_name: str = ""
    accession_number: str = ""
    scans: list[Scan] = field(default_factory=list)


_TEXTS = {
    "date": "date",
    "time": "time",
    "subject_ID": "subject",
    "dcmAccessionNumber": "accession_number",
    "dcmPatientId": "patient_id",
    "dcmPatientName": "patient_name",
}


def write_session(session: Session, path: Path) -> None:
    """Write the document."""
    name = element_name(session.xsi_type)
    attributes = {"ID": "", "project": session.project, "label": session.label, "UID": session.uid}
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<xnat:{name} {_attributes(attributes | {'modality': session.modality})} {_NAMESPACES}>",
        *(f"<xnat:{tag}>{escape(text)}</xnat:{tag}>" for tag, key in _TEXTS.items() if (text := getattr(session, key))),
        "<xnat:scans>",
        *map(_scan_element, session.scans),
        "</xnat:scans>",
        f"</xnat:{name}>",
        "",
    ]
    write_document(path, "\n".join(lines))


def read_session(path: Path) -> Session:
    """Read the document.

    Raises
    ------
    FileNotFoundError
        The session was never built.
    """
    root = ElementTree.fromstring(path.read_bytes())
    name = root.tag.rpartition("}")[2].removesuffix("Session")
    kind = "otherDicom" if name == "OtherDicom" else name.lower()
    texts = {key: root.findtext(f"{{*}}{tag}") or "" for tag, key in _TEXTS.items()}
    return Session(
        xsi_type=f"xnat:{kind}SessionData",
        uid=root.get("UID", ""),
        label=root.get("label", ""),
        project=root.get("project", ""),
        modality=root.get("modality", ""),
        scans=[_scan(element) for element in root.iterfind("{*}scans/{*}scan")],
        **texts,
    )


def _scan_element(scan: Scan) -> str:
    attributes = {"ID": scan.id, "UID": scan.uid, "type": scan.type, "xsi:type": scan.xsi_type}
    files = [{"label": label, "URI": uri, "format": "DICOM", "content": "RAW"} for label, uri in scan.catalogs.items()]
    return (
        f"<xnat:scan {_attributes(attributes)}>"
        f"<xnat:series_description>{escape(scan.series_description)}</xnat:series_description>"
        + "".join(f'<xnat:file xsi:type="xnat:resourceCatalog" {_attributes(file)}/>' for file in files)
        + f"<xnat:frames>{escape(scan.frames)}</xnat:frames>"
        f"<xnat:modality>{escape(scan.modality)}</xnat:modality>"
        "</xnat:scan>"
    )


def _scan(element: Element) -> Scan:
    return Scan(
        id=element.get("ID", ""),
        uid=element.get("UID", ""),
        xsi_type=element.get(_TYPE, ""),
        type=element.get("type", ""),
        series_description=element.findtext("{*}series_description") or "",
        modality=element.findtext("{*}modality") or "",
        frames=element.findtext("{*}frames") or "",
        catalogs={file.get("label", ""): file.get("URI", "") for file in element.iterfind("{*}file")},
    )


def _attributes(values: dict[str, str]) -> str:
    return " ".join(f"{name}={quoteattr(value)}" for name, value in values.items())
