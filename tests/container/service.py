"""XNAT's Container Service as a container sees it, made from command.json alone (xnat-container-command.md §3)."""

import json
import secrets
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from sandbox.sandbox import PASSWORD, USER, Sandbox
from tests.container.engine import ROOT, Container, Mount
from tests.job.case import ONE_PATIENT

COMMAND: dict[str, Any] = json.loads((ROOT / "command.json").read_text(encoding="utf-8"))
_CATALOG = '<?xml version="1.0" encoding="UTF-8"?><cat:Catalog xmlns:cat="http://nrg.wustl.edu/catalog"/>\n'
UNRESOLVED = object()
"""Of an input: its replacement key is left in the environment."""


@dataclass(frozen=True, slots=True)
class Token:
    """An alias token of the user who launched."""

    alias: str
    secret: str


@dataclass(frozen=True, slots=True)
class Service:
    """The service for one project of a sandbox: a user who owns it, and the folders that the command mounts."""

    sandbox: Sandbox
    project: str
    folder: Path

    @classmethod
    def of_new_project(cls, sandbox: Sandbox, project: str, folder: Path) -> "Service":
        """Make a project, its owner, and the folders."""
        address = f"{sandbox.xnat.url}/data/projects/{project}"
        requests.put(address, auth=(USER, PASSWORD), timeout=30).raise_for_status()
        service = cls(sandbox, project, folder)
        sandbox.xnat.add_user(service.user, service.password, {project: "Owners"})
        service.make_folders()
        return service

    def make_folders(self) -> None:
        """Make a resource TCIA with a manifest and XNAT's catalogue, and an empty folder that any uid may write."""
        self.input.mkdir(parents=True)
        shutil.copy(ONE_PATIENT, self.input)
        (self.input / "TCIA_catalog.xml").write_text(_CATALOG)
        self.output.mkdir()
        self.output.chmod(0o777)

    @property
    def user(self) -> str:
        """Who launches."""
        return f"owner of {self.project}"

    @property
    def password(self) -> str:
        """What the container must never see."""
        return f"password of {self.user}"

    @property
    def input(self) -> Path:
        """The files of the resource TCIA."""
        return self.folder / "input"

    @property
    def output(self) -> Path:
        """The build directory of this launch."""
        return self.folder / "output"

    def token(self) -> Token:
        """Make an alias token, as each launch does (§3.1)."""
        address = f"{self.sandbox.xnat.url}/data/services/tokens/issue"
        answer = requests.get(address, auth=(self.user, self.password), timeout=30)
        answer.raise_for_status()
        made = answer.json()
        return Token(made["alias"], made["secret"])

    def container(self, token: Token, inputs: Mapping[str, object] | None = None, *options: str) -> Container:
        """Return the container of a launch.

        Parameters
        ----------
        token
            The credentials of this launch.
        inputs
            Command input → what the launch form has for it; those that the wrapper provides cannot be changed (§4.6).
        options
            More options for the engine.
        """
        assert not COMMAND["override-entrypoint"]
        provided = {"context-project": self.project, "manifest-name": ONE_PATIENT.name}
        workflow = str(secrets.randbelow(10**6))
        variables = {
            "XNAT_HOST": self.sandbox.xnat.url,
            "XNAT_USER": token.alias,
            "XNAT_PASS": token.secret,
            "XNAT_WORKFLOW_ID": workflow,
            "XNAT_EVENT_ID": "",
        }
        variables |= resolved({**(inputs or {}), **provided}) | self._sources()
        if "working-directory" in COMMAND:
            options = ("--workdir", COMMAND["working-directory"], *options)
        return Container(
            tuple(shlex.split(COMMAND["command-line"])),  # quotes, and no variables (§3.2)
            variables,
            tuple(self._mount(mount) for mount in COMMAND["mounts"]),
            ("--network", "host", *options),
        )

    def _sources(self) -> dict[str, str]:
        """Return where IDC and NBIA are, as a site adds variables; the index is that of the image."""
        return {name: self.sandbox.environment[name] for name in ("TCIA_XNAT_NBIA_URL", "TCIA_XNAT_IDC_URL")}

    def _mount(self, mount: Mapping[str, Any]) -> Mount:
        """Return a mount: the wrapper's resource, or a build directory where nothing provides files (§4)."""
        (wrapper,) = COMMAND["xnat"]
        fed = {one.get("provides-files-for-command-mount") for one in wrapper["derived-inputs"]}
        return Mount(self.input if mount["name"] in fed else self.output, mount["path"], mount["writable"])


def resolved(inputs: Mapping[str, object]) -> dict[str, str]:
    """Return environment-variables with each key replaced by the input's value, else its default (§3.2)."""
    variables = dict(COMMAND["environment-variables"])
    for one in COMMAND["inputs"]:
        value = inputs.get(one["name"], one.get("default-value", UNRESOLVED))
        if isinstance(value, str):
            key = one["replacement-key"]
            variables = {name: text.replace(key, value) for name, text in variables.items()}
    return variables
