"""report.html as a browser reads it: its parts, what can be clicked, and that foreign text stays text."""

import base64
import hashlib
import itertools
import re
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from tcia_xnat.core.errors import Stopped
from tcia_xnat.core.model import State
from tcia_xnat.core.program import command_line
from tcia_xnat.report.page import page
from tests.report.case import attributes, by_id, elements, outcome, parsed, report_json, series, text

PICTURE = b"RIFF....WEBP"
VIEWER = "https://viewer.imaging.datacommons.cancer.gov"


@pytest.fixture
def tree(tmp_path: Path) -> Element:
    """Return a page with a bit of everything."""
    given = [
        *((series(n), outcome(series(n))) for n in range(3)),
        (series(10, modality="SM"), outcome(series(10, modality="SM"), State.PRESENT)),
        (series(11, modality="SR"), outcome(series(11))),
        *(
            (
                series(n),
                outcome(series(n), State.FAILED, reason=f"{n} of 99 images", hint="try again", kind="SeriesIncomplete"),
            )
            for n in range(20, 30)
        ),
        (series(30, crdc_series_uuid=""), outcome(series(30), State.HELD, reason="waits for 1 series of its study")),
    ]
    return parsed(page(report_json(tmp_path, given), {"1.2.3.0.0": PICTURE}))


def test_the_verdict_is_the_first_heading_and_headings_come_in_order(tree: Element) -> None:
    levels = [int(element.tag[1]) for element in elements(tree, "h1", "h2", "h3", "h4", "h5")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    (first,) = elements(tree, "h1")
    assert text(first) == "5 of 16 series are in the archive; 10 failed, 1 waiting in the prearchive."
    (title,) = elements(tree, "title")
    assert text(title) == f"PROJECT: {text(first)}"


def test_it_can_be_read_aloud(tree: Element) -> None:
    (root,) = elements(tree, "html")
    assert root.get("lang") == "en"
    assert all(image.get("alt") for image in elements(tree, "img"))
    assert all(element.get("aria-label") for element in tree.iter() if element.get("role") == "img")
    for table in elements(tree, "table"):
        assert {head.get("scope") for head in elements(table, "th")} <= {"col", "row"}
        assert all(row[0].tag == "th" for row in elements(table, "tr"))
    for link in elements(tree, "a"):
        assert text(link) or link.get("aria-label") or list(elements(link, "img")) or link[0].get("aria-label")
    identifiers = [value for name, value in attributes(tree) if name == "id"]
    assert len(identifiers) == len(set(identifiers))
    wanted = [value for name, value in attributes(tree) if name == "aria-labelledby"]
    wanted += [value[1:] for name, value in attributes(tree) if name == "href" and value.startswith("#")]
    assert set(wanted) <= set(identifiers)


def test_nothing_is_loaded_from_elsewhere(tree: Element) -> None:
    assert not list(elements(tree, "link", "iframe", "object", "embed", "base", "form"))
    sources = [value for name, value in attributes(tree) if name in {"src", "srcset", "poster", "background"}]
    assert sources
    assert all(value.startswith("data:image/webp;base64,") for value in sources)
    (style,) = elements(tree, "style")
    assert not re.search(r"url\(|@import", text(style))


def test_its_own_policy_lets_only_its_own_script_run(tree: Element) -> None:
    (script,) = elements(tree, "script")
    (policy,) = (
        element.get("content", "")
        for element in elements(tree, "meta")
        if element.get("http-equiv") == "Content-Security-Policy"
    )
    digest = base64.b64encode(hashlib.sha256((script.text or "").encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_sessions_lead_to_xnat_and_series_to_the_viewer(tree: Element) -> None:
    sheet = by_id(tree, "sessions")
    links = [link.get("href", "") for link in elements(sheet, "a")]
    assert "https://xnat.example.org/data/projects/PROJECT/subjects/P00000/experiments/P00000_0?format=html" in links
    assert f"{VIEWER}/v3/viewer/?StudyInstanceUIDs=1.2.3.0&SeriesInstanceUIDs=1.2.3.0.1" in links
    assert f"{VIEWER}/slim/studies/1.2.3.1/series/1.2.3.1.10" in links
    assert not any("1.2.3.3.30" in link for link in links)  # IDC does not have it
    assert not any("P00001_2?" in link for link in links)  # nothing of this session is in XNAT
    assert [text(subject) for subject in elements(sheet, "h3")] == ["P00000", "P00001"]


def test_a_series_without_a_picture_has_a_tile_with_its_modality(tree: Element) -> None:
    tiles = list(elements(by_id(tree, "sessions"), "li"))
    assert len(tiles) == 16
    assert len(list(elements(by_id(tree, "sessions"), "img"))) == 1
    assert text(tiles[4]) == "SRAxial 11SR · 12 images"  # three blocks
    assert "failed" in text(tiles[5])


def test_what_is_missing_is_named_with_what_to_do(tree: Element, tmp_path: Path) -> None:
    missing = by_id(tree, "missing")
    assert [text(head) for head in elements(missing, "h3")] == [
        "10 series failed",
        "1 series waiting in the prearchive",
        "To ask for all of these again",
    ]
    assert "What to do: try again" in text(missing)
    assert all(f"1.2.3.2.{n}" in text(missing) for n in range(20, 30))
    assert "P00001_2 patient P00001" in text(missing)
    (command,) = elements(missing, "pre")
    out = tmp_path / "out"
    assert text(command) == command_line("download.py", f"{out}/report/failed.tcia", str(out), "PROJECT")


def test_licences_can_be_pasted(tree: Element) -> None:
    (block,) = elements(by_id(tree, "licences"), "pre")
    assert text(block) == "https://doi.org/10.7937/abcd-1234"


def test_series_of_no_collection_have_no_licences_to_paste(tmp_path: Path) -> None:
    local = series(0, collection_id="", licence="", source_doi="")
    part = by_id(parsed(page(report_json(tmp_path, [(local, outcome(local))]), {})), "licences")
    assert "None is known" in text(part)
    assert not list(elements(part, "table", "pre"))


def test_what_nobody_knows_stands_after_the_collections(tmp_path: Path) -> None:
    gone = series(1, collection_id="")
    given = [(gone, outcome(gone, State.UNAVAILABLE)), (series(0), outcome(series(0)))]
    rows = list(elements(by_id(parsed(page(report_json(tmp_path, given), {})), "in"), "tr"))
    assert [text(row[0]) for row in rows] == ["Collection", "some_collection", "not known"]


def test_one_series_is_not_told_as_a_statistic(tmp_path: Path) -> None:
    part = text(by_id(parsed(page(report_json(tmp_path, [(series(0), outcome(series(0)))]), {})), "time"))
    assert "All are CT." in part
    assert "6.0 MB each." in part


def test_plots_are_drawn_and_told_as_tables(tree: Element) -> None:
    figures = list(elements(by_id(tree, "time"), "figure"))
    titles = [text(next(elements(figure, "h3"))) for figure in figures]
    assert titles == ["Throughput over time", "Series by modality", "Sizes of series", "Waiting by step"]
    cells = [[text(cell) for cell in elements(figure, "th", "td")] for figure in figures]
    assert cells[0] == [
        "until",
        "IDC, MB/s",
        "NBIA, MB/s",
        "2.0 s",
        "2.5",
        "0.0",
        "4.0 s",
        "0.0",
        "0.5",
        "6.0 s",
        "3.5",
        "0.0",
    ]
    assert cells[1] == ["modality", "series", "CT", "3", "SM", "1", "SR", "1"]
    assert cells[2] == ["size", "series", "< 10 MB", "5"]
    assert cells[3][5:10] == ["fetch", "3", "6.0 s", "2.0 s", "4.0 s"]
    bars = [sum(element.tag.endswith("rect") for element in figure.iter()) for figure in figures]
    assert all(count > len(list(elements(figure, "tr"))) - 1 for count, figure in zip(bars, figures, strict=True))


def test_a_run_that_was_stopped_says_so_and_one_without_series_is_a_page(tmp_path: Path) -> None:
    stopped = parsed(page(report_json(tmp_path, [(series(1), outcome(series(1), State.FAILED))], Stopped()), {}))
    (header,) = elements(stopped, "header")
    assert "The run ended early: stopped on request." in text(header)
    assert header.get("class") == "bad"
    empty = parsed(page(report_json(tmp_path, []), {}))
    assert "No session was made." in text(by_id(empty, "sessions"))


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'onmouseover='alert(1)",
    "</style></title><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "\x00\x1b[31m\u202e",
)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_foreign_text_stays_text(tmp_path: Path, hostile: str) -> None:
    of = series(
        1,
        series_description=hostile,
        patient_id=hostile,
        modality=hostile,
        collection_id=hostile,
        study_description=hostile,
        licence=hostile,
        source_doi=hostile,
        study_date=hostile,
        study_instance_uid=hostile,
    )
    other = series(2, series_description=hostile, modality=hostile)
    ended = [
        (of, outcome(of)),
        (other, outcome(other, State.FAILED, reason=hostile, hint=hostile, kind="SourceError")),
    ]
    made = "".join(page(report_json(tmp_path, ended), {}))
    if "\x00" in hostile:  # no HTML may hold it, and none does
        assert "\x00" not in made
        return
    tree = parsed(made)
    assert len(list(elements(tree, "script"))) == 1
    assert not [name for name, _ in attributes(tree) if name.startswith("on")]
    assert not list(elements(tree, "img"))
    assert text(by_id(tree, "sessions")).count(" ".join(hostile.split())) >= 2
    links = [value for name, value in attributes(tree) if name == "href"]
    assert all(link.startswith(("https://", "#")) for link in links)
    assert not any(character in link for link in links for character in "<>\"' ")


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_every_colour_of_text_is_seen_on_every_ground(tree: Element) -> None:
    (style,) = elements(tree, "style")
    themes = re.findall(r":root \{([^}]*)\}", style.text or "")
    assert len(themes) == 3  # light, dark, print
    for theme in themes:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", theme))
        for ground in ("paper", "card", "tile"):
            for name in ("ink", "soft", "link", "good", "mixed", "bad"):
                pair = sorted((luminance(colours[ground]), luminance(colours[name])))
                if ground != "tile" or name == "soft":
                    assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, (ground, name)
        for plot in ("plot-0", "plot-1", "plot-2"):  # graphics need 3
            pair = sorted((luminance(colours["card"]), luminance(colours[plot])))
            assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 3, plot


@pytest.mark.parametrize("host", ["javascript:alert(1)///", "data:text/html,x", "//evil.example.org"])
def test_only_web_addresses_become_links(tmp_path: Path, host: str) -> None:
    content = report_json(tmp_path, [(series(0), outcome(series(0))), (series(1), outcome(series(1), State.HELD))])
    found = [value for name, value in attributes(parsed(page(content | {"host": host}, {}))) if name == "href"]
    assert all(value.startswith(("#", "https://")) for value in found)
