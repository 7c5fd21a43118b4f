"""The live view on a terminal: failures go by above, what is on its way stays below."""

import sys
import time
from typing import TextIO

from rich.live import Live
from rich.text import Text

from tcia_xnat.console import terminal
from tcia_xnat.console.sanitize import one_line
from tcia_xnat.core import licenses
from tcia_xnat.core.events import Event, NonCommercial, Noted, NotKept, PassedOver, SeriesSettled
from tcia_xnat.manifest import passed_over
from tcia_xnat.progress.frame import frame
from tcia_xnat.progress.standing import NOT_IN, Standing


class LiveView:
    """Draws where the run stands; all calls come from one thread.

    Parameters
    ----------
    stream
        The terminal; stderr when None.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = terminal.console(stream or sys.stderr, force_terminal=True)
        self._standing = Standing(time.monotonic())
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)
        self._live.start()

    def show(self, event: Event, at: float) -> None:
        """Count an event; a failure is shown at once, with its reason."""
        del at
        for line in _noted(event, self._standing):
            self._console.print(line)
        self._standing.take(event, time.monotonic())

    def tick(self) -> None:
        """Draw the next frame."""
        now = time.monotonic()
        self._standing.sample(now)
        width, height = self._console.size
        self._live.update(frame(self._standing, width - 1, height, now), refresh=True)

    def close(self) -> None:
        """Leave the last frame where it is; none of a run that never came to its plan."""
        self.tick()
        if self._standing.series_count is None:
            self._live.update(Text(""))
        self._live.stop()


def _noted(event: Event, standing: Standing) -> list[Text]:
    """Return what is to stay on the terminal: failures, and what was left out."""
    if isinstance(event, PassedOver):
        read = [Text(one_line(one.text)) for one in event.read]
        return [*read, *(Text(one_line(line), "yellow") for line in passed_over(event.lines))]
    if isinstance(event, NotKept):
        return [Text(one_line(f"{event.name} is not in XNAT: {event.error}"), "yellow")]
    if isinstance(event, Noted):
        return [Text(one_line(f"note: {event.message}"), "yellow")]
    if isinstance(event, NonCommercial):
        return [Text(one_line(f"warning: {licenses.warning(event.licences)}"), "yellow")]
    if not isinstance(event, SeriesSettled) or event.outcome.state not in NOT_IN:
        return []
    outcome = event.outcome
    lane = standing.lanes.get(outcome.series_instance_uid)
    words = [outcome.label.session if outcome.label else ""]
    words += [lane.series.modality, lane.series.series_description] if lane else []
    words += [outcome.series_instance_uid, f"{outcome.state.told}: {outcome.reason}"]
    return [Text(one_line(" ".join(words)), "red")]
