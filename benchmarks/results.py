"""The table of a benchmark: on a terminal while it runs, and as RESULTS.md with its plot."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.cases import GIGABYTE, MEGABYTE, Row
from tcia_xnat import __version__

_HEAD = (
    "case",
    "who",
    "wall s",
    "times the limit",
    "MB/s",
    "CPU s per GB",
    "CPU ms per series",
    "memory MB",
    "disk MB",
)
_PACKAGES = ("xnat", "requests", "urllib3", "pydicom", "duckdb", "isal")


def line(row: Row, limits: Mapping[str, float]) -> tuple[str, ...]:
    """Return the cells of a row; `limits` are the medians of curl by case and source, in seconds."""
    wall, cpu = row.median(lambda cost: cost.wall), row.median(lambda cost: cost.cpu)
    least, most = min(cost.wall for cost in row.costs), max(cost.wall for cost in row.costs)
    limit = limits.get(_of(row))
    return (
        row.case,
        row.who,
        f"{wall:.1f} ({least:.1f} to {most:.1f})" if len(row.costs) > 1 else f"{wall:.1f}",
        f"{wall / limit:.2f}" if limit else "",
        f"{row.byte_count / MEGABYTE / wall:.0f}" if row.byte_count else "",
        f"{cpu / (row.byte_count / GIGABYTE):.2f}" if row.byte_count else f"{cpu:.1f} in all",
        f"{1000 * cpu / row.series_count:.1f}",
        f"{max(cost.memory for cost in row.costs) / MEGABYTE:.0f}",
        f"{max(cost.disk for cost in row.costs) / MEGABYTE:.0f}" if row.byte_count else "",
    )


def limits(rows: Sequence[Row]) -> dict[str, float]:
    """Return the seconds of curl, by case and source; the plain script is measured against NBIA's."""
    return {_of(row): row.median(lambda cost: cost.wall) for row in rows if row.who.startswith("curl")}


def _of(row: Row) -> str:
    return f"{row.case} {'idc' if 'idc' in row.who else 'nbia'}"


def write(rows: Sequence[Row], command: str, path: Path) -> None:
    """Write RESULTS.md and the plot beside it; what is said below its marker is kept."""
    marker = "## What the figures say\n"
    before = path.read_text() if path.exists() else ""
    kept = before[before.index(marker) :] if marker in before else marker
    path.write_text("\n".join([*_page(rows, command), kept]))
    plot(rows, path.with_suffix(".svg"))


def _page(rows: Sequence[Row], command: str) -> Iterator[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield "# Benchmarks\n"
    yield f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, xnat-tcia-download {__version__}, {_processor()}."
    yield f"Python {platform.python_version()}, {packages}.\n"
    yield "The servers run on the same machine and take their part of it: only ratios tell. Each figure is the"
    yield "median of all runs, with minimum and maximum; the limit is curl, from the same source in the same run."
    yield "CPU, memory and disk are those of the process alone.\n"
    known = limits(rows)
    for cells in (_HEAD, ("---",) * len(_HEAD), *(line(row, known) for row in rows)):
        yield f"| {' | '.join(cells)} |"
    yield "\n![Seconds of each, by case](RESULTS.svg)\n"


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text()
    names = [row.partition(":")[2].strip() for row in text.splitlines() if row.startswith("model name")]
    return f"{len(names)} cores of {names[0]}"


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draw wall time per case and contestant."""
    from matplotlib import pyplot as plt  # noqa: PLC0415  the table does not need it

    cases = list(dict.fromkeys(row.case for row in rows if row.byte_count))
    figure, axes = plt.subplots(len(cases), 1, figsize=(9, 2 + 2 * len(cases)), squeeze=False)
    for case, (area,) in zip(cases, axes, strict=True):
        shown = [row for row in rows if row.case == case][::-1]
        colours = ["#1f6f8b" if row.who.startswith("ours") else "#9aa5ab" for row in shown]
        area.barh([row.who for row in shown], [row.median(lambda cost: cost.wall) for row in shown], color=colours)
        area.set_title(case, loc="left", fontsize=10)
        area.set_xlabel("seconds", fontsize=8)
        area.tick_params(labelsize=8)
        area.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
