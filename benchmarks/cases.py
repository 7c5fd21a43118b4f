"""What is measured: each case yields rows of one table; figures of one table were taken in turn, in one run."""

import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import contestants, planning
from benchmarks.contestants import Chosen
from benchmarks.measure import Cost
from benchmarks.world import World, over_wires, world
from tcia_xnat.progress import counted

MEGABYTE, GIGABYTE = 1e6, 1e9
_HEADER = 4096  # bytes of a file of the sandbox that are no pixels
_PIXELS, _IMAGES = 1024, 24  # a series of 50 MB
_WIRE = 10 * MEGABYTE, 0.05  # of each connection: bytes a second, seconds
_LANES = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: who, on how many bytes and series, and what each run cost."""

    case: str
    who: str
    byte_count: int
    series_count: int
    costs: tuple[Cost, ...]

    def median(self, what: Callable[[Cost], float]) -> float:
        """Return the middle of all runs."""
        return statistics.median(map(what, self.costs))


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is moved: everything as asked for, or a tenth for a quick look."""

    runs: int
    series: int
    mixed_series: int
    small_series: int
    large_images: int
    many_images: int
    plan: Sequence[int]


WHOLE = Scale(3, 20, 80, small_series=5000, large_images=120, many_images=20_000, plan=(20_000, 1_000_000))
QUICK = Scale(1, 8, 20, small_series=200, large_images=12, many_images=2000, plan=(20_000,))

Contestant = Callable[[World, Chosen, str], Cost]


def uncapped(scale: Scale) -> Iterator[Row]:
    """Measure the limit by curl, ours with 1 to 8 lanes, and a plain script: nothing but this machine in the way."""
    with _series_of_50_megabytes() as there:
        chosen = _chosen(there, scale.series)
        _warm(there, chosen)
        everybody = _everybody(_LANES) | {"plain script": contestants.plain}
        yield from _in_turn("uncapped", there, chosen, _PIXELS, everybody, scale.runs)


def capped(scale: Scale) -> Iterator[Row]:
    """Measure the same where each connection has 10 MB/s and 50 ms each way, so that lanes matter."""
    with _series_of_50_megabytes() as there, over_wires(there, *_WIRE) as far:
        chosen = _chosen(there, scale.series)
        _warm(there, chosen)
        everybody = _everybody((8,)) | {"plain script": contestants.plain}
        yield from _in_turn("10 MB/s, 50 ms", far, chosen, _PIXELS, everybody, (scale.runs + 1) // 2)


def mixed(scale: Scale) -> Iterator[Row]:
    """Measure series of many sizes over such wires: while XNAT takes small ones, the next are fetched."""
    pixels, cohort = 384, ("--collection", "cmb_crc", "--collection", "cmb_lca")
    with world("--pixels", str(pixels), "--max-instances", "300", "--incompressible", *cohort) as there:
        chosen = there.select("Modality IN ('CT', 'MR') AND instanceCount <= 300", scale.mixed_series)
        _warm(there, chosen)
        with over_wires(there, *_WIRE) as far:
            yield from _in_turn("all sizes, 10 MB/s, 50 ms", far, chosen, pixels, _everybody((8,)), 1)


def small(scale: Scale) -> Iterator[Row]:
    """Measure many series of one image of 10 KB."""
    with world("--pixels", "54", "--max-instances", "1", "--incompressible", "--collection", "nlst") as there:
        chosen = there.select("Modality = 'CT'", scale.small_series)
        size = len(chosen) * _file_bytes(54)
        yield from _once("small series", there, chosen, size)
        yield _row("small series", "ours, idc, 4 lanes, no pictures", there, chosen, size, "idc", "--thumbnails", "off")


def large(scale: Scale) -> Iterator[Row]:
    """Measure one series of 4 GB, and one of 20,000 images."""
    with world("--pixels", "4096", "--max-instances", str(scale.large_images), "--incompressible") as there:
        chosen = there.select(f"instanceCount = {scale.large_images} AND Modality = 'CT'", 1)
        size = scale.large_images * _file_bytes(4096)
        yield from _once(f"one series of {size / GIGABYTE:.1f} GB", there, chosen, size)
    with world("--pixels", "54", "--max-instances", str(scale.many_images), "--incompressible") as there:
        chosen = there.select(f"instanceCount = {scale.many_images}", 1)
        size = scale.many_images * _file_bytes(54)
        yield from _once(f"one series of {scale.many_images} images", there, chosen, size)


def plans(scale: Scale) -> Iterator[Row]:
    """Measure dry runs: nothing but the plan, with an XNAT that holds none, half and all of it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for count in scale.plan:
            for who, cost in planning.plans(count, Path(folder)):
                yield Row(f"plan of {count} series", who, 0, count, (cost,))


CASES: dict[str, Callable[[Scale], Iterator[Row]]] = {
    "uncapped": uncapped,
    "small": small,
    "large": large,
    "capped": capped,
    "mixed": mixed,
    "plans": plans,
}


def _series_of_50_megabytes() -> AbstractContextManager[World]:
    cohort = ("--collection", "cmb_crc", "--collection", "cmb_lca")
    return world("--pixels", str(_PIXELS), "--max-instances", str(_IMAGES), "--incompressible", *cohort)


def _chosen(there: World, count: int) -> Chosen:
    return there.select(f"instanceCount = {_IMAGES} AND Modality = 'CT'", count)


def _file_bytes(pixels: int) -> int:
    return _HEADER + 2 * pixels**2


def _everybody(lanes: Sequence[int]) -> dict[str, Contestant]:
    """Return who takes part, by name; the first is the limit of IDC, the second that of NBIA."""
    most = lanes[-1] if len(lanes) == 1 else 4
    found: dict[str, Contestant] = {
        f"curl, idc, {most} at a time": partial(contestants.curl_idc, lanes=most),
        f"curl, nbia, {most} at a time": partial(contestants.curl_nbia, lanes=most),
    }
    return found | {
        f"ours, {source}, {counted(count, 'lane')}": _ours(source, count)
        for source in ("idc", "nbia")
        for count in lanes
    }


def _warm(there: World, chosen: Chosen) -> None:
    """Let the servers make their images, which is not to be measured."""
    contestants.ours(there, chosen, "WARM", "--source", "idc")


def _ours(source: str, lanes: int = 4) -> Contestant:
    return lambda *given: contestants.ours(*given, "--source", source, "--transfers", str(lanes))


def _in_turn(  # noqa: PLR0913, PLR0917  what a case is
    case: str, there: World, chosen: Chosen, pixels: int, who: dict[str, Contestant], runs: int
) -> Iterator[Row]:
    """Let everybody run in turn, so often."""
    project = "".join(filter(str.isalnum, case))
    costs: dict[str, list[Cost]] = {name: [] for name in who}
    for run in range(runs):
        for number, (name, contestant) in enumerate(who.items()):
            costs[name].append(contestant(there, chosen, f"{project}_{run}_{number}"))
    size = sum(one.image_count for one in chosen) * _file_bytes(pixels)
    for name, spent in costs.items():
        yield Row(case, name, size, len(chosen), tuple(spent))


def _once(case: str, there: World, chosen: Chosen, byte_count: int) -> Iterator[Row]:
    """Let ours run once through each source."""
    for source in ("idc", "nbia"):
        yield _row(case, f"ours, {source}, 4 lanes", there, chosen, byte_count, source)


def _row(  # noqa: PLR0913, PLR0917  what a row is
    case: str, who: str, there: World, chosen: Chosen, byte_count: int, source: str, *options: str
) -> Row:
    """Let ours run once."""
    project = "".join(filter(str.isalnum, f"{case}{who}"))
    cost = contestants.ours(there, chosen, project, "--source", source, *options)
    return Row(case, who, byte_count, len(chosen), (cost,))
