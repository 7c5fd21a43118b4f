"""An upload: the series of a tree on disk into a project of XNAT, the same way as those of a manifest."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.events import FilesRead, Noted, Tell
from tcia_xnat.core.model import Label, SourceName
from tcia_xnat.core.program import command_line
from tcia_xnat.core.retry import Patience
from tcia_xnat.core.storage import replacing
from tcia_xnat.core.tables import TableWriter, table
from tcia_xnat.jobs import xnat_run as runs
from tcia_xnat.jobs.record import Reports, RunRecord, recorded
from tcia_xnat.manifest import Manifest
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.identity.words import clean
from tcia_xnat.planning.settings import Login, Settings
from tcia_xnat.report.shared import shared
from tcia_xnat.sources.local import remembered
from tcia_xnat.sources.local.choice import Filters, ZipMode
from tcia_xnat.sources.local.inventory import Inventory
from tcia_xnat.sources.local.layout import Layout
from tcia_xnat.sources.local.left_out import LIST
from tcia_xnat.sources.local.model import PassedOver
from tcia_xnat.sources.local.recognition import Decision
from tcia_xnat.sources.local.source import LocalSource
from tcia_xnat.sources.local.tree import Tree, Wanted, find_root, gather
from tcia_xnat.sources.throttle import polite
from tcia_xnat.staging.disk_budget import Room
from tcia_xnat.transfer.work import Kept, Prepared, ReadKept, Run, Work

_TEMPLATE = "{PatientID}"  # of --session-label, when it is not given
_LABEL_HINT = "leave it out, or choose --layout headers"
_SHOWN = 3  # names that are said
_LABELLED = ("folder", "subject", "session", "SeriesInstanceUID")
_LEFT_OUT = ("path", "what", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload(Settings):
    """What one upload is asked to do; what is None is found out by looking at the tree."""

    root: Path
    source: str = SourceName.LOCAL
    report_resource: str = "UPLOAD"
    layout: Layout | None = None
    zip_mode: ZipMode | None = None
    mapping: Path | None = None
    filters: Filters = field(default_factory=Filters)
    follow_links: bool = False
    partial: bool = False
    allow_unmatched: bool = False
    keep_paths: bool = False

    @property
    def tree(self) -> str:
        """What tells the tree from others on this machine: its place on the disk, since its path stays here."""
        try:
            found = self.root.stat()
        except OSError:
            return ""
        return sha256(f"{found.st_dev}:{found.st_ino}".encode()).hexdigest()[:16]

    @property
    def next_command(self) -> str:
        """The command that sends again what is not in: the same one."""
        return command_line("upload.py", *(self.typed or (str(self.root), self.project)))


def dry_run(
    upload: Upload,
    login: Login | None,
    stop: Stop,
    tell: Tell,
    show: Callable[[Prepared, Tree, Iterable[PassedOver]], None],
) -> Prepared:
    """Plan without changing anything but the memory of headers; without a login, as if XNAT held nothing.

    Parameters
    ----------
    show
        Shows the plan.
    """
    upload = _found(upload)
    with _inventory(upload, tell) as inventory:
        tree = _gather(upload, inventory, stop, tell)
        work_of = partial(_work, upload, tree, inventory)
        prepared = runs.dry_run(upload, lambda patience: nullcontext(work_of(patience)), login, stop)
        show(prepared, tree, inventory.passed_over())
    return prepared


def run(upload: Upload, login: Login, stop: Stop, tell: Tell, report: Reports = lambda _run: ()) -> Run:
    """Bring the series of the tree into the project; see `tcia_xnat.jobs.xnat_run.run`."""
    upload = _found(upload)
    record = RunRecord(upload, login.host)
    record.manifest = Manifest(clean(upload.root.name), ())
    return recorded(record, partial(_run, record, upload, login, stop, report), stop, tell, report)


def _run(record: RunRecord, upload: Upload, login: Login, stop: Stop, report: Reports, tell: Tell) -> Run:  # noqa: PLR0913, PLR0917  what a run needs, each once
    with _inventory(upload, tell) as inventory:

        def work_of(patience: Patience) -> AbstractContextManager[Work]:
            return nullcontext(_work(upload, _gather(upload, inventory, stop, tell), inventory, patience, tell))

        with TemporaryDirectory() as folder:
            leaves = report if upload.keep_paths else shared(report, Path(folder))
            return runs.run(record, work_of, login, stop, tell, leaves)


def _found(upload: Upload) -> Upload:
    """Return the upload with the tree as it was found.

    Raises
    ------
    UsageError
        It is not there, or the run would write into it.
    """
    root, mapping = find_root(upload.root.absolute(), upload.mapping, upload.layout)
    if upload.output_dir.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{upload.output_dir} lies in the tree, which stays as it is", "choose another --workdir")
    return replace(upload, root=root, mapping=mapping)


def _inventory(upload: Upload, tell: Tell) -> Inventory:
    root = upload.root if upload.root.is_dir() else upload.root.parent
    return Inventory(upload.state_dir / "files.sqlite", root, lambda text: tell(Noted(text)))


def _gather(upload: Upload, inventory: Inventory, stop: Stop, tell: Tell) -> Tree:
    wanted = Wanted(
        upload.root,
        upload.layout,
        upload.zip_mode,
        upload.mapping,
        upload.filters,
        follows_links=upload.follow_links,
        is_partial=upload.partial,
        allows_unmatched=upload.allow_unmatched,
        same_patients={patient: held for held, patient in sorted(upload.same_patient.pairs)},
    )
    tree = gather(wanted, inventory, stop.check, lambda count, total: tell(FilesRead(count, total)))
    if tree.layout in {Layout.FOLDERS, Layout.MAPPING} and upload.session_label != _TEMPLATE:
        raise UsageError(f"--session-label has no effect on layout {tree.layout}, which names sessions", _LABEL_HINT)
    return tree


@dataclass(slots=True)
class _Names:
    """Where the names of a project come from: the same in every run, as long as nobody says otherwise."""

    upload: Upload
    tree: Tree
    _in_project: str = ""

    def agree(self, read: ReadKept) -> None:
        """Refuse a tree that was only recognised and that gives names otherwise than the last one did."""
        self._in_project = remembered.decoded(
            read(self.upload.report_resource, remembered.FILE, remembered.MAX_BYTES) if self.upload.project else None
        )
        if self.upload.project and self.upload.layout is None:
            before = self._in_project or remembered.here(self._file, self.upload.project)
            remembered.check(before, self.upload.project, Decision(self.tree.layout, self.tree.why))

    def kept(self) -> Iterator[Kept]:
        """Keep it here, and yield what the project is to keep."""
        name = remembered.name_of(self.tree.layout) if self.tree.catalogue.series else ""
        remembered.remember(self._file, self.upload.project, name)
        if name and name != self._in_project:
            yield Kept(self.upload.report_resource, remembered.FILE, remembered.encoded(name))

    @property
    def _file(self) -> Path:
        return self.upload.state_dir / "layouts.json"


def _say(tree: Tree, labels: Mapping[str, Label], tell: Tell) -> None:
    """Say where names come from, and the first of them."""
    first: dict[Label, str] = {}
    for uid in tree.catalogue.series:
        first.setdefault(labels[uid], uid)
    named = [f"{tree.folders[uid]}: {label.subject}, {label.session}" for label, uid in first.items()]
    tell(Noted(f"layout {tree.layout} ({tree.why}); subject and session: {'; '.join(named[:_SHOWN])}"))


def _work(upload: Upload, tree: Tree, inventory: Inventory, patience: Patience, tell: Tell | None = None) -> Work:
    name, catalogue = clean(upload.root.name), tree.catalogue
    room, names = Room(lambda series: min(series.byte_count, upload.spool_limit)), _Names(upload, tree)

    def labelled(labels: Mapping[str, Label]) -> list[Kept]:
        if tell:  # a dry run shows all of them
            _say(tree, labels, tell)
        kept = _labelled(tree, labels, with_folders=upload.keep_paths)
        return [Kept(upload.report_resource, f"{name}.csv", kept), *names.kept()]

    source = LocalSource(inventory, tree.problems, tree.notes, upload.spool_limit)
    return Work(
        Manifest(name, tuple(catalogue.series)),
        catalogue,
        [Kept(upload.report_resource, f"{name}.json", _asked(upload, tree))],
        labelled,
        polite([lambda _patience: source], patience, upload, room),
        partial(_listed, catalogue),
        room,
        partial(_write_left_out, inventory, leaves=upload.keep_paths),
        names.agree,
    )


def _asked(upload: Upload, tree: Tree) -> bytes:
    """Return what was asked for; patterns are names of folders and files, which stay on disk unless asked otherwise."""
    asked: dict[str, object] = {"tree": upload.root.name, "layout": tree.layout, "zipmode": tree.zip_mode}
    filters = asdict(upload.filters)
    asked |= filters if upload.keep_paths else {name: len(given) for name, given in filters.items()}
    return json.dumps(asked, indent=1).encode("utf-8", "backslashreplace")


def _labelled(tree: Tree, labels: Mapping[str, Label], *, with_folders: bool) -> bytes:
    """Return which series became which session, and from which folder where that may leave for XNAT."""
    named = ((uid, labels[uid]) for uid in tree.catalogue.series)
    rows = ((tree.folders[uid], label.subject, label.session, uid) for uid, label in named)
    first = 0 if with_folders else 1
    return table(_LABELLED[first:], (row[first:] for row in rows)).encode()


def _listed(catalogue: Catalogue, series_instance_uids: Sequence[str]) -> dict[str, int]:
    return {uid: catalogue.series[uid].image_count for uid in series_instance_uids if uid in catalogue.series}


def _write_left_out(inventory: Inventory, folder: Path, *, leaves: bool) -> Iterator[Path]:
    """Write left_out.csv, a line for everything that was not sent; yield it where paths may leave for XNAT."""
    path = folder / LIST
    with replacing(path) as file:
        TableWriter(file, _LEFT_OUT).rows(inventory.passed_one_by_one())
    if leaves:
        yield path
