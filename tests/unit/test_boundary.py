"""Whatever exception one series causes, it is the outcome of that series: the next source is asked, the run goes on."""

import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from pydicom.errors import BytesLengthException

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import SeriesDamaged, SpaceError, Stopped
from tcia_xnat.core.executor import Workers
from tcia_xnat.core.model import Label, Outcome, Series, SeriesPackage, SourceName, State
from tcia_xnat.destinations.disk.disk import Incoming
from tcia_xnat.destinations.disk.kept import Kept
from tcia_xnat.destinations.disk.layout import Layout
from tcia_xnat.destinations.disk.licence import Licences
from tcia_xnat.sources import OnBytes, Packages
from tcia_xnat.sources.fetch import Fetcher
from tcia_xnat.staging.spool import Spool
from tcia_xnat.transfer.disk_worker import FolderLane
from tcia_xnat.transfer.worker import Lane, NotSent
from tests.fakes import QUICK, FakeXnat

if TYPE_CHECKING:
    from tcia_xnat.destinations.xnat.turns import Turns

LABEL = Label("PAT", "PAT")
DEFECTS = (
    BytesLengthException("3 bytes"),
    RecursionError("too deep"),
    MemoryError(),
    TypeError("a list"),
    IndexError("empty"),
    OSError(errno.EIO, "input/output error"),
)


class Broken:
    """A source that raises what it was given."""

    def __init__(self, error: BaseException, name: SourceName = SourceName.IDC) -> None:
        self._error, self.name = error, name

    def fetch(self, series: Series, spool: Spool, on_bytes: OnBytes) -> Packages:
        del spool, on_bytes
        if self.name is SourceName.IDC:
            raise self._error
        yield SeriesPackage(series, self.name, ())


def nothing(*_: object) -> None:
    """Neither told nor asked."""


def to_xnat(error: BaseException) -> object:
    turns = cast("Turns", SimpleNamespace(check=nothing))
    lane = Lane(
        FakeXnat().as_project,
        turns,
        {SourceName.IDC: Broken(error)},
        (SourceName.IDC,),
        nothing,
        nothing,
        lambda _uids: {},
    )
    return lane.run(one(), LABEL)


def one() -> Series:
    return Series("1.2.1", "1.2", "PAT", image_count=1, crdc_series_uuid="a")


def to_disk(folder: Path, error: BaseException) -> Outcome:
    fetcher = Fetcher({SourceName.IDC: Broken(error)}, (SourceName.IDC,), nothing, nothing)
    with Kept(folder / "kept.sqlite") as kept, Incoming(folder) as incoming:
        licences = Licences(folder, Layout())
        lane = FolderLane(folder, Layout(), {"1.2.1": "a"}, kept, incoming, licences, fetcher, None, QUICK)
        return lane.run(one(), LABEL)


@pytest.mark.parametrize("error", DEFECTS, ids=lambda error: type(error).__name__)
def test_it_is_the_outcome_of_the_series(error: Exception, tmp_path: Path) -> None:
    sent, stored = to_xnat(error), to_disk(tmp_path, error)
    assert isinstance(sent, NotSent)
    assert type(error).__name__ in str(sent.error)
    assert isinstance(sent.error, SeriesDamaged)
    assert stored.state is State.FAILED
    assert type(error).__name__ in stored.reason


@pytest.mark.parametrize("ends", [to_xnat, None])
@pytest.mark.parametrize(
    ("error", "kind"),
    [(OSError(errno.ENOSPC, "full"), SpaceError), (Stopped(), Stopped), (SpaceError("full"), SpaceError)],
)
def test_what_makes_going_on_pointless_still_ends_the_run(
    error: Exception, kind: type[Exception], ends: Callable[[BaseException], object] | None, tmp_path: Path
) -> None:
    with pytest.raises(kind):
        (ends or partial(to_disk, tmp_path))(error)


def test_the_next_source_is_asked() -> None:
    sources = {name: Broken(RecursionError("deep"), name) for name in (SourceName.IDC, SourceName.NBIA)}
    fetcher = Fetcher(sources, tuple(sources), nothing, nothing)
    with Spool() as spool:
        fetched = fetcher.fetch(one(), LABEL, spool, lambda packages: len(list(packages)))
    assert fetched.source is SourceName.NBIA
    assert "unexpected RecursionError" in fetched.detours[0]


def test_a_defect_of_a_worker_is_a_value_of_the_thread_that_decides() -> None:
    def defect() -> None:
        raise ZeroDivisionError("a defect")

    workers = Workers(Stop())
    with ThreadPoolExecutor(1) as pool:
        workers.hand_out(pool, defect, cast("Callable[[None], None]", nothing))
        workers.decide()
    assert "unexpected ZeroDivisionError" in str(workers.ended_by)
