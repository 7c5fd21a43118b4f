"""What the tests of the report share: runs that never ran, DICOM of every kind, and pages read by a parser of HTML."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib

from tcia_xnat.core.errors import Error
from tcia_xnat.core.events import Step
from tcia_xnat.core.metrics import Measured, Spent
from tcia_xnat.core.model import Label, Outcome, Series, SourceName, State
from tcia_xnat.jobs.tcia_to_xnat import Job, Prepared, Run
from tcia_xnat.manifest import Manifest
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.plan import Plan
from tcia_xnat.report.document import document
from tcia_xnat.transfer.scheduler import TransferResult

HOST = "https://xnat.example.org"
STARTED = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
MEASURED = Measured(
    2,
    {SourceName.IDC: (5_000_000, 0, 7_000_000), SourceName.NBIA: (0, 1_000_000)},
    {Step.FETCH: Spent(3, 6.0, 4.0), Step.IMPORT: Spent(3, 90.0, 70.0)},
)


def series(number: int, **changed: Any) -> Series:  # noqa: ANN401  fields of Series
    """Return what a catalogue says of a series; ten of them are one study."""
    study = number // 10
    values: dict[str, Any] = {
        "series_instance_uid": f"1.2.3.{study}.{number}",
        "study_instance_uid": f"1.2.3.{study}",
        "patient_id": f"P{study // 2:05}",
        "collection_id": "some_collection",
        "modality": "CT",
        "series_number": str(number),
        "series_description": f"Axial {number}",
        "study_date": "2001-02-03",
        "image_count": 12,
        "byte_count": 6_000_000,
        "licence": "CC BY 4.0",
        "source_doi": "10.7937/abcd-1234",
        "crdc_series_uuid": f"uuid-{number}",
    }
    return Series(**values | changed)


def outcome(of: Series, state: State = State.ARCHIVED, **changed: Any) -> Outcome:  # noqa: ANN401  fields of Outcome
    """Return how it ended."""
    study = of.study_instance_uid.rpartition(".")[2]
    values: dict[str, Any] = {
        "label": Label(of.patient_id, f"{of.patient_id}_{study}"),
        "source": SourceName.IDC if state.is_in else None,
        "image_count": of.image_count,
        "byte_count": of.byte_count,
    }
    return Outcome(of.series_instance_uid, state, **values | changed)


def run(
    folder: Path,
    pairs: Iterable[tuple[Series, Outcome]],
    ended_by: Error | None = None,
    **changed: Any,  # noqa: ANN401  fields of Run
) -> Run:
    """Return a run that left these outcomes."""
    pairs = list(pairs)
    catalogue = Catalogue({one.series_instance_uid: one for one, _ in pairs}, {})
    listed = Manifest("list.tcia", tuple(catalogue.series))
    job = Job(manifest=str(folder / "list.tcia"), output_dir=folder / "out", project="PROJECT")
    values: dict[str, Any] = {
        "started": STARTED,
        "ended": STARTED + timedelta(seconds=100),
        "host": HOST,
        "measured": MEASURED,
    }
    result = TransferResult(tuple(ended for _, ended in pairs), ended_by)
    return Run(job, Prepared(listed, catalogue, {}, Plan((), ())), result, **values | changed)


def report_json(folder: Path, pairs: Iterable[tuple[Series, Outcome]], ended_by: Error | None = None) -> dict[str, Any]:
    """Return what report.json holds of such a run."""
    return document(run(folder, pairs, ended_by))


def parsed(page: str | Iterable[str]) -> Element:
    """Return the tree of a page as browsers make it; assert that the page is valid where the parser can tell."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree: Element = parser.parse("".join(page))
    assert not parser.errors
    return tree


def elements(tree: Element, *names: str) -> Iterator[Element]:
    """Yield the elements of these names, in the order of the page."""
    return (element for element in tree.iter() if element.tag in names)


def text(element: Element) -> str:
    """Return the text in an element, with single blanks."""
    return " ".join("".join(element.itertext()).split())


def by_id(tree: Element, name: str) -> Element:
    """Return the element with an ID."""
    (found,) = (element for element in tree.iter() if element.get("id") == name)
    return found


def attributes(tree: Element) -> Iterator[tuple[str, str]]:
    """Yield every attribute of a page."""
    for element in tree.iter():
        yield from element.attrib.items()
