"""Links lead somewhere, and the reference is what the code says."""

import re
from pathlib import Path

import click
import pytest

from docs import make_reference
from tcia_xnat.core import errors
from tcia_xnat.core.exit_codes import ExitCode
from tests.docs.pages import ANCHOR, MADE, PAGES, ROOT
from tests.unit.test_imports import FLOOR_OF

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page: those in its text, and those that GitHub gives to its headings."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", ANCHOR.sub("", text), re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(ANCHOR.findall(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_map_leads_to_every_page() -> None:
    """A folder may have a map of its own, its README."""
    maps = [page for page in PAGES if page.name == "README.md" and page.is_relative_to(ROOT / "docs")]
    named = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in maps
        for link in _LINK.findall(page.read_text(encoding="utf-8"))
    }
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - {ROOT / "docs" / "README.md"} <= named


def test_the_reference_is_what_the_code_says() -> None:
    made = make_reference.pages()
    assert {path.name: path.read_text("utf-8") for path in MADE.iterdir()} == made, "python -m docs.make_reference"


def test_the_exit_codes_of_readme_are_what_the_code_says() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert make_reference.exit_table() in readme
    assert make_reference.with_exit_table(readme) == readme, "python -m docs.make_reference"
    other = readme.replace(ExitCode.SPACE.meaning, "another text")
    assert other != readme
    assert make_reference.with_exit_table(other) == readme


def test_the_tree_of_errors_says_their_codes() -> None:
    """The docstring of errors has the codes beside the names; a class without one has that of its parent."""
    told = dict(re.findall(r"[├└]── (\w+) +(\d)\b", errors.__doc__ or ""))
    assert told
    assert told == {name: str(getattr(errors, name).exit_code) for name in told}


def test_the_page_on_architecture_names_what_is_there() -> None:
    text = (ROOT / "docs" / "architecture" / "README.md").read_text("utf-8")
    table = re.search(r"\| package \| holds \|\n(?:\|.*\n)+", text)
    assert table
    named = [name for row in table[0].splitlines() for name in re.findall(r"`(\w+)/`", row.split("|")[1])]
    assert sorted(named) == sorted(FLOOR_OF)
    assert [FLOOR_OF[name] for name in named] == sorted(FLOOR_OF[name] for name in named)
    paths = {path for path in re.findall(r"`([\w/]+/[\w/]*(?:\.py)?)`", text) if "NAME" not in path}
    places = (ROOT, ROOT / "tcia_xnat", ROOT / "tcia_xnat" / "sources", ROOT / "tcia_xnat" / "destinations")
    assert not [path for path in paths if not any((place / path).exists() for place in places)]


def test_readme_names_all_options_of_the_command_and_their_defaults() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    table = re.search(r"\| option \| default \| what \|\n\|.*\n((?:\|.*\n)+)", readme)
    assert table
    (context,) = make_reference.contexts_of("download.py", make_reference.SCRIPTS["download.py"])
    options = [one for one in context.command.params if isinstance(one, click.Option) and one.name != "version"]
    known = {name: one for one in options for name in one.opts + one.secondary_opts}
    rows = [line.split(" | ") for line in table[1].splitlines()]
    named = {name: row[1].strip("` ") for row in rows for name in re.findall(r"--[\w-]+", row[0])}
    assert {known[name].name for name in named} == {one.name for one in options}
    numbers = {name: default for name, default in named.items() if default.isdigit()}
    assert "--transfers" in numbers
    for name, number in numbers.items():
        assert re.search(rf"default: {number}\b", str(known[name].get_help_record(context))), name
