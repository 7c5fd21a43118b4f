"""`python -m sandbox.xnat`: an XNAT on this machine, until Ctrl-C."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import requests

from sandbox.serve import stopped_by_signals
from sandbox.xnat.rights import COLLABORATOR, MEMBER, OWNER
from sandbox.xnat.server import XnatServer

_ADMIN = "admin"
_ROLES = {"owner": OWNER, "member": MEMBER, "collaborator": COLLABORATOR}


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--port", default=0, help="Port of the server; 0 is any free one.")
@click.option("--project", default="SANDBOX", help="ID of a project that is there from the start.")
def main(directory: Path | None, port: int, project: str) -> None:
    """Serve an XNAT on 127.0.0.1 until Ctrl-C.

    It keeps everything in DIRECTORY, to be used again; without one all is gone at the end. Address and administrator
    are printed as `export` lines, the users and their roles as comments: the output can be sourced by a shell.
    """
    stopped = stopped_by_signals()
    try:
        with _folder(directory) as folder:
            _serve(folder, port, project, stopped)
    except OSError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    """Give the chosen folder, or one that is removed at the end."""
    if chosen:
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="sandbox-") as made:
        yield Path(made)


def _serve(folder: Path, port: int, project: str, stopped: threading.Event) -> None:
    with XnatServer(folder, port=port) as server:
        _create(server, project)
        for name, role in _ROLES.items():
            server.add_user(name, name, {project: role})
        click.echo("\n".join(_introduction(server.url, project)))
        stopped.wait()


def _create(server: XnatServer, project: str) -> None:
    """Create a project as its administrator does; one that is there stays as it is."""
    answer = requests.put(f"{server.url}/data/projects/{project}", auth=(_ADMIN, _ADMIN), timeout=30)
    if not answer.ok:
        raise click.BadParameter(answer.text, param_hint="--project")


def _introduction(url: str, project: str) -> Iterator[str]:
    yield f"export XNAT_HOST={url}"
    yield f"export XNAT_USER={_ADMIN}"
    yield f"export XNAT_PASS={_ADMIN}"
    yield f"# project {project}; the password of a user is the name"
    yield f"# {_ADMIN}: administrator"
    for name, role in _ROLES.items():
        yield f"# {name}: {role} of {project}"


if __name__ == "__main__":
    main()
