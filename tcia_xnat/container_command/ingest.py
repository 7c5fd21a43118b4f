"""The XNAT command inside of its container: everything comes from the environment (xnat-container-command.md §3, §8).

Names that are blank, or left as `#KEY#` by the Container Service, are not set (RS-2).
"""

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from tcia_xnat import cli, plan_view, report
from tcia_xnat.cli.given import source_settings
from tcia_xnat.console.terminal import line_writer, results
from tcia_xnat.container_command.variables import COMMAND, given_values, read_options, unknown, variable_of
from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.core.variables import OF_XNAT_COMMAND
from tcia_xnat.jobs.tcia_to_xnat import Job, Login, Run, dry_run, run
from tcia_xnat.progress.lines import Lines
from tcia_xnat.progress.watch import tell_all
from tcia_xnat.xnat.connection import XnatConnection

_TRUE = {"true", "1", "yes", "on", "t", "y"}  # as click reads flags
_MANIFESTS = "TCIA"  # the project resource that people put their manifests into


@cli.reports_errors
def ingest(environment: Mapping[str, str]) -> int:
    """Bring the manifest that was chosen in XNAT into the project."""
    values = given_values(environment)
    for line in unknown(values):
        cli.say_warning(line)
    options = read_options(values)
    login = _login(values)
    job = _job(values, options, login)
    stop = cli.stop_of_command()
    stop.ending_seconds = cli.ENDING_SECONDS
    if options["dry_run"]:
        prepared = dry_run(job, login, stop)
        where = f"project {job.project}"
        _keep_plan(job, report.summary.as_text(plan_view.as_tables(prepared, job, where, whole=True)))
        results(sys.stdout).print(plan_view.as_tables(prepared, job, where))
        return report.plan_exit_code(prepared.plan)
    lines = Lines(line_writer(sys.stdout), debug=options["debug"], quiet=options["quiet"])
    with tell_all([lines]) as tell:
        done = run(job, login, stop, tell, _kept)
    cli.say_errors_of(done)
    click.echo(report.verdict_of(done))
    return cli.exit_code_of(done)


def _kept(done: Run) -> list[Path]:
    """Write the report; the service itself brings it into the project after a success, and only then (§3.3)."""
    written = report.write(done)
    return written if report.exit_code(done.result) else []


def _keep_plan(job: Job, text: str) -> None:
    job.report_dir.mkdir(parents=True, exist_ok=True)
    (job.report_dir / "plan.txt").write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandJob(Job):
    """What one launch of the XNAT command is asked to do."""

    @property
    def missing_project_hint(self) -> str:
        """What to do when the project is missing."""
        return "this command creates no project: have it created, ask for access, or choose another target project"


def _login(values: Mapping[str, str]) -> Login:
    host = cli.checked_host(values.get("XNAT_HOST"))
    return Login(host, *cli.credentials(host, values.get("XNAT_USER"), values.get("XNAT_PASS")))


def _job(values: Mapping[str, str], options: Mapping[str, Any], login: Login) -> CommandJob:
    own = {name: values.get(variable_of(name), "") for name in OF_XNAT_COMMAND}
    context = cli.checked_project(own["CONTEXT_PROJECT"] or own["TARGET_PROJECT"])
    project = cli.checked_project(own["TARGET_PROJECT"] or context)
    settings, workflow_id = source_settings({**options, "create_project": False}), values.get("XNAT_WORKFLOW_ID", "")
    return CommandJob(
        **settings,
        manifest=str(_manifest(Path(own["INPUT_DIR"] or "/input"), own["MANIFEST_NAME"], login, context)),
        output_dir=Path(own["OUTPUT_DIR"] or "/output"),
        project=project,
        workflow_id=workflow_id,
        run_name=_run_name(workflow_id),
    )


def _manifest(folder: Path, name: str, login: Login, project: str) -> Path:
    """Return the manifest in the mounted resource; where nothing is mounted, fetched from there (RS-3)."""
    if not name:
        raise ManifestError("no manifest was chosen", f"put one into the project's resource {_MANIFESTS}")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or Path(name).is_absolute():
        raise ManifestError(f"{name!r} is no file of the project's resource {_MANIFESTS}", "choose one of its files")
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
    debug = given_values(os.environ).get(variable_of("debug"), "").lower() in _TRUE
    with click.Context(COMMAND):  # its signals are those of the run
        ingest(environment=os.environ, debug=debug)
