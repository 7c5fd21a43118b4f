"""The server on its port, and what tests and the demo do with it."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.record import Around, Asked, Recorder
from sandbox.serve import Server
from sandbox.xnat.application import Parts, make_application
from sandbox.xnat.settings import Settings


class XnatServer:
    """An XNAT on loopback.

    Parameters
    ----------
    directory
        Holds everything; a second server on it goes on with the same projects, prearchive and archive.
    settings
        Site preferences; they may be changed while it serves.
    port
        0 takes any free port.
    users
        User name → password; `admin` is the administrator.
    around
        What is put around the application, inside of what records its requests.

    Attributes
    ----------
    parts
        The parts of the server, for tests that look inside.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: Settings | None = None,
        port: int = 0,
        users: Mapping[str, str] | None = None,
        around: Around | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.parts = Parts(directory, self.settings, users or {"admin": "admin"})
        self._recorder = Recorder(make_application(self.parts), around)
        self._server = Server(self._recorder, port)
        if not self.settings.site_url:
            self.settings.site_url = self.url

    @property
    def url(self) -> str:
        """Address of the server, with its context path and without a slash at its end."""
        return f"{self._server.url}{self.settings.context_path}"

    @property
    def under_way(self) -> int:
        """How many requests it is answering."""
        return self._recorder.under_way

    @property
    def requests(self) -> list[Asked]:
        """Everything that was answered, in the order of the answers."""
        return self._recorder.requests

    def start(self) -> Self:
        """Serve in the background."""
        self.parts.background.start()
        self._server.start()
        return self

    def stop(self) -> None:
        """Finish what is in flight and free the port."""
        self.settings.breakpoints.open_all()
        self._server.stop()
        self.parts.background.stop()
        self.parts.store.close()

    def add_user(self, name: str, password: str, roles: Mapping[str, str] | None = None) -> None:
        """Add a user with roles in projects: `{"PROJECT": "Collaborators"}`; also Members and Owners."""
        self.parts.accounts.add_user(name, password)
        for project, role in (roles or {}).items():
            self.parts.rights.grant(project, name, role)

    def advance(self, minutes: float) -> None:
        """Let time pass, and do what is due then: idle sessions, old tokens."""
        self.settings.clock.advance(minutes * 60)
        self.parts.background.run_due()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
