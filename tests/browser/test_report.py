"""report.html in Chromium: nothing is loaded or complained of, everything is seen, at every width and on paper."""

import time
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tcia_xnat.report.files import write
from tests.browser.browser import SCREENSHOTS, Heard
from tests.report.case import outcome, run, series
from tests.report.test_page import HOSTILE

Scheme = Literal["light", "dark"]
WIDTHS = (320, 380, 768, 1280, 2560)


def shot(page: Page, name: str) -> None:
    """Keep a picture of a page for people to look at: build/screenshots."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.add_style_tag(content=".subject { content-visibility: visible }")
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def top(page: Page, where: str) -> float:
    """Return how far from the top of the page an element begins, in pixels."""
    found: float = page.locator(where).first.evaluate("element => element.getBoundingClientRect().top")
    return found


def opened(browser: Browser, path: Path, width: int = 1280, color_scheme: Scheme = "light") -> tuple[Page, Heard]:
    """Open a page and listen."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=color_scheme)
    heard = Heard()
    heard.listen(page)
    page.goto(path.as_uri())
    return page, heard


@pytest.mark.parametrize("scheme", get_args(Scheme))
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_is_silent(browser: Browser, report: Path, width: int, scheme: Scheme) -> None:
    page, heard = opened(browser, report, width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert page.evaluate("document.images.length") == 49
    shot(page, f"report-{width}-{scheme}")
    assert not heard.console
    assert [url for url in heard.requests if not url.startswith("data:")] == [report.as_uri()]
    page.close()


def test_what_is_missing_is_on_the_first_screen(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report)
    assert top(page, "h1") < 150
    assert top(page, "#missing h3") < top(page, "#missing .cause p") < 900
    page.close()


def test_every_text_can_be_read(browser: Browser, report: Path) -> None:
    """What Chromium computes, not what the style sheet says: colours of every text against what is behind it."""
    for scheme in get_args(Scheme):
        page, _ = opened(browser, report, color_scheme=scheme)
        faint = page.evaluate(_CONTRASTS)
        assert not [found for found in faint if found[0] < 4.5], faint[:5]
        page.close()


_CONTRASTS = """() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => numbers(colour).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor, parts = numbers(colour);
      if (parts.length < 4 || parts[3] > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("body *")]
    .filter(element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
    .filter(element => !element.closest("script, style, details:not([open]) > :not(summary)"))
    .map(element => {
      const style = getComputedStyle(element), ink = element.closest("svg") ? style.fill : style.color;
      const pair = [light(ink), light(ground(element))].sort((one, two) => one - two);
      return [(pair[1] + 0.05) / (pair[0] + 0.05), element.outerHTML.slice(0, 120)];
    }).sort((one, two) => one[0] - two[0]);
}"""


def test_it_says_the_same_without_scripts(browser: Browser, report: Path) -> None:
    with_scripts, _ = opened(browser, report)
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(report.as_uri())
    for part in ("header", "#missing", "#in", "#licences table", "#sessions"):
        assert page.locator(part).inner_text() == with_scripts.locator(part).inner_text().replace("\nCopy", "")
    page.locator("summary").first.click()
    assert page.locator("details[open] table, details[open] ul").first.is_visible()
    context.close()
    with_scripts.close()


def test_a_command_is_copied_at_a_click(browser: Browser, report: Path) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(report.as_uri())
    page.locator("#missing button").click()
    page.locator("#missing button", has_text="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#missing pre").inner_text().strip()
    context.close()


def test_it_can_be_printed(browser: Browser, report: Path) -> None:
    page, heard = opened(browser, report, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".subject").last.evaluate("part => part.getBoundingClientRect().height") > 50
    assert not page.locator("nav").is_visible()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    printed = page.pdf(path=SCREENSHOTS / "report.pdf", format="A4")
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Subtype /Image") >= 49
    assert not heard.console
    page.close()


def test_paper_says_that_there_are_more(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report)
    page.emulate_media(media="print")
    assert page.locator(".cause summary").first.is_visible()
    assert not page.locator(".chart summary").first.is_visible()
    page.close()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_labels_of_plots_are_large_enough_and_whole(browser: Browser, tmp_path: Path, width: int) -> None:
    made = [series(n, modality=name) for n, name in enumerate(["RTSTRUCT", "RTDOSE", "PRESENTATION", "CT"])]
    write(run(tmp_path, [(one, outcome(one)) for one in made]))
    page, _ = opened(browser, tmp_path / "out/report/report.html", width)
    pixels, outside = page.evaluate(_LABELS)
    assert pixels >= (8 if width == 320 else 10)
    assert not outside
    page.close()


_LABELS = """() => {
  const texts = [...document.querySelectorAll(".chart svg text")].filter(text => text.textContent.trim());
  const places = texts.map(text => [text, text.getBoundingClientRect(), text.closest("svg").getBoundingClientRect()]);
  const letters = places.map(([text, , whole]) =>
    parseFloat(getComputedStyle(text).fontSize) * whole.width / text.closest("svg").viewBox.baseVal.width);
  const outside = places.filter(([, own, whole]) => own.left < whole.left - 1 || own.right > whole.right + 1);
  return [Math.min(...letters), outside.map(([text]) => text.textContent)];
}"""


def test_foreign_text_does_nothing(browser: Browser, tmp_path: Path) -> None:
    made = [series(n, series_description=text, modality=text) for n, text in enumerate(HOSTILE)]
    write(run(tmp_path, [(one, outcome(one, reason=text)) for one, text in zip(made, HOSTILE, strict=True)]))
    page, heard = opened(browser, tmp_path / "out/report/report.html")
    page.mouse.move(300, 400)
    assert not heard.dialogs
    assert not heard.console
    assert len(heard.requests) == 1
    assert page.locator("#sessions").get_by_text(HOSTILE[0], exact=True).count() >= 1
    page.close()


def test_ten_thousand_series_open_in_three_seconds(browser: Browser, tmp_path: Path) -> None:
    pictures = tmp_path / "out" / "state" / "pictures"
    pictures.mkdir(parents=True)
    made = [series(number) for number in range(10_000)]
    noise = np.random.default_rng(1).integers(0, 256, (len(made), 800), np.uint8)
    for one, data in zip(made, noise, strict=True):
        (pictures / f"{one.series_instance_uid}.webp").write_bytes(data.tobytes())
    write(run(tmp_path, [(one, outcome(one)) for one in made]))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    begun = time.monotonic()
    page.goto((tmp_path / "out/report/report.html").as_uri(), wait_until="load")
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    seconds = time.monotonic() - begun
    page.locator(".subject").last.scroll_into_view_if_needed(timeout=3000)
    assert page.locator(".sheet li").last.is_visible()
    page.close()
    assert seconds < 3, f"it took {seconds:.1f} s"
