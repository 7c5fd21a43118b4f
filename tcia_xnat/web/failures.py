"""Why a server cannot be reached, in the words of people, and what to do about it: one explanation for all commands."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ProxyError

from tcia_xnat.core.errors import SourceError, SourceUnreachable, UsageError
from tcia_xnat.web.environment import host_of, proxy_of
from tcia_xnat.web.session import AnswerTooLarge

CERTIFICATE_HINT = (
    "if the certificate is that of your institution, name the file of its certificate authority in REQUESTS_CA_BUNDLE"
)
_AGAIN = "look at the network and the proxy, then run the same command again: it continues"
_PLAIN = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE")  # OpenSSL's reasons
_BROKE_OFF = {  # what the libraries call it, and what it is
    "RemoteDisconnected": "the connection was closed without an answer",
    "IncompleteRead": "the answer ended too early",
    "InvalidChunkLength": "the answer ended too early",
    "TimeoutError": "no answer in time",
    "DecodeError": "the answer cannot be decompressed",
    "InvalidHeader": "the answer is no HTTP",
    "BadStatusLine": "the answer is no HTTP",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a connection failed; `hint` is empty when only waiting may help."""

    reason: str
    hint: str = ""


def explain(url: str, error: BaseException) -> Failure:
    """Explain why a request to `url` failed."""
    chain = list(_chain(error))
    reason = innermost(error)
    if any(isinstance(one, ProxyError | requests.exceptions.ProxyError) for one in chain):
        return Failure(
            f"the proxy {_proxy_name(url)} does not lead there: {reason}", "look at HTTPS_PROXY and NO_PROXY"
        )
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in chain):
        return Failure(reason, CERTIFICATE_HINT)
    if any(isinstance(one, ssl.SSLError) and (one.reason or "").upper() in _PLAIN for one in chain):
        plain = f"http://{urlsplit(url).netloc}"
        return Failure("the port does not speak https", f"it may speak plain http: try {plain}")
    if any(isinstance(one, socket.gaierror) for one in chain):
        return Failure(f"{urlsplit(url).hostname}: {reason}", "look at the name of the server and at the network")
    return Failure(reason)


def unreachable(server: str, error: Exception, url: str = "") -> SourceError:
    """Turn a failed connection to a source into one of our errors."""
    failure = explain(url, error)
    if any(isinstance(one, AnswerTooLarge) for one in _chain(error)):
        return SourceError(f"{server} is not to be trusted: {failure.reason}")
    return SourceUnreachable(f"{server} cannot be reached or broke off: {failure.reason}", failure.hint or _AGAIN)


def innermost(error: BaseException) -> str:
    """Say what lies at the bottom of a chain of errors, in the system's words or in ours where there are any."""
    chain = list(_chain(error))
    return next(filter(None, map(_in_words, reversed(chain))), type(chain[-1]).__name__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _in_words(error: BaseException) -> str:
    if isinstance(error, AnswerTooLarge):
        return str(error)
    told = error.strerror if isinstance(error, OSError) else ""
    return told or _BROKE_OFF.get(type(error).__name__, "")


def _proxy_name(url: str) -> str:
    """Return host and port of the proxy, without a password."""
    try:
        return host_of(proxy_of(url) or "")
    except UsageError:
        return ""
