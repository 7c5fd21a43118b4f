"""What the environment says about certificates and proxies, checked before anything is sent."""

import os
import ssl
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import requests

from tcia_xnat.core.errors import UsageError

CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_SCHEMES = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"}


def certificates() -> str:
    """File or folder of the certificate authorities we trust: the environment's choice, else those of certifi.

    Raises
    ------
    UsageError
        A variable names nothing that is there, or what holds no certificate.
    """
    for name in CERTIFICATES:
        if path := os.environ.get(name):
            if not Path(path).exists():
                raise UsageError(f"{name} names {path}, which is not there", f"correct {name}, or unset it")
            if why := _unreadable(path):
                raise UsageError(
                    f"{name} names {path}, which holds no certificates: {why}", f"correct {name}, or unset it"
                )
            return path
    return certifi.where()


def proxy_of(url: str) -> str | None:
    """Address of the proxy that the environment has for a URL; None when it has none.

    An address without a scheme is one of http, as curl reads it.

    Raises
    ------
    UsageError
        The proxy cannot be used.
    """
    found = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    if not found:
        return None
    variable, proxy = _variable(found), str(found) if "://" in found else f"http://{found}"
    scheme = proxy.partition("://")[0].lower()
    if not host_of(proxy):
        raise UsageError(
            f"{found.rpartition('@')[2]} of {variable} is not the address of a proxy",
            f"write {variable} as http://host:port",
        )
    if scheme not in _SCHEMES:
        raise UsageError(
            f"the proxy of {variable} speaks {scheme}, which is no kind of proxy",
            f"write {variable} as http://host:port",
        )
    if scheme.startswith("socks") and find_spec("socks") is None:
        raise UsageError(
            "a SOCKS proxy needs the package PySocks", f"pip install PySocks, or name an http proxy in {variable}"
        )
    return proxy


def proxies_of(urls: Iterable[str]) -> list[str]:
    """Hosts of the proxies that the environment has for some URLs, without users and passwords.

    Raises
    ------
    UsageError
        One of them cannot be used.
    """
    return sorted({host_of(proxy) for url in urls if (proxy := proxy_of(url))})


def host_of(proxy: str) -> str:
    """Return host and port of a proxy; empty when its address has no host or an invalid port."""
    try:
        parts = urlsplit(proxy)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        return f"{host}:{parts.port}" if host and parts.port else host
    except ValueError:
        return ""


def _variable(proxy: str) -> str:
    """Name of the variable that names a proxy; those in small letters win."""
    names = (name for name in sorted(os.environ, reverse=True) if name.lower().endswith("_proxy"))
    return next((name for name in names if os.environ[name] == proxy), "HTTPS_PROXY")


@cache
def _unreadable(path: str) -> str:
    """Why nothing can be trusted by a file of certificates; a folder is looked at when a certificate is."""
    try:
        ssl.create_default_context(cafile=None if Path(path).is_dir() else path, capath=path)
    except OSError as error:
        return error.strerror or "it is no PEM"
    return ""
