"""Citations from a DOI service on loopback: asked once, in four forms, and never waited for in vain."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.serve import Server
from tcia_xnat.core.doi import IDC_PAPER, CitationFormat
from tcia_xnat.report.citation import citation, datasets
from tcia_xnat.sources.citations import Citations
from tcia_xnat.sources.idc.client import IDCClient
from tests.query.case import query

DOI = "10.7937/pcte-6m66"
TEXTS = {
    "text/x-bibliography; style=apa; locale=en-US": "Biobank, C. M. (2022). <i>CMB-AML</i>, Müller.",
    "application/x-bibtex": "@misc{https://doi.org/10.7937/pcte-6m66, title={CMB-AML}}",
    "application/vnd.citationstyles.csl+json": json.dumps({"DOI": DOI}),
    "text/turtle": "<https://doi.org/10.7937/pcte-6m66> a <http://schema.org/Dataset> .",
}


@dataclass
class Service:
    """A resolver that leads to an agency; `broken` answers come first."""

    broken: list[Response] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def application(self) -> Starlette:
        return Starlette(routes=[Route("/agency/{doi:path}", self.agency), Route("/{doi:path}", self.resolver)])

    async def resolver(self, request: Request) -> Response:
        return RedirectResponse(f"/agency/{request.path_params['doi']}", 302)

    async def agency(self, request: Request) -> Response:
        kind = request.headers["accept"]
        self.asked.append((request.path_params["doi"], kind))
        if self.broken:
            return self.broken.pop(0)
        return Response(TEXTS[kind].encode(), headers={"content-type": kind.split(";")[0]})


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def url(service: Service) -> Iterator[str]:
    with Server(service.application()) as server:
        yield server.url


@pytest.mark.parametrize("form", list(CitationFormat))
def test_each_form_is_asked_for_and_given(form: CitationFormat, service: Service, url: str) -> None:
    with closing(Citations(url)) as citations:
        assert citations.text(f"https://doi.org/{DOI.upper()}", form) == TEXTS[form.media_type]
        assert citations.text(DOI, form) == TEXTS[form.media_type]
    assert service.asked == [(DOI, form.media_type)]
    assert not citations.problem


def test_a_passing_failure_is_tried_once_more(service: Service, url: str) -> None:
    service.broken = [Response("later", 503, {"retry-after": "0"})]
    with closing(Citations(url)) as citations:
        assert "CMB-AML" in citations.text(DOI)
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    "broken",
    [
        Response("no such DOI", 404),
        Response("<html>This DOI cannot be found</html>", 200, media_type="text/html"),
        Response("", 200, media_type="application/x-bibtex"),
        Response("not in this form", 406),
    ],
)
def test_what_the_service_does_not_have_is_a_bare_doi(broken: Response, service: Service, url: str) -> None:
    service.broken = [broken]
    with closing(Citations(url)) as citations:
        assert citations.text(DOI, CitationFormat.BIBTEX) == DOI
        assert DOI in citations.problem
        assert citations.text(IDC_PAPER, CitationFormat.BIBTEX) == TEXTS["application/x-bibtex"]


def test_a_network_that_is_not_there_is_noticed_once(service: Service, url: str) -> None:
    service.broken = [Response("later", 503, {"retry-after": "0"}) for _ in range(2)]
    with closing(Citations(url)) as citations:
        assert [citations.text(doi) for doi in (DOI, IDC_PAPER, "10.1/x")] == [DOI, IDC_PAPER, "10.1/x"]
    assert len(service.asked) == 2


def test_a_silent_service_is_not_waited_for() -> None:
    import socket  # noqa: PLC0415  this test alone listens without answering

    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with closing(Citations(f"http://127.0.0.1:{silent.getsockname()[1]}", 0.3, lambda _seconds: None)) as citations:
            assert citations.text(DOI) == DOI
        assert time.monotonic() - started < 3


def test_the_client_cites_what_is_selected(service: Service, url: str) -> None:
    with closing(IDCClient(doi_url=url)) as idc:
        found = idc.citations_from_selection(collection="cmb_aml", citationFormat="bibtex")
        dois = [row["source_DOI"] for row in idc.sql_query(
            "SELECT DISTINCT source_DOI FROM index WHERE collection_id = 'cmb_aml' ORDER BY 1", "json"
        )]  # fmt: skip
    assert found == [TEXTS["application/x-bibtex"]] * (len(dois) + 1)
    assert [doi for doi, _ in service.asked] == [*dois, IDC_PAPER]


def test_the_command_cites_as_the_report_does_and_asks_the_service_for_other_forms(url: str) -> None:
    plain = query("citations", "-c", "cmb_aml", "--style", "apa", TCIA_XNAT_DOI_URL="http://127.0.0.1:9")
    known = datasets([DOI, IDC_PAPER])
    assert (plain.code, plain.err) == (0, "")
    assert plain.lines[-2:] == [citation(DOI, known[DOI]), citation(IDC_PAPER, known[IDC_PAPER])]
    assert "Cancer Moonshot Biobank - Acute Myeloid Leukemia" in plain.lines[-2]
    asked = query("citations", "-c", "cmb_aml", "--style", "bibtex", TCIA_XNAT_DOI_URL=url)
    assert set(asked.lines) == {TEXTS["application/x-bibtex"]}


def test_without_a_network_bibtex_comes_from_the_index() -> None:
    done = query("citations", "-c", "cmb_aml", "--style", "bibtex", TCIA_XNAT_DOI_URL="http://127.0.0.1:9")
    assert done.code == 0
    assert "Acute Myeloid Leukemia" in done.out
    assert "cannot be reached" in done.err
    done = query("citations", "-c", "cmb_aml", "--style", "turtle", TCIA_XNAT_DOI_URL="http://127.0.0.1:9")
    assert done.lines[-2:] == [DOI, IDC_PAPER]
