"""Lines of progress: how far a run is never passes its end."""

from tcia_xnat.core.events import Planned, SeriesImported, SeriesSettled
from tcia_xnat.core.model import Label, Outcome, SourceName, State
from tcia_xnat.progress.lines import Lines
from tests.fakes import series

LABEL = Label("P", "S")


def test_a_series_that_is_sent_again_counts_once_and_one_that_never_moved_not_at_all() -> None:
    written: list[str] = []
    lines = Lines(written.append)
    both = [series(1), series(2)]
    lines(Planned(2, 200, {one.series_instance_uid: 100 for one in both}))
    lines(SeriesSettled(Outcome("9.9", State.FAILED, LABEL, reason="left out")))
    for one in (*both, both[0], both[0]):
        lines(SeriesImported(one, LABEL, SourceName.IDC, 3, 100, 1.0))
    lines(SeriesSettled(Outcome("1.2.1", State.FAILED, LABEL, reason="short")))
    assert [line[:5] for line in written] == ["[0/2]", "[1/2]", "[2/2]", "[2/2]", "[2/2]", "[2/2]"]
