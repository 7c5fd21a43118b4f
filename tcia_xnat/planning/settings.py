"""What a run is asked to do."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from tcia_xnat.core.program import command_line
from tcia_xnat.core.retry import RETRY_WAIT
from tcia_xnat.planning.held import Existing
from tcia_xnat.planning.identity import SamePatient, Templates
from tcia_xnat.xnat.connection import MAX_OUTAGE

FAILED = "failed.tcia"  # beside the report: the manifest of what is to be asked for again
THUMBNAILS = 96  # pixels of the longer side of a picture in the report
SPOOL_LIMIT = 8_000_000_000  # bytes; a larger series goes in several packages where its source allows


@dataclass(frozen=True, slots=True)
class Login:
    """Where XNAT is, and who asks."""

    host: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every run is asked to do; the defaults are those of the command line.

    `source` names where series come from, and `report_resource` the project resource that keeps the report;
    `uploads` None is as many as `transfers`, and `bwlimit` is in bytes a second; `typed` is what else was given on the
    command line, for the command that continues, and never a password. `project` is the ID of the project as soon as
    XNAT has told it, and `given_project` then the alias that was given in its place.
    """

    output_dir: Path
    project: str
    source: str
    report_resource: str = "TCIA_INGEST"
    transfers: int = 4
    uploads: int | None = None
    bwlimit: float | None = None
    retries: int = 5
    existing: Existing = Existing.SKIP
    limit: int | None = None
    licence_filter: tuple[str, ...] = ()
    shard: tuple[int, int] | None = None
    archive: bool = True
    create_project: bool = True
    accept_rejected: bool = False
    subject_label: str = "{PatientID}"
    session_label: str = "{PatientID}"
    same_patient: SamePatient = field(default_factory=SamePatient)
    split_session: bool = False
    spool_dir: Path | None = None
    spool_limit: int = SPOOL_LIMIT
    max_outage: float = MAX_OUTAGE
    retry_wait: float = RETRY_WAIT
    thumbnails: int = THUMBNAILS
    run_name: str = ""
    workflow_id: str = ""
    typed: tuple[str, ...] = ()
    given_project: str = ""

    @property
    def report_dir(self) -> Path:
        """Folder of the report."""
        return self.output_dir / "report" / self.run_name

    def of_project(self, project_id: str) -> Self:
        """Return the same settings with the ID of the project in the place of an alias."""
        if project_id == self.project:
            return self
        return replace(self, project=project_id, given_project=self.project)

    @property
    def templates(self) -> Templates:
        """What labels are made of."""
        return Templates(self.subject_label, self.session_label)

    @property
    def place(self) -> str:
        """Where series are when all is done, in words."""
        return "in the archive"

    @property
    def tree(self) -> str:
        """What tells the tree that is uploaded from others; empty for lists."""
        return ""

    @property
    def missing_project_hint(self) -> str:
        """What to do when the project is missing and is not to be created."""
        return "leave --no-create-project out to have it created"

    @property
    def next_command(self) -> str:
        """The command that asks again for what is not in."""
        return ask_again(self.report_dir, self.output_dir, self.project, *self.typed)

    @property
    def state_dir(self) -> Path:
        """Folder of what runs remember."""
        return self.output_dir / "state"

    @property
    def pictures_dir(self) -> Path:
        """Folder of the pictures of series, kept from run to run."""
        return self.state_dir / "pictures"


def ask_again(report_dir: Path, output_dir: Path | str, *words: str) -> str:
    """Return the command that takes the failed.tcia of a report; of the words after OUTPUT_DIR empty ones are none."""
    return command_line("download.py", str(report_dir / FAILED), str(output_dir), *filter(None, words))
