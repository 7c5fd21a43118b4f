"""What every run against XNAT does, wherever its series come from, step by step."""

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import Error, SpaceError, Stopped, XnatUnreachable
from tcia_xnat.core.events import Noted, NotKept, Tell, both
from tcia_xnat.core.retry import Patience
from tcia_xnat.core.run_lock import RunLock, is_alive, is_over
from tcia_xnat.destinations.xnat.claims import Claims
from tcia_xnat.destinations.xnat.counts import ask
from tcia_xnat.destinations.xnat.existing import look
from tcia_xnat.destinations.xnat.files import ProjectFiles
from tcia_xnat.destinations.xnat.turns import Turns
from tcia_xnat.destinations.xnat.turns import tidy as tidy_turns
from tcia_xnat.jobs.prepare import announce, asked_part, patience_of, prepare
from tcia_xnat.jobs.record import RunRecord
from tcia_xnat.planning import plan as plans
from tcia_xnat.planning.held import Held
from tcia_xnat.planning.plan import Plan
from tcia_xnat.planning.settings import Login, Settings
from tcia_xnat.thumbnails import painter
from tcia_xnat.transfer.ledger import Ledger
from tcia_xnat.transfer.scheduler import TransferResult, transfer
from tcia_xnat.transfer.work import Kept, Prepared, ReadKept, Run, Work, WorkOf, nothing_kept
from tcia_xnat.transfer.worker import Lane
from tcia_xnat.xnat.connection import XnatConnection
from tcia_xnat.xnat.login import ANSWER_SECONDS
from tcia_xnat.xnat.opening import OpenProject, open_project
from tcia_xnat.xnat.project import XnatProject
from tcia_xnat.xnat.workflow import WorkflowProgress

_QUIET_SECONDS = 300.0  # nothing comes to the session of a run for as long: it is dead
_HURRIED_SECONDS = 1.0  # a stopped run has few left


def dry_run(settings: Settings, work_of: WorkOf, login: Login | None, stop: Stop) -> Prepared:
    """Plan without changing anything; without a login, as if XNAT held nothing."""
    patience = patience_of(settings, stop)
    with work_of(patience) as work:
        if login is None:
            work.agree(nothing_kept)
            return prepare(settings, work.manifest, work.catalogue, Held())
        with connection_of(settings, login, patience) as connection:
            opened = _open(connection, settings)
            work.agree(_reader(opened))
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
    record: RunRecord,
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
    settings = record.job
    patience = patience_of(settings, stop, tell)
    with (
        connection_of(settings, login, patience) as connection,
        _progress(settings, connection, tell) as tell_all,
        nullcontext(_open(connection, settings)) as opened,
        _ledger(settings, login, opened.project.project, tell) as ledger,
        work_of(patience) as work,
    ):
        record.manifest, record.catalogue = work.manifest, work.catalogue
        project = opened.project
        record.job = settings = settings.of_project(project.project)
        stop.check()
        work.agree(_reader(opened))
        kept = _claim(opened, settings, work.asked, tell_all)
        with RunLock(settings.state_dir / "runs", project.prearchive.mark):
            tidy_turns(project.prearchive, partial(is_over, settings.state_dir / "runs"), datetime.now(UTC))
            held = _held(settings, project, work, ledger)
            stop.check()
            record.prepared = _prepared(kept, settings, work, held)
            announce(record.prepared, tell_all)
            with _lane(settings, work, record.prepared, project, held, tell_all, stop, kept) as lane:
                record.is_moving = True
                record.result = _transferred(settings, record.prepared, lane, ledger, tell_all, stop)
            done, files = record.report(report, lambda _run: work.report(settings.report_dir))
            _keep_report(kept, done, files, tell)
    return done


def _prepared(files: ProjectFiles, settings: Settings, work: Work, held: Held) -> Prepared:
    """Plan beside what is there; the labels are kept in the project."""
    prepared = prepare(settings, work.manifest, work.catalogue, held)
    _make_room(settings, work, prepared.plan)
    for kept in work.labelled(prepared.labels):
        _keep(files, kept)
    return prepared


def _ledger(settings: Settings, login: Login, project: str, tell: Tell) -> Ledger:
    return Ledger(settings.state_dir / "ledger.sqlite", login.host, project, lambda text: tell(Noted(text)))


def _held(settings: Settings, project: XnatProject, work: Work, ledger: Ledger) -> Held:
    """Ask XNAT what it holds, beside what the ledger and the locks of other runs say."""
    locks = settings.state_dir / "runs"
    return look(
        project,
        work.catalogue,
        asked_part(settings, work.catalogue),
        ledger.imported(),
        is_alive=partial(is_alive, locks),
        is_over=partial(is_over, locks),
        expected=plans.expected_labels(work.catalogue, settings.templates),
        archived_before=ledger.sessions(),
    )


def _transferred(  # noqa: PLR0913, PLR0917  what a transfer needs, each once
    settings: Settings, prepared: Prepared, lane: Lane, ledger: Ledger, tell: Tell, stop: Stop
) -> TransferResult:
    return transfer(
        prepared.plan,
        lane,
        ledger,
        tell,
        stop,
        transfers=settings.transfers,
        archive=settings.archive,
        accept_rejected=settings.accept_rejected,
    )


@contextmanager
def _lane(  # noqa: PLR0913, PLR0917  what all lanes share
    settings: Settings,
    work: Work,
    prepared: Prepared,
    project: XnatProject,
    held: Held,
    tell: Tell,
    stop: Stop,
    files: ProjectFiles,
) -> Iterator[Lane]:
    uploads = threading.BoundedSemaphore(settings.uploads or settings.transfers)
    with painter(settings.pictures_dir, settings.thumbnails, len(prepared.plan.send)) as depict:
        yield Lane(
            project,
            Turns(project.prearchive, held.left, min(settings.max_outage, _QUIET_SECONDS)),
            work.sources,
            tuple(work.sources),
            tell,
            stop.check,
            work.listed,
            settings.spool_dir,
            uploads,
            depict,
            lambda series: work.catalogue.wanted(series.series_instance_uid),
            Claims(project, held.subjects, archives=settings.archive).take,
            files.keep,
        )


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


def _open(connection: XnatConnection, settings: Settings) -> OpenProject:
    hint = settings.missing_project_hint
    return open_project(connection, settings.project, may_create=settings.create_project, hint=hint)


def _reader(opened: OpenProject) -> ReadKept:
    """Return how to read what earlier runs have kept in the project; what XNAT does not show is not there."""
    project = opened.project

    def read(resource: str, name: str, limit: int) -> bytes | None:
        return ask(project, lambda: project.read_resource(resource, name, limit))

    return read if opened.is_there else nothing_kept


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


def connection_of(settings: Settings, login: Login, patience: Patience) -> closing[XnatConnection]:
    """Log in to XNAT."""
    return closing(XnatConnection(login.host, login.user, login.password, patience, settings.max_outage))
