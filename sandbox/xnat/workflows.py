"""Workflows, by which XNAT shows running commands; only who made one may change it (xnat-container-command.md §3.3)."""

import threading
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from sandbox.xnat import answers
from sandbox.xnat.answers import Refused


@dataclass
class Workflow:
    """One workflow: its maker, and every update that it got."""

    user: str
    updates: list[dict[str, str]] = field(default_factory=list)


class Workflows:
    """All workflows by ID."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._workflows: dict[str, Workflow] = {}

    def add(self, user: str) -> str:
        """Make one as the Container Service does at a launch; return its ID."""
        with self._lock:
            number = str(len(self._workflows) + 1)
            self._workflows[number] = Workflow(user)
            return number

    def updates(self, number: str) -> list[dict[str, str]]:
        """Return what a workflow was told, in order."""
        with self._lock:
            return list(self._workflows[number].updates)

    def create(self, request: Request) -> Response:
        """Make one with the fields of the query; the body is its ID."""
        number = self.add(request.user.name)
        with self._lock:
            self._workflows[number].updates.append(dict(request.query_params))
        return answers.text(number)

    def get(self, request: Request) -> Response:
        """Show a workflow to its maker and to administrators."""
        with self._lock:
            found = self._workflows.get(request.path_params["id"])
            if found is None:
                raise Refused(404, "Unable to find the specified workflow.")
            if request.user.name != found.user and not request.user.is_admin:
                raise Refused(403, "User cannot read workflow.")
            fields = {key.rpartition("/")[2]: value for update in found.updates for key, value in update.items()}
        return answers.items(answers.item("wrk:workflowData", fields, []))

    def put(self, request: Request) -> Response:
        """Update a workflow."""
        with self._lock:
            found = self._workflows.get(request.path_params["id"])
            if found is None:
                raise Refused(404, "Unable to find the specified workflow.")
            if request.user.name != found.user:
                raise Refused(403, "User cannot edit workflow.")
            found.updates.append(dict(request.query_params))
        return answers.empty()
