"""The plots of report.html as inline SVG, which take their colours from the page, and the tables of what they show."""

import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pygal
from markupsafe import Markup
from pygal.style import Style

from tcia_xnat.core.events import Step
from tcia_xnat.core.model import SourceName, State
from tcia_xnat.progress import size
from tcia_xnat.report.figures import duration

# pygal looks for plugins in every import that follows, by a way that Python 3.11 warns of.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != pygal.__name__]

Cells = tuple[str, ...]

_WIDTH, _HEIGHT, _BAR_HEIGHT = 440, 220, 30
_ROOM = 1.2  # longest bar and its label
_LETTERS = 15  # pixels, as phones have them: there must be room
_LINES = 6  # at the most, on the axis of rates
_BARS = 60  # over time, at the most
_MODALITIES = 12  # and one more for all others
_SIZES = (
    (1e5, "< 100 kB"),
    (1e6, "< 1 MB"),
    (1e7, "< 10 MB"),
    (1e8, "< 100 MB"),
    (1e9, "< 1 GB"),
    (1e10, "< 10 GB"),
    (math.inf, "≥ 10 GB"),
)
_STEPS = {
    Step.FETCH: "fetch",
    Step.CHECK: "check",
    Step.IMPORT: "import",
    Step.SESSION: "session: build, archive",
    Step.PAUSE: "pauses between tries",
}
_MEGA = 1e6
_INVISIBLE = re.compile(r"<defs>.*?</defs>|<defs ?/>|<!--.*?-->|<title>.*?</title>|<desc.*?</desc>", re.DOTALL)
_IDENTITY = re.compile(r' id="[^"]*"| xmlns:xlink="[^"]*"')


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot, what it says in a sentence, and its numbers for those who cannot see it."""

    title: str
    says: str
    svg: Markup
    columns: Cells
    rows: tuple[Cells, ...]


def charts(rows: Iterable[Mapping[str, Any]], timeline: Mapping[str, Any]) -> tuple[Chart, ...]:
    """Return the plots of a report; those that have nothing to show are left out.

    Parameters
    ----------
    rows, timeline
        Of report.json.
    """
    is_in = [row for row in rows if State(row["state"]).is_in]
    made = (
        _throughput(timeline["bytes"], timeline["bin_seconds"]),
        _modalities(Counter(row["Modality"] or "?" for row in is_in)),
        _sizes([row["bytes"] for row in is_in]),
        _steps(timeline["steps"]),
    )
    return tuple(chart for chart in made if chart)


def _throughput(arrived: Mapping[str, Sequence[int]], bin_seconds: int) -> Chart | None:
    total = sum(map(sum, arrived.values()))
    if not total:
        return None
    joined = -(-max(map(len, arrived.values())) // _BARS)
    seconds = joined * bin_seconds
    rates = {
        SourceName(source).told: [count / seconds / _MEGA for count in _joined(counts, joined)]
        for source, counts in arrived.items()
    }
    count = max(map(len, rates.values()))
    ends = [duration((number + 1) * seconds) for number in range(count)]
    plot = pygal.StackedBar(
        **_common(), x_labels_major_every=max(1, -(-count // 5)), show_minor_x_labels=False, max_scale=_LINES
    )
    plot.x_labels = ends
    for source, values in rates.items():
        plot.add(source, values)
    return Chart(
        "Throughput over time",
        f"{size(total)} arrived; MB per second, by source.",
        _svg(plot),
        ("until", *(f"{source}, MB/s" for source in rates)),
        tuple(zip(ends, *(map("{:.1f}".format, _filled(values, count)) for values in rates.values()), strict=True)),
    )


def _modalities(counts: Mapping[str, int]) -> Chart | None:
    if not counts:
        return None
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = dict(ordered[:_MODALITIES])
    if rest := sum(count for _, count in ordered[_MODALITIES:]):
        shown["others"] = rest
    return Chart(
        "Series by modality",
        f"All are {ordered[0][0]}." if len(ordered) == 1 else f"{ordered[0][0]} is the most frequent.",
        _bars(shown, "{:,.0f}".format),
        ("modality", "series"),
        tuple((name, f"{count:,}") for name, count in ordered),
    )


def _sizes(sizes: Sequence[int]) -> Chart | None:
    if not sizes:
        return None
    counts = Counter(next(name for below, name in _SIZES if count < below) for count in sizes)
    names = [name for _, name in _SIZES]
    used = [number for number, name in enumerate(names) if counts[name]]
    shown = {name: counts[name] for name in names[used[0] : used[-1] + 1]}
    return Chart(
        "Sizes of series",
        _span(sizes),
        _bars(shown, "{:,.0f}".format),
        ("size", "series"),
        tuple((name, f"{count:,}") for name, count in shown.items()),
    )


def _span(sizes: Sequence[int]) -> str:
    least, most = size(min(sizes)), size(max(sizes))
    if least == most:
        return f"{least} each."
    return f"From {least} to {most}, {size(sum(sizes) / len(sizes))} on average."


def _steps(steps: Mapping[str, Mapping[str, float]]) -> Chart | None:
    shown = {_STEPS[Step(name)]: spent for name, spent in steps.items() if spent["count"]}
    if not shown:
        return None
    total = sum(spent["seconds"] for spent in shown.values())
    longest = max(shown, key=lambda name: shown[name]["seconds"])
    share = 100 * shown[longest]["seconds"] / total if total else 0
    return Chart(
        "Waiting by step",
        f"{share:.0f} % of the time of all lanes: {longest}.",
        _bars({name: spent["seconds"] for name, spent in shown.items()}, duration),
        ("step", "times", "in all", "mean", "longest"),
        tuple(
            (
                name,
                f"{spent['count']:,.0f}",
                duration(spent["seconds"]),
                duration(spent["seconds"] / spent["count"]),
                duration(spent["longest"]),
            )
            for name, spent in shown.items()
        ),
    )


def _joined(counts: Sequence[int], every: int) -> list[int]:
    return [sum(counts[start : start + every]) for start in range(0, len(counts), every)]


def _filled(values: Sequence[float], count: int) -> list[float]:
    return [*values, *[0.0] * (count - len(values))]


def _bars(values: Mapping[str, float], shown: Callable[[float], str]) -> Markup:
    plot = pygal.HorizontalBar(
        **_common() | {"height": 40 + _BAR_HEIGHT * len(values)},
        range=(0, _ROOM * max(values.values())),
        show_legend=False,
        print_values=True,
        print_values_position="top",
        show_x_guides=False,
        show_x_labels=False,
        value_formatter=shown,
    )
    plot.x_labels = list(values)[::-1]  # the first is at the bottom
    plot.add("", list(values.values())[::-1])
    return _svg(plot)


def _common() -> dict[str, Any]:
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "js": (),
        "css": (),
        "disable_xml_declaration": True,
        "legend_at_bottom": True,
        "margin": 8,
        "truncate_label": -1,
        "style": Style(
            label_font_size=_LETTERS,
            major_label_font_size=_LETTERS,
            legend_font_size=_LETTERS,
            value_font_size=_LETTERS,
            font_family="sans-serif",
        ),
    }


def _svg(plot: pygal.Graph) -> Markup:
    """Return the drawing alone: styles are the page's, there is no script, and readers are given the table."""
    drawn = _IDENTITY.sub("", _INVISIBLE.sub("", plot.render(is_unicode=True)))
    return Markup(drawn.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1))  # noqa: S704  pygal escapes
