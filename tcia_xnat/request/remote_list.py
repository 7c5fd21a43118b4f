"""A manifest behind an address: fetched without credentials, from a host that everybody may ask."""

from pathlib import PurePosixPath

from tcia_xnat import web
from tcia_xnat.core import limits
from tcia_xnat.core.errors import ManifestError, SourceUnreachable
from tcia_xnat.core.variables import ALLOW_PRIVATE
from tcia_xnat.web.failures import unreachable
from tcia_xnat.web.public_hosts import ForeignSession, is_not_public, may_be_private, split

_HINT = f"addresses by https on the internet are followed; {ALLOW_PRIVATE}=1 also allows those of your network"
_TIMEOUT = (web.CONNECT_SECONDS, web.SILENT_SECONDS)


def fetch(address: str) -> bytes:
    """Return what is at an address.

    Raises
    ------
    ManifestError
        It may not be asked, or there is nothing.
    SourceUnreachable
    """
    with ForeignSession(limits.LIST_FILE, allow_private=may_be_private()) as session:
        try:
            answer = session.ask(address, _TIMEOUT, web.REDIRECTS)
        except OSError as error:
            if is_not_public(error):
                raise ManifestError(
                    f"the manifest points at {web.shown(address)}, which is not followed", _HINT
                ) from error
            raise unreachable(split(address).hostname or address, error, address) from error
    if answer.ok and not answer.is_redirect:
        return answer.content
    said = f"{address} answered {answer.status_code}"
    if web.is_later(answer.status_code):
        raise SourceUnreachable(said, retry_after=web.retry_after(answer.headers.get("Retry-After")))
    raise ManifestError(said, "the manifest that points there may be outdated; have it made again")


def file_name(address: str) -> str:
    """Return the last part of an address, for the file that is behind it."""
    return PurePosixPath(split(address).path).name or "manifest"
