"""Every page and every section that a file of the repository cites is there."""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.docs.pages import ANCHOR, ROOT

PROTOCOLS = ROOT / "docs" / "protocols"
_SUFFIXES = {".py", ".md", ".yaml", ".yml", ".sh", ".sbatch", ".toml"}
_NAMES = {"Dockerfile", "Makefile", "run"}
_NOT_OURS = {"build", "demo", "mutants"}  # what make writes here
_WRITTEN_BY_THE_TOOL = {"LICENSES.md"}  # beside the images, not in the repository
_MADE_UP = {Path(__file__).relative_to(ROOT)}  # this file cites what is not there, to see that it is found
_DICOM = re.compile(r"PS3\.\d+ §[\w.]*\w(?:(?:,| and| to) §[\w.]*\w)*")
_CITED = re.compile(
    r"(?<![\w./-])(?P<page>[\w./-]*\w\.md)\b"
    r"|§(?P<section>[\w.]*\w)"
    r"|\b(?P<requirement>(?:CJ|DF|RS)-\d+)\b"
)


@cache
def _files() -> frozenset[Path]:
    """Return the files of the repository, relative to its root."""
    found: set[Path] = set()
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name not in _NOT_OURS and (name == ".ci" or not name.startswith("."))]
        found.update((Path(folder) / name).relative_to(ROOT) for name in names)
    return frozenset(found)


def _citing() -> Iterator[Path]:
    return (path for path in sorted(_files()) if path.suffix in _SUFFIXES or path.name in _NAMES)


@cache
def _anchors(page: str) -> frozenset[str]:
    return frozenset(ANCHOR.findall((PROTOCOLS / page).read_text(encoding="utf-8")))


@cache
def _is_page(cited: str) -> bool:
    ending = f"/{cited.removeprefix('./').replace('../', '')}"
    return cited in _WRITTEN_BY_THE_TOOL or any(f"/{path}".endswith(ending) for path in _files())


def broken(text: str, page: str = "") -> list[str]:
    """Return the citations in a text that lead nowhere.

    Parameters
    ----------
    page
        The page of docs/protocols that sections belong to before the text names one.
    """
    wrong = []
    for cited in _CITED.finditer(_DICOM.sub("", text)):
        if name := cited["page"]:
            wrong += [] if _is_page(name) else [name]
            page = Path(name).name if (PROTOCOLS / Path(name).name).is_file() and "README" not in name else page
        elif requirement := cited["requirement"]:
            wrong += [] if requirement in _anchors("xnat-container-command.md") else [requirement]
        elif not page or cited["section"] not in _anchors(page):
            wrong.append(f"{page} {cited[0]}".lstrip())
    return wrong


def test_every_citation_resolves() -> None:
    wrong = {}
    for path in _citing():
        own = path.name if path.is_relative_to(PROTOCOLS.relative_to(ROOT)) else ""
        if path not in _MADE_UP and (found := broken((ROOT / path).read_text(encoding="utf-8"), own)):
            wrong[str(path)] = found
    assert not wrong


def test_a_citation_that_leads_nowhere_is_found() -> None:
    assert broken("see made-up.md and docs/made-up.md") == ["made-up.md", "docs/made-up.md"]
    assert broken("xnat-http.md §5.7, §5.99; then §99") == ["xnat-http.md §5.99", "xnat-http.md §99"]
    assert broken("a section of no page (§5.7)") == ["§5.7"]
    assert broken("tcia-nbia-and-idc.md §7.1, then xnat-http.md §16.16 and §16.99") == ["xnat-http.md §16.99"]
    assert broken("CJ-1 and CJ-99") == ["CJ-99"]


def test_sections_of_dicom_are_no_citations_of_pages() -> None:
    assert broken("DICOM PS3.5 §6.2 and §9.1, PS3.10 §7.1") == []


def test_anchors_stand_once() -> None:
    for page in PROTOCOLS.glob("*.md"):
        found = ANCHOR.findall(page.read_text(encoding="utf-8"))
        assert len(found) == len(set(found)), page.name
