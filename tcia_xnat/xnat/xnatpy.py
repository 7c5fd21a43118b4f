"""xnatpy's connection, which ends whatever happens: its thread must not go on asking a server that is gone."""

import xnat.session


class Connection(xnat.session.XNATSession):  # type: ignore[misc]  # xnatpy has no types
    """A connection that leaves no thread behind, also when XNAT does not answer its first or its last request.

    xnatpy ends the thread that keeps a session alive only after XNAT has confirmed the logout.
    """

    def connect(self, *args: object, **options: object) -> None:
        """Begin to keep the session alive; raises what the first request raises."""
        try:
            super().connect(*args, **options)
        except BaseException:
            self._end()
            raise

    def disconnect(self) -> None:
        """Log out; raises what the request raises."""
        try:
            super().disconnect()
        finally:
            self._end()

    def _end(self) -> None:
        xnat.session.BaseXNATSession.disconnect(self)
