"""Addresses that somebody else wrote: asked only by https, and only where the whole internet may ask.

A manifest must not make us ask services that trust the network we are in (tcia-nbia-and-idc.md §11.2). Names are
resolved once, checked, and the checked address is the one that is connected to: a name cannot change in between.
"""

import ipaddress
import os
import socket
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from tcia_xnat.core.variables import ALLOW_PRIVATE
from tcia_xnat.web.environment import proxy_of
from tcia_xnat.web.session import Session

_ON = {"1", "true", "yes", "on"}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # holds an address of IPv4 in its last 32 bits


class NotPublic(OSError):
    """An address that is not asked: no https, or one that only we can reach."""


class ForeignSession(Session):
    """A session for addresses that somebody else wrote."""

    def __init__(self, limit: int, *, allow_private: bool) -> None:
        super().__init__(limit)
        self.allow_private = allow_private
        if not allow_private:
            self.mount("https://", _GuardedAdapter())
            self.mount("http://", _GuardedAdapter())

    def ask(self, address: str, timeout: tuple[float, float], left: int) -> requests.Response:
        """Return the answer behind an address and `left` redirects, each of which must be public as well.

        Raises
        ------
        NotPublic
            It leads where nobody may be led.
        requests.RequestException
        """
        self.check(address)
        answer = self.get(address, timeout=timeout)
        if not answer.is_redirect or not left:
            return answer
        return self.ask(joined(address, answer.headers["Location"]), timeout, left - 1)

    def check(self, address: str) -> None:
        """Refuse an address that may not be asked, as far as that is known before its name is resolved.

        Raises
        ------
        NotPublic
        """
        parts = split(address)
        if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username or parts.password:
            raise NotPublic(address)
        if self.allow_private:
            if parts.scheme == "http" and not _is_private_host(parts):
                raise NotPublic(address)
            return
        if parts.scheme != "https" or (proxy_of(address) and _is_private_host(parts)):
            raise NotPublic(address)  # behind a proxy, which resolves the name itself, ours is the only look at it


def may_be_private() -> bool:
    """Whether the user allows addresses on this machine and in its network."""
    return os.environ.get(ALLOW_PRIVATE, "").strip().lower() in _ON


def is_not_public(error: BaseException | None) -> bool:
    """Whether an error is, or comes from, an address that is not asked."""
    while error is not None and not isinstance(error, NotPublic):
        error = error.__cause__ or error.__context__
    return error is not None


def split(address: str) -> SplitResult:
    """Return the parts of an address.

    Raises
    ------
    NotPublic
        It is none.
    """
    try:
        parts = urlsplit(address)
        _ = parts.port, parts.hostname
    except ValueError as error:
        raise NotPublic(address) from error
    return parts


def joined(address: str, location: str) -> str:
    """Return where a redirect of an address points to.

    Raises
    ------
    NotPublic
        Nowhere.
    """
    try:
        return urljoin(address, location)
    except ValueError as error:
        raise NotPublic(location) from error


def origin(address: str) -> tuple[str, str]:
    """Return scheme and host with port of an address."""
    parts = split(address)
    return parts.scheme, parts.netloc.lower()


def is_public(address: str) -> bool:
    """Whether an IP address is one that the whole internet can reach."""
    try:
        ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _is_private_host(parts: SplitResult) -> bool:
    """Whether the host is a private address, or its name stands for one; what cannot be resolved is not."""
    try:
        found = _resolved(parts.hostname or "", parts.port or 443)
    except OSError:
        return False
    return not all(map(is_public, found))


def _resolved(host: str, port: int) -> list[str]:
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except UnicodeError as error:  # a label of more than 63 characters
        raise OSError(f"{host} is no name of a host") from error


def _checked(host: str, port: int) -> str:
    """Return the address to connect to.

    Raises
    ------
    NotPublic
    OSError
    """
    found = _resolved(host, port)
    if not found or not all(map(is_public, found)):
        raise NotPublic(host)
    return found[0]


class _Guarded(HTTPConnection):
    """A connection to an address that was checked; certificate and Host header are those of the name."""

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        try:
            self._dns_host = _checked(name, self.port or 443)
            return super()._new_conn()
        finally:
            self._dns_host = name


class _GuardedHttps(_Guarded, HTTPSConnection):
    """The same by https."""


class _GuardedPool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _GuardedHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHttps


class _GuardedAdapter(HTTPAdapter):
    """Opens connections that look where they go; one to a proxy does not, it is the environment's."""

    def init_poolmanager(self, *values: Any, **options: Any) -> None:  # noqa: ANN401  as requests has it
        super().init_poolmanager(*values, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _GuardedPool, "https": _GuardedHttpsPool}
