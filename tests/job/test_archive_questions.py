"""What the client of XNAT asks of the archive, against an XNAT whose addresses mean more than one thing."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tcia_xnat.core.errors import XnatUnreachable
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.xnat.answers import Answer
from tcia_xnat.xnat.connection import XnatConnection
from tcia_xnat.xnat.project import XnatProject, find_project
from tests.sandbox.xnat_case import EXPERIMENTS, PROJECT, Site, dicom


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site


@pytest.fixture
def connection(site: Site) -> Iterator[XnatConnection]:
    patience = Patience(RetryPolicy(2, 0.01), lambda _seconds: None)
    with closing(XnatConnection(site.server.url, "admin", "admin", patience, 0)) as opened:
        yield opened


def test_the_files_of_a_scan_are_not_those_of_one_that_is_described_by_its_id(
    site: Site, connection: XnatConnection
) -> None:
    first = dicom(1, SeriesInstanceUID="1.2.826.1.3", SeriesNumber="2", SeriesDescription="Thorax")
    second = [dicom(n, SeriesInstanceUID="1.2.826.1.4", SeriesNumber="7", SeriesDescription="2") for n in (1, 2)]
    site.archived({"1.dcm": first, "2.dcm": second[0], "3.dcm": second[1]})
    project, experiment = XnatProject(connection, PROJECT), site.rows(EXPERIMENTS)[0]["ID"]
    assert (project.file_count(experiment, "2"), project.file_count(experiment, "7")) == (1, 2)
    assert project.sop_instance_uids(experiment, "2") == ("1.2.826.1.3.1",)
    assert project.file_count(experiment, "9") == 0
    assert project.sop_instance_uids(experiment, "9") is None


def test_a_shared_session_tells_to_whom_it_belongs(site: Site, connection: XnatConnection) -> None:
    site.archived()
    site.ask("PUT", "/data/projects/OTHER")
    site.ask("PUT", f"/data/projects/{PROJECT}/subjects/S1/experiments/E1/projects/OTHER", label="LENT")
    [there] = XnatProject(connection, "OTHER").archived_sessions()
    [here] = XnatProject(connection, PROJECT).archived_sessions()
    assert (there.label.session, there.shared_from, there.is_shared) == ("LENT", PROJECT, True)
    assert (here.label.session, here.is_shared) == ("E1", False)


def test_a_project_is_found_by_id_and_alias(site: Site, connection: XnatConnection) -> None:
    site.ask("PUT", f"/data/projects/{PROJECT}", alias="NICK")
    assert [find_project(connection, name) for name in (PROJECT, "NICK", "NONE")] == [PROJECT, PROJECT, ""]


@pytest.mark.parametrize("body", ["", "[]", '{"items": []}', '{"items": [{"data_fields": {"ID": "A/B"}}]}', "null"])
def test_an_answer_that_is_no_project_is_no_id(
    body: str, monkeypatch: pytest.MonkeyPatch, connection: XnatConnection
) -> None:
    monkeypatch.setattr(connection, "ask", lambda *_parts, **_options: Answer(200, body))
    with pytest.raises(XnatUnreachable, match="no project"):
        find_project(connection, "P")
