"""One frame of the live view, drawn from where a run stands: pure, and cheap enough for a few a second."""

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from tcia_xnat.console.sanitize import one_line
from tcia_xnat.core.model import Series
from tcia_xnat.progress.standing import LaneView, Standing
from tcia_xnat.progress.words import duration, size

_NARROW, _WIDE = 60, 120  # columns
_BAR = 30  # cells of a lane's own bar, at the most: names need the room more
_RETRY_SECONDS = 15.0  # that a retry stays in view
_AROUND = 5  # lines that are no lanes, and one that the terminal needs
_STEPS = {"build": "building", "archive": "archiving", "confirm": "confirming"}


def frame(standing: Standing, width: int, height: int, now: float) -> Text:
    """Return what the terminal shows now, in at most `height` lines of at most `width` cells."""
    if standing.series_count is None:
        lines = [Text(fit(f"planning … {duration(now - standing.started)}", width))]
    else:
        lines = [_counts(standing, width), _bar(standing, width, now), *_lanes(standing, width, height, now)]
    lines += [line for line in (_sessions(standing, width), _retry(standing, width, now)) if line]
    return Text("\n").join(lines)


def fit(text: str, width: int) -> str:
    """Return a text of strangers in exactly `width` cells, its end left out where it is longer."""
    shown = one_line(text)
    if cell_len(shown) > width:
        shown = set_cell_size(shown, max(width - 1, 0)) + "…"
    return set_cell_size(shown, width)


def fit_end(text: str, width: int) -> str:
    """Return a text in exactly `width` cells, its beginning left out where it is longer: UIDs differ at their end."""
    shown = one_line(text)
    return fit(shown if cell_len(shown) <= width else f"…{shown[-(width - 1) :]}", width)


def _counts(standing: Standing, width: int) -> Text:
    sessions = "session" if standing.archived_count == 1 else "sessions"
    series = f"{standing.done_count} of {standing.series_count}"
    parts = [Text(series if width < _NARROW else f"{series} series", "bold")]
    if standing.archived_count:
        parts.append(Text(f"{standing.archived_count} {'' if width < _NARROW else f'{sessions} '}archived"))
    if standing.failed_count:
        parts.append(Text(f"{standing.failed_count} failed", "bold red"))
    return _cut(Text(" · ").join(parts), width)


def _bar(standing: Standing, width: int, now: float) -> Text:
    done, total = standing.moved_bytes, standing.byte_count
    share = (done + standing.lost_bytes) / total if total else 1.0
    words = [f"{int(100 * share):>3} %", f"{_time(standing, now):<12}"]
    if width >= _NARROW:
        words[1:1] = [f"{size(done):>8} of {size(total)}", f"{size(standing.rate(now)):>8}/s"]
    told = "  ".join(words)
    room = max(width - cell_len(told) - 2, 0)
    full = min(int(room * share), room)
    return _cut(Text.assemble(("━" * full, "green"), ("─" * (room - full), "dim"), "  ", told), width)


def _time(standing: Standing, now: float) -> str:
    if standing.ended:
        return f"in {duration(now - standing.started)}"
    left = standing.seconds_left(now)
    return f"{duration(left)} left" if left else ""


def _lanes(standing: Standing, width: int, height: int, now: float) -> list[Text]:
    room = max(height - _AROUND, 1)
    lanes = standing.busy
    shown = lanes if len(lanes) <= room else lanes[: room - 1]
    lines = [_lane(lane, width, now) for lane in shown]
    more = len(lanes) - len(shown)
    return [*lines, *([Text(fit(f"  … and {more} more", width), "dim")] if more else [])]


def _lane(lane: LaneView, width: int, now: float) -> Text:
    """Return the line of a lane: patient, description, modality, step, bytes."""
    series, step = lane.series, _step(lane)
    if width < _NARROW:
        share = f"{_share(lane):>3} %" if lane.step == "fetch" else duration(now - lane.since)
        told = f" {fit(series.modality, 3)} {step:<9} {share:>5}"
        return _cut(Text.assemble(" ", fit(series.patient_id, max(width - cell_len(told) - 1, 1)), told), width)
    told = f" {fit(series.modality, 3)} {step:<9}  {_bytes(lane, now):<20}"
    if width < _WIDE:
        room = width - cell_len(told) - 3
        patient = min(room * 2 // 5, 20)
        names = f"{fit(series.patient_id, patient)} {_described(series, room - patient)}"
        return _cut(Text(f"  {names}{told}"), width)
    names = f"{fit(series.patient_id, 24)} {fit(lane.label.session, 24)}"
    room = max(width - cell_len(names) - cell_len(told) - 4, 0)
    bar = min(room // 3, _BAR)
    full = bar * _share(lane) // 100
    names = f"{names} {_described(series, room - bar)}"
    return _cut(Text.assemble(f"  {names}{told} ", ("━" * full, "green"), ("─" * (bar - full), "dim")), width)


def _described(series: Series, width: int) -> str:
    described = series.series_description
    return fit(described, width) if described else fit_end(series.series_instance_uid, width)


def _step(lane: LaneView) -> str:
    return f"from {lane.source.told}" if lane.step == "fetch" else "storing"


def _bytes(lane: LaneView, now: float) -> str:
    if lane.step != "fetch":
        return f"{size(lane.series.byte_count)}, {duration(now - lane.since)}"
    return f"{size(lane.arrived)} of {size(lane.series.byte_count)}"


def _share(lane: LaneView) -> int:
    if lane.step != "fetch":
        return 100
    return min(100 * lane.arrived // lane.series.byte_count, 100) if lane.series.byte_count else 0


def _sessions(standing: Standing, width: int) -> Text | None:
    if not standing.sessions:
        return None
    told = ", ".join(f"{_STEPS.get(step, step)} {label.session}" for label, step in standing.sessions.items())
    return Text(fit(told, width), "cyan")


def _retry(standing: Standing, width: int, now: float) -> Text | None:
    if standing.ended or standing.retry is None:
        return None
    if now - standing.retry[0] > max(_RETRY_SECONDS, standing.retry[1].delay):
        return None
    event = standing.retry[1]
    return Text(fit(f"again in {event.delay:.1f} s: {event.error}", width), "yellow")


def _cut(line: Text, width: int) -> Text:
    line.truncate(width)
    return line
