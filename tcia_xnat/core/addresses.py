"""Addresses of servers that a user names."""

from urllib.parse import urlsplit

from tcia_xnat.core.errors import UsageError


def server_url(text: str, what: str, example: str) -> str:
    """Return the address of a server, without a slash at its end.

    Parameters
    ----------
    what
        Whose address it should be, for the message.

    Raises
    ------
    UsageError
        It is none.
    """
    url = text.strip()
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_one = False
    if not is_one:
        raise UsageError(f"{text.strip()!r} is not the address of {what}", f"write it as {example}")
    return url.rstrip("/")
