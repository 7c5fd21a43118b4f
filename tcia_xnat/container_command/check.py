"""Everything that can be said about a command.json without XNAT: what the service refuses, and what breaks later.

The service takes many documents that fail at the launch, or do something else than they say: all are findings
(xnat-container-command.md §6).
"""

from collections.abc import Iterator
from itertools import chain

from tcia_xnat.container_command import launch, service, wiring
from tcia_xnat.container_command.document import Command, Finding, below
from tcia_xnat.container_command.read import parse, read

_VARCHAR = 255  # width of XNAT's columns (§1.1)
_TEXT_KEYS = {"description", "command-line", "default-value"}  # columns without a width
_FREE_KEYS = {"command-metadata"}  # kept as JSON


def check(content: bytes) -> tuple[Finding, ...]:
    """Return what is wrong with the bytes of a command.json; nothing for a good one, no exception for a bad one."""
    document, findings = parse(content)
    if document is None and findings:
        return tuple(findings)
    try:
        return (*findings, *check_document(document))
    except RecursionError:
        return (*findings, Finding("CJ-1", "", "lists and objects are nested too deeply"))


def check_document(document: object) -> tuple[Finding, ...]:
    """Return what is wrong with a command that is parsed already."""
    command, findings = read(document)
    if not isinstance(document, dict):
        return tuple(findings)
    return tuple(chain(findings, _rules(command), _too_long(document, "")))


def _rules(command: Command) -> Iterator[Finding]:
    for rule in (*service.RULES, *launch.RULES, *wiring.RULES):
        yield from rule(command)


def _too_long(value: object, at: str) -> Iterator[Finding]:
    """CJ-8: yield texts that a column of XNAT's database cannot hold."""
    if isinstance(value, str) and len(value) > _VARCHAR:
        yield Finding("CJ-8", at, f"{len(value)} characters, XNAT keeps at most {_VARCHAR}")
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from _too_long(one, f"{at}[{number}]")
    if isinstance(value, dict):
        for key, one in value.items():
            if key not in _TEXT_KEYS | _FREE_KEYS:
                yield from _too_long(key, below(at, key[:20]))
                yield from _too_long(one, below(at, key))
