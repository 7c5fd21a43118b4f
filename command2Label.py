#!/usr/bin/env python3
"""command.json → the LABEL of a Dockerfile by which XNAT finds the command in an image."""

if __name__ == "__main__":
    from tcia_xnat.core.installed import require_libraries

    require_libraries()  # before any of them is imported

from collections.abc import Iterable
from pathlib import Path

import click

from tcia_xnat import __version__, cli
from tcia_xnat.cli.command_list import Command
from tcia_xnat.container_command.check import check
from tcia_xnat.container_command.document import Finding
from tcia_xnat.container_command.label import label_line, problem, replaced
from tcia_xnat.container_command.read import parse
from tcia_xnat.core.errors import Error, UsageError
from tcia_xnat.core.exit_codes import ExitCode, exit_help

CONTEXT = {**cli.CONTEXT, "auto_envvar_prefix": None}  # a step of a build takes nothing from variables
BESIDE = Path()
"""Stands for the Dockerfile beside command.json."""


@click.command(
    cls=Command,
    context_settings=CONTEXT,
    epilog=exit_help(
        ExitCode.DONE,
        ExitCode.UNEXPECTED,
        ExitCode.USAGE,
        done="done",
        unexpected="the Dockerfile's label differs, is missing or is there twice",
        usage="usage, or a command.json with mistakes, a line each",
    ),
)
@click.argument("command_json", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--check",
    "checked",
    metavar="[DOCKERFILE]",
    is_flag=False,
    flag_value=BESIDE,
    type=click.Path(path_type=Path),
    help="Say whether DOCKERFILE, by default the one beside COMMAND_JSON, has this label, once. It changes nothing.",
)
@click.option(
    "--write",
    "written",
    metavar="DOCKERFILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Put the label into DOCKERFILE, in the place of the one it has.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(__version__, prog_name="xnat-tcia-download")
@cli.reports_errors
def main(command_json: Path, checked: Path | None, written: Path | None) -> int:
    """Print the LABEL instruction for COMMAND_JSON, or see to it that a Dockerfile has it.

    COMMAND_JSON is checked first. Do not append the output to a Dockerfile with >>, as older instructions said: every
    build adds one more label. --write replaces it, and changes nothing when run again. A Dockerfile of --check goes
    last: command2Label.py command.json --check
    """
    if checked is not None and written is not None:
        raise UsageError("--check and --write are given together", "give one of them")
    content = command_json.read_bytes()
    findings = check(content)
    if findings:
        return say_findings(command_json, findings)
    document, _ = parse(content)
    if checked is not None:
        return compare(command_json.parent / "Dockerfile" if checked == BESIDE else checked, command_json, document)
    if written is not None:
        return write(written, document)
    click.echo(label_line(document))
    return 0


def say_findings(command_json: Path, findings: Iterable[Finding]) -> int:
    """Say what is wrong with command.json, a line each."""
    for finding in findings:
        cli.say_error(UsageError(f"{command_json}: {finding}"))
    click.echo("hint: each rule is told in tcia_xnat/container_command, in the function that has its name", err=True)
    return UsageError.exit_code


def compare(dockerfile: Path, command_json: Path, document: object) -> int:
    """Say whether a Dockerfile has the label of the command.

    Raises
    ------
    Error
        It has not.
    """
    wrong = problem(read(dockerfile), document)
    if wrong:
        raise Error(f"{dockerfile} {wrong}", f"python command2Label.py {command_json} --write {dockerfile}")
    click.echo(f"{dockerfile} has the label of {command_json}")
    return 0


def write(dockerfile: Path, document: object) -> int:
    """Put the label into a Dockerfile."""
    before = read(dockerfile)
    after = replaced(before, document)
    if after != before:
        dockerfile.write_bytes(after.encode("utf-8"))
    click.echo(f"{dockerfile} {'has the label now' if after != before else 'has the label already'}")
    return 0


def read(dockerfile: Path) -> str:
    """Return a Dockerfile with its line ends as they are.

    Raises
    ------
    UsageError
        There is none, or it is no text.
    """
    try:
        return dockerfile.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(f"{dockerfile} cannot be read: {error.strerror}", "name another one after --check") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{dockerfile} is not UTF-8", "convert it") from error


if __name__ == "__main__":
    main()
