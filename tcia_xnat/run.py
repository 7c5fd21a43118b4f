"""What every run against XNAT does, wherever its series come from, step by step (design: the way of a series)."""

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tcia_xnat import licences
from tcia_xnat import plan as plans
from tcia_xnat.catalogue import Catalogue
from tcia_xnat.core.run_lock import RunLock, is_alive, is_over
from tcia_xnat.destinations.xnat.files import ProjectFiles
from tcia_xnat.destinations.xnat.turns import Turns
from tcia_xnat.errors import Error, SpaceError, Stopped, UsageError, XnatUnreachable
from tcia_xnat.events import Event, NonCommercial, Noted, NotKept, Planned, Retrying, Tell
from tcia_xnat.holdings import look
from tcia_xnat.lane import Lane
from tcia_xnat.ledger import Ledger
from tcia_xnat.manifest import Manifest
from tcia_xnat.model import Label, Outcome, SourceName
from tcia_xnat.pictures import painter
from tcia_xnat.plan import Plan
from tcia_xnat.planning.held import Held
from tcia_xnat.planning.identity import identify
from tcia_xnat.retry import Patience, RetryPolicy
from tcia_xnat.room import Room
from tcia_xnat.session import Listed
from tcia_xnat.settings import Login, Settings
from tcia_xnat.sources import Source
from tcia_xnat.stop import Stop
from tcia_xnat.timeline import Measured
from tcia_xnat.transfer import TransferResult, transfer
from tcia_xnat.xnat.connection import XnatConnection
from tcia_xnat.xnat.login import ANSWER_SECONDS
from tcia_xnat.xnat.opening import OpenProject, open_project
from tcia_xnat.xnat.project import XnatProject
from tcia_xnat.xnat.workflow import WorkflowProgress

if TYPE_CHECKING:
    from tcia_xnat.jobs.record import RunRecord

_QUIET_SECONDS = 300.0  # nothing comes to the session of a run for as long: it is dead
_HURRIED_SECONDS = 1.0  # a stopped run has few left


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that a run keeps in its project."""

    resource: str
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked for, and where it comes from: all that differs between runs.

    Attributes
    ----------
    asked
        Kept in the project before anything else: the proof that this user may write there.
    labelled
        Makes of the labels by SeriesInstanceUID what is kept when they are known.
    sources
        Where series come from, the one that is tried first first.
    listed
        The numbers of images of series that were not asked for, as far as they are known.
    room
        What all spools may take of their disk.
    report
        Writes what else belongs into the folder of the report.
    """

    manifest: Manifest
    catalogue: Catalogue
    asked: Sequence[Kept]
    labelled: Callable[[Mapping[str, Label]], Kept]
    sources: Mapping[SourceName, Source]
    listed: Listed
    room: Room
    report: Callable[[Path], Iterable[Path]] = lambda _folder: ()


WorkOf = Callable[[Patience], AbstractContextManager[Work]]
"""Looks up what is asked for; the sources are open inside of the `with` block."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known before the first byte moves."""

    manifest: Manifest
    catalogue: Catalogue
    labels: Mapping[str, Label]
    plan: Plan
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """What a run was to do and did, for the report.

    `host` is the address of XNAT, if it was one; `unwritten` is the error that kept the report from being written.
    """

    job: Settings
    prepared: Prepared
    result: TransferResult
    started: datetime
    ended: datetime
    host: str = ""
    measured: Measured = field(default_factory=Measured)
    unwritten: Error | None = None


def dry_run(settings: Settings, work_of: WorkOf, login: Login | None, stop: Stop) -> Prepared:
    """Plan without changing anything; without a login, as if XNAT held nothing."""
    patience = patience_of(settings, stop)
    with work_of(patience) as work:
        if login is None:
            return prepare(settings, work.manifest, work.catalogue, Held())
        with connection_of(settings, login, patience) as connection:
            opened = _open(connection, settings)
            asked = asked_part(settings, work.catalogue)
            expected = plans.expected_labels(work.catalogue, settings.templates)
            held = (
                look(opened.project, work.catalogue, asked, (), may_refresh=False, expected=expected)
                if opened.is_there
                else Held()
            )
        prepared = prepare(settings, work.manifest, work.catalogue, held)
        return replace(prepared, notes=(*opened.plan_notes(), *prepared.notes))


def run(  # noqa: PLR0913, PLR0917  what a run needs, each once
    record: "RunRecord",
    work_of: WorkOf,
    login: Login,
    stop: Stop,
    tell: Tell,
    report: Callable[[Run], Iterable[Path]],
) -> Run:
    """Bring series into the project.

    Parameters
    ----------
    record
        Is kept as the run goes on, see `tcia_xnat.jobs.record.recorded`, which is what jobs call.
    stop
        The wish to end early.
    tell
        Told what happens.
    report
        Writes the report; the files that it returns are kept in the project, too.

    Raises
    ------
    Error
        What keeps the run from starting; what ends it early is in the result.
    """
    from tcia_xnat.jobs.record import with_report  # noqa: PLC0415  it knows what a run is

    settings = record.job
    patience = patience_of(settings, stop, tell)
    with (
        connection_of(settings, login, patience) as connection,
        _progress(settings, connection, tell) as tell_all,
        nullcontext(_open(connection, settings)) as opened,
        _ledger(settings, login, opened.project.project, tell) as ledger,
        work_of(patience) as work,
        ExitStack() as stack,
    ):
        record.manifest, record.catalogue = work.manifest, work.catalogue
        project = opened.project
        record.job = settings = settings.of_project(project.project)
        stop.check()
        kept = _claim(opened, settings, work.asked, tell_all)
        alive = stack.enter_context(_alive(settings, project))
        held = look(
            project,
            work.catalogue,
            asked_part(settings, work.catalogue),
            ledger.imported(),
            is_alive=alive,
            is_over=partial(is_over, settings.state_dir / "runs"),
            expected=plans.expected_labels(work.catalogue, settings.templates),
            archived_before=ledger.sessions(),
        )
        stop.check()
        prepared = record.prepared = _prepared(kept, settings, work, held)
        announce(prepared, tell_all)
        turns = Turns(project.prearchive, held.left, min(settings.max_outage, _QUIET_SECONDS))
        with _lane(settings, work, prepared, project, turns, tell_all, stop) as lane:
            record.is_moving = True
            record.result = transfer(
                prepared.plan,
                lane,
                ledger,
                tell_all,
                stop,
                transfers=settings.transfers,
                archive=settings.archive,
                accept_rejected=settings.accept_rejected,
            )
        done, files = with_report(record.run(), report, lambda _run: work.report(settings.report_dir))
        record.reported = done
        _keep_report(kept, done, files, tell)
    return done


def _prepared(files: ProjectFiles, settings: Settings, work: Work, held: Held) -> Prepared:
    """Plan beside what is there; the labels are kept in the project."""
    prepared = prepare(settings, work.manifest, work.catalogue, held)
    _make_room(settings, work, prepared.plan)
    _keep(files, work.labelled(prepared.labels))
    return prepared


def _ledger(settings: Settings, login: Login, project: str, tell: Tell) -> Ledger:
    return Ledger(settings.state_dir / "ledger.sqlite", login.host, project, lambda text: tell(Noted(text)))


@contextmanager
def _alive(settings: Settings, project: XnatProject) -> Iterator[Callable[[str], bool]]:
    """Say that this run is alive to others of its output folder; yield whether another, named by its mark, is."""
    folder = settings.state_dir / "runs"
    with RunLock(folder, project.prearchive.mark):
        yield partial(is_alive, folder)


@contextmanager
def _lane(  # noqa: PLR0913, PLR0917  what all lanes share
    settings: Settings, work: Work, prepared: Prepared, project: XnatProject, turns: Turns, tell: Tell, stop: Stop
) -> Iterator[Lane]:
    uploads = threading.BoundedSemaphore(settings.uploads or settings.transfers)
    with painter(settings.pictures_dir, settings.thumbnails, len(prepared.plan.send)) as depict:
        yield Lane(
            project,
            turns,
            work.sources,
            tuple(work.sources),
            tell,
            stop.check,
            work.listed,
            settings.spool_dir,
            uploads,
            depict,
            lambda series: work.catalogue.wanted(series.series_instance_uid),
        )


def prepare(settings: Settings, manifest: Manifest, catalogue: Catalogue, held: Held) -> Prepared:
    """Label what is asked for, and plan what is left to do beside what is there already."""
    # labels are those of the whole manifest, whichever part of it this run moves
    found = identify(catalogue, held, settings.templates, settings.same_patient, split=settings.split_session)
    asked, accept = asked_part(settings, catalogue), settings.accept_rejected
    plan = plans.make(asked, held, found.labels, settings.existing, accept_rejected=accept, refused=found.refused)
    left_out = _left_out(settings, catalogue)
    return Prepared(manifest, catalogue, found.labels, replace(plan, settled=plan.settled + left_out), found.notes)


def _left_out(settings: Settings, catalogue: Catalogue) -> tuple[Outcome, ...]:
    """Return the series that the filter leaves out of this part; of the whole list it must leave some."""
    patterns, found = settings.licence_filter, sorted({series.licence for series in catalogue.series.values()})
    licences.check(patterns, found)
    if found and not any(licences.allows(patterns, licence) for licence in found):
        raise UsageError(
            f"--licence-filter {', '.join(patterns)} leaves out all {len(catalogue.series):,} series",
            f"their licences are {', '.join(licence or licences.UNKNOWN for licence in found)}",
        )
    return plans.left_out(_part(settings, catalogue), patterns)


def asked_part(settings: Settings, catalogue: Catalogue) -> Catalogue:
    """Return the part of the catalogue that this run is to move."""
    return plans.limited(plans.allowed(_part(settings, catalogue), settings.licence_filter), settings.limit)


def _part(settings: Settings, catalogue: Catalogue) -> Catalogue:
    return plans.shard(catalogue, *settings.shard) if settings.shard else catalogue


def connection_of(settings: Settings, login: Login, patience: Patience) -> closing[XnatConnection]:
    """Log in to XNAT."""
    return closing(XnatConnection(login.host, login.user, login.password, patience, settings.max_outage))


@contextmanager
def _progress(settings: Settings, connection: XnatConnection, tell: Tell) -> Iterator[Tell]:
    """Tell the workflow that XNAT shows as well, if the run has one."""
    if not settings.workflow_id:
        yield tell
        return
    workflow = WorkflowProgress(settings.workflow_id)
    workflow.start(connection)
    with closing(workflow):
        yield both(workflow, tell)


def both(first: Tell, second: Tell) -> Tell:
    """Return what tells two."""

    def tell_both(event: Event) -> None:
        first(event)
        second(event)

    return tell_both


def _open(connection: XnatConnection, settings: Settings) -> OpenProject:
    hint = settings.missing_project_hint
    return open_project(connection, settings.project, may_create=settings.create_project, hint=hint)


def _claim(opened: OpenProject, settings: Settings, asked: Iterable[Kept], tell: Tell) -> ProjectFiles:
    """Have the project, and what is asked for in it; tell what the user should know first."""
    for note in opened.notes():
        tell(Noted(note))
    if not opened.is_there:
        opened.project.create()
        tell(Noted(created_note(settings.project, is_folder=Path(settings.project).is_dir())))
    files = ProjectFiles(opened.project, opened.rights, settings.output_dir, tell)
    for kept in asked:
        _keep(files, kept)
    return files


def created_note(project: str, *, is_folder: bool) -> str:
    """Say that a project was created; one that is called like a folder here may be an OUTPUT_DIR in the wrong place."""
    swapped = "; a folder here has that name: PROJECT comes after OUTPUT_DIR" if is_folder else ""
    return f"project {project}: created (private){swapped}"


def _keep(files: ProjectFiles, kept: Kept) -> None:
    files.keep(kept.resource, kept.name, kept.content)


def _keep_report(kept: ProjectFiles, run: Run, files: Iterable[Path], tell: Tell) -> None:
    """Keep the report in the project, by the name of its run; best effort. Who may not has it in the output folder."""
    if not kept.may_write:
        return
    part = "-part-{}-of-{}".format(*run.job.shard) if run.job.shard else ""  # parts may start in the same second
    name = run.job.run_name or f"run-{run.started:%Y%m%dT%H%M%SZ}{part}"
    seconds = _HURRIED_SECONDS if isinstance(run.result.ended_by, Stopped) else ANSWER_SECONDS
    for file in () if isinstance(run.result.ended_by, XnatUnreachable) else files:
        try:
            kept.keep(run.job.report_resource, f"{name}/{file.name}", file.read_bytes(), seconds=seconds)
        except FileNotFoundError:  # of another run that reports into the same folder: it has no failed.tcia
            continue
        except Error as error:
            tell(NotKept(file.name, error))
            return


def _make_room(settings: Settings, work: Work, plan: Plan) -> None:
    """Let spools take what the largest series need, and refuse to start when their disk has less.

    Raises
    ------
    SpaceError
    """
    folder = settings.spool_dir or Path(tempfile.gettempdir())
    needed = work.room.limit(plan.send, settings.transfers)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SpaceError(
            f"the largest series need {needed} bytes at once, {folder} has {free} free",
            "choose another disk with --spool-dir, or use fewer --transfers",
        )


def announce(prepared: Prepared, tell: Tell) -> None:
    """Tell what is about to move, and whether it may be used commercially, before the first byte does."""
    send = prepared.plan.send
    sizes = {series.series_instance_uid: series.byte_count for series in send}
    studies = {uid: series.study_instance_uid for uid, series in prepared.catalogue.series.items()}
    tell(Planned(len(sizes), sum(sizes.values()), sizes, studies))
    if counted := licences.non_commercial(send):
        tell(NonCommercial(counted))
    for note in (*prepared.notes, *prepared.catalogue.notes):
        tell(Noted(note))


def patience_of(settings: Settings, stop: Stop, tell: Tell = lambda _event: None) -> Patience:
    """Return how often and how long a run tries again."""
    return Patience(
        RetryPolicy(settings.retries, settings.retry_wait),
        stop.wait,
        lambda error, delay: tell(Retrying(error, delay)),
    )
