"""The XNAT command inside of its container: everything comes from the environment (xnat-container-command.md §3, §8).

Names that are blank, or left as `#KEY#` by the Container Service, are not set (RS-2).
"""

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import click

from tcia_xnat import cli, plan_view, report
from tcia_xnat.clients.idc import IDC_URL
from tcia_xnat.clients.tcia import NBIA_URL
from tcia_xnat.errors import ManifestError, UsageError
from tcia_xnat.job import Job, Login, Run, dry_run, run
from tcia_xnat.options import parsed_licences, parsed_thumbnails
from tcia_xnat.plan import Existing
from tcia_xnat.progress.lines import Lines
from tcia_xnat.progress.watch import tell_all
from tcia_xnat.retry import Patience, RetryPolicy
from tcia_xnat.settings import THUMBNAILS
from tcia_xnat.supply import SOURCES
from tcia_xnat.terminal import line_writer, results
from tcia_xnat.xnat.connection import XnatConnection

_UNRESOLVED = re.compile(r"#.+#")
_YES, _NO = {"true", "1", "yes"}, {"false", "0", "no", ""}
_TRANSFERS = (1, 16)
_MANIFESTS = "TCIA"  # the project resource that people put their manifests into


@cli.reports_errors
def ingest(environment: Mapping[str, str]) -> int:
    """Bring the manifest that was chosen in XNAT into the project."""
    settings = _Settings(environment)
    login = settings.login()
    job = settings.job(login)
    stop = cli.stop_of_command()
    stop.ending_seconds = cli.ENDING_SECONDS
    if settings.flag("TCIA_XNAT_DRY_RUN"):
        prepared = dry_run(job, login, stop)
        where = f"project {job.project}"
        _keep_plan(job, report.summary.as_text(plan_view.as_tables(prepared, job, where, whole=True)))
        results(sys.stdout).print(plan_view.as_tables(prepared, job, where))
        return report.plan_exit_code(prepared.plan)
    with tell_all([Lines(line_writer(sys.stdout), debug=bool(settings.text("TCIA_XNAT_DEBUG")))]) as tell:
        done = run(job, login, stop, tell, _kept)
    if done.result.ended_by:
        cli.say_error(done.result.ended_by)
    click.echo(report.verdict(done.result))
    return report.exit_code(done.result)


def _kept(done: Run) -> list[Path]:
    """Write the report; the service itself brings it into the project after a success, and only then (§3.3)."""
    written = report.write(done)
    return written if report.exit_code(done.result) else []


def _keep_plan(job: Job, text: str) -> None:
    job.report_dir.mkdir(parents=True, exist_ok=True)
    (job.report_dir / "plan.txt").write_text(text, encoding="utf-8")


class _Settings:
    """The environment as the Container Service makes it (§3.1)."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._set = {
            name: value.strip()
            for name, value in environment.items()
            if value.strip() and not _UNRESOLVED.fullmatch(value.strip())
        }
        self._input_dir = Path(self.text("TCIA_XNAT_INPUT_DIR", "/input"))
        self._output_dir = Path(self.text("TCIA_XNAT_OUTPUT_DIR", "/output"))

    def text(self, name: str, default: str = "") -> str:
        return self._set.get(name, default)

    def flag(self, name: str) -> bool:
        value = self.text(name).lower()
        if value not in _YES | _NO:
            raise UsageError(f"{name} is {value!r}", "true or false")
        return value in _YES

    def choice(self, name: str, choices: list[str]) -> str:
        value = self.text(name, choices[0]).lower()
        if value not in choices:
            raise UsageError(f"{name} is {value!r}", f"one of {', '.join(choices)}")
        return value

    def number(self, name: str, default: int) -> int:
        """Return a whole number; XNAT's form also sends 4.0."""
        try:
            value = float(self.text(name, str(default)))
        except ValueError:
            value = 0.5
        if not value.is_integer():
            raise UsageError(f"{name} is {self.text(name)!r}", "a whole number")
        return max(_TRANSFERS[0], min(int(value), _TRANSFERS[1]))

    def login(self) -> Login:
        host = cli.checked_host(self.text("XNAT_HOST"))
        return Login(host, *cli.credentials(host, self.text("XNAT_USER"), self.text("XNAT_PASS")))

    def job(self, login: Login) -> Job:
        context = cli.checked_project(self.text("TCIA_XNAT_CONTEXT_PROJECT") or self.text("TCIA_XNAT_TARGET_PROJECT"))
        workflow_id = self.text("XNAT_WORKFLOW_ID")
        return Job(
            manifest=str(self._manifest(login, context)),
            output_dir=self._output_dir,
            project=cli.checked_project(self.text("TCIA_XNAT_TARGET_PROJECT", context)),
            source=self.choice("TCIA_XNAT_SOURCE", list(SOURCES)),
            existing=Existing(self.choice("TCIA_XNAT_EXISTING", list(Existing))),
            transfers=self.number("TCIA_XNAT_TRANSFERS", 4),
            create_project=False,
            licence_filter=parsed_licences(self.text("TCIA_XNAT_LICENCE_FILTER")),
            thumbnails=parsed_thumbnails(self.text("TCIA_XNAT_THUMBNAILS", str(THUMBNAILS))),
            workflow_id=workflow_id,
            run_name=_run_name(workflow_id),
            nbia_url=self.text("TCIA_XNAT_NBIA_URL", NBIA_URL),
            idc_url=self.text("TCIA_XNAT_IDC_URL", IDC_URL),
            idc_index=self.text("TCIA_XNAT_IDC_INDEX") or None,
        )

    def _manifest(self, login: Login, project: str) -> Path:
        """Return the manifest in the mounted resource; where nothing is mounted, fetched from there (RS-3)."""
        name = self.text("TCIA_XNAT_MANIFEST_NAME")
        if not name:
            raise ManifestError("no manifest was chosen", f"put one into the project's resource {_MANIFESTS}")
        path = (self._input_dir / name).resolve()
        if not path.is_relative_to(self._input_dir.resolve()) or Path(name).is_absolute():
            raise ManifestError(
                f"{name!r} is no file of the project's resource {_MANIFESTS}", "choose one of its files"
            )
        return path if path.exists() else _fetched(login, project, name)


def _run_name(workflow_id: str) -> str:
    return "run-" + re.sub(r"\W", "_", workflow_id) if workflow_id else "run"


def _fetched(login: Login, project: str, name: str) -> Path:
    """Fetch a manifest from the project's resource."""
    patience = Patience(RetryPolicy(), cli.stop_of_command().wait)
    connection = XnatConnection(login.host, login.user, login.password, patience)
    try:
        path = f"/data/projects/{quote(project)}/resources/{_MANIFESTS}/files/{quote(name)}"
        answer = patience.call(lambda: connection.ask("GET", path, accepted={200, 404}))
    finally:
        connection.close()
    if answer.status != 200:  # noqa: PLR2004  HTTP's own
        raise ManifestError(f"no such manifest: {name}", f"put it into the project's resource {_MANIFESTS}")
    file = Path(tempfile.mkdtemp(prefix="manifest-")) / Path(name).name
    file.write_text(answer.text)
    return file


def main() -> None:
    """Run the command."""
    ingest(environment=os.environ, debug=bool(os.environ.get("TCIA_XNAT_DEBUG", "").strip()))
