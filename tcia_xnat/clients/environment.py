"""What the environment says about certificates and proxies, checked before anything is sent."""

import os
from importlib.util import find_spec
from pathlib import Path

import certifi
import requests

from tcia_xnat.errors import UsageError

CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_SCHEMES = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"}


def certificates() -> str:
    """File or folder of the certificate authorities we trust: the environment's choice, else those of certifi.

    Raises
    ------
    UsageError
        A variable names nothing that is there.
    """
    for name in CERTIFICATES:
        if path := os.environ.get(name):
            if not Path(path).exists():
                raise UsageError(f"{name} names {path}, which is not there", f"correct {name}, or unset it")
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
    proxy = str(found) if "://" in found else f"http://{found}"
    scheme = proxy.partition("://")[0].lower()
    if scheme not in _SCHEMES:
        raise UsageError(
            f"the proxy speaks {scheme}, which is no kind of proxy", "write HTTPS_PROXY as http://host:port"
        )
    if scheme.startswith("socks") and find_spec("socks") is None:
        raise UsageError("a SOCKS proxy needs the package PySocks", "pip install PySocks, or name an http proxy")
    return proxy
