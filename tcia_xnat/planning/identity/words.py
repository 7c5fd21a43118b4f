"""Labels as texts: what XNAT takes, what a name becomes that loses something, and what numbers are given out."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from itertools import count

from tcia_xnat.core.errors import UsageError

LENGTH = 64  # xnat-http.md §6.2
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_-]")
_NUMBER = re.compile(r"_\d{2,}$")
_FIELD = re.compile(r"\{(\w*)\}")
_DIGITS = 8  # of a digest


def clean(text: str) -> str:
    """Return a text as XNAT takes it for a label: `[A-Za-z0-9_-]`, 1 to 64 characters."""
    return _FORBIDDEN.sub("_", text.strip())[:LENGTH] or "_"


def unique(name: str) -> str:
    """Return the label of a name; one that loses something gets a digest of the name.

    It depends on the name alone: it is the same in every run, on every machine, and another for every other name.
    """
    label = clean(name)
    return label if label == name.strip() else with_digest(label, name)


def with_digest(label: str, name: str) -> str:
    """Return a label with the digest of a name behind it."""
    return _with_suffix(label, _digest(name))


def has_digest(label: str, name: str) -> bool:
    """Whether a label has the digest of a name in it."""
    return _digest(name) in label


def _digest(name: str) -> str:
    return f"_{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:_DIGITS]}"


def filled(template: str, fields: Mapping[str, str]) -> str:
    """Return a template with its fields filled in.

    Raises
    ------
    UsageError
        It has a field that does not exist.
    """
    unknown = [name for name in _FIELD.findall(template) if name not in fields]
    if unknown:
        raise UsageError(f"a label cannot be made of {{{unknown[0]}}}", f"fields are {', '.join(fields)}")
    return _FIELD.sub(lambda found: fields[found[1]], template)


def numbered(base: str) -> Iterator[str]:
    """Yield `base`, `base_01`, `base_02` and so on."""
    yield base
    for number in count(1):
        yield _with_suffix(base, f"_{number:02}")


def is_numbered(session: str, name: str) -> bool:
    """Whether a session label is what a name becomes: the name itself, or with a number behind it."""
    found = _NUMBER.search(session)
    base = clean(name)
    return session.lower() in {base.lower(), _with_suffix(base, found[0] if found else "").lower()}


def _with_suffix(base: str, suffix: str) -> str:
    return base[: LENGTH - len(suffix)] + suffix
