"""What the service accepts and a launch then breaks: values, command line, variables, sizes (CJ-4 to CJ-8, 14, 15)."""

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, permutations

from tcia_xnat import __version__
from tcia_xnat.container_command.document import Command, Finding, Input, Node

_REFUSED = (";", "&&", "||", "`", "(")  # in any value, at the launch (xnat-container-command.md §3.2)
_SET_BY_XNAT = "XNAT_"  # the service sets five such variables, and fails when a command sets one, too (§3.1)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_KEY = re.compile(r"#[A-Z][A-Z0-9_]*#")
_NUMBER = re.compile(r"-?[0-9]+([.][0-9]+)?")
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # names of Kubernetes volumes
_IMAGE = re.compile(r"(?P<place>[^@]+)/[^/:@]+:(?P<tag>[^/:@]+)")
_LEAST_MEMORY = 256  # MiB
_ABSENT = ("auto-remove", "container-name", "network", "ports", "gpus", "secrets")  # each harms a backend (§1.2)


def values(command: Command) -> Iterator[Finding]:
    """CJ-4: yield values that the service itself refuses at a launch, or that are not of their input's type."""
    for one in command.inputs:
        texts = {"default-value": one.default_value, "true-value": one.true_value, "false-value": one.false_value}
        for key, text in texts.items():
            yield from _refused(one, key, text or "")
        for text in one.select_values:
            yield from _refused(one, "select-values", text)
        yield from _typed(one)
    for given in chain.from_iterable(wrapper.inputs for wrapper in command.xnat):
        yield from _refused(given, "default-value", given.default_value or "")


def _refused(node: Node, key: str, text: str) -> Iterator[Finding]:
    bad = [mark for mark in _REFUSED if mark in text]
    if bad:
        yield node.finding("CJ-4", key, f"{text!r} holds {bad[0]}, which XNAT refuses at the launch")


def _typed(one: Input) -> Iterator[Finding]:
    if one.type == "number" and one.default_value and not _NUMBER.fullmatch(one.default_value):
        yield one.finding("CJ-4", "default-value", f"{one.default_value!r} is no number")
    if one.type == "boolean" and one.default_value not in {None, "", "true", "false"}:
        yield one.finding("CJ-4", "default-value", f"{one.default_value!r} is neither true nor false")
    if one.type != "boolean" and {"true-value", "false-value"} & one.given:
        yield one.finding("CJ-4", "true-value", "only an input of type boolean has one")


def command_line(command: Command) -> Iterator[Finding]:
    """CJ-5: yield a command line that is anything else than constant words for the image's own entry point."""
    line = command.command_line
    if command.override_entrypoint:
        yield command.finding("CJ-5", "override-entrypoint", "a shell would take the place of the image's entry point")
    if not line.strip():
        yield command.finding("CJ-5", "command-line", "it is missing, and the launch fails without it")
    if not line.isascii() or not line.isprintable():
        yield command.finding("CJ-5", "command-line", "it has other characters than printable ASCII")
    for mark in ("$", "#", "XNAT_", *(key for _, key in command.replacement_keys())):
        if mark in line:
            yield command.finding("CJ-5", "command-line", f"it holds {mark!r}; others can see the words of a command")


def variables(command: Command) -> Iterator[Finding]:
    """CJ-6: yield variables that collide with XNAT's, and values that are more than one replacement key."""
    keys = {one.key for one in command.inputs}
    every_key = {key for _, key in command.replacement_keys()}
    for name, value in command.environment_variables.items():
        at = f"environment-variables.{name}" if _VARIABLE.fullmatch(name) else "environment-variables"
        if name.startswith(_SET_BY_XNAT):
            yield command.finding("CJ-6", "environment-variables", f"{name!r} is XNAT's own")
        if not _VARIABLE.fullmatch(name):
            yield command.finding("CJ-6", "environment-variables", f"{name!r} is no [A-Z][A-Z0-9_]*")
        if value not in keys and ("#" in value or any(key in value for key in every_key)):
            yield Finding("CJ-6", at, f"{value!r} is neither a literal nor the replacement key of one input")


def replacement_keys(command: Command) -> Iterator[Finding]:
    """CJ-7: yield keys that are not unique or not plain, and inputs whose value reaches nobody."""
    used = set(command.environment_variables.values())
    for one in command.inputs:
        if not _KEY.fullmatch(one.key):
            yield one.finding("CJ-7", "replacement-key", f"{one.key!r} is no #UPPER_SNAKE#")
        if one.key not in used:
            yield one.finding("CJ-7", "replacement-key", f"no variable has the value {one.key}")
    for given in chain.from_iterable(wrapper.inputs for wrapper in command.xnat):
        if given.replacement_key and not _KEY.fullmatch(given.replacement_key):
            yield given.finding("CJ-7", "replacement-key", f"{given.replacement_key!r} is no #UPPER_SNAKE#")
    for wrapper in command.xnat or (None,):
        own: list[tuple[Node, str]] = [(one, one.key) for one in command.inputs]
        yield from _ambiguous([*own, *((one, one.key) for one in (wrapper.inputs if wrapper else ()))])


def _ambiguous(keys: list[tuple[Node, str]]) -> Iterator[Finding]:
    counted = Counter(key for _, key in keys)
    for node, key in keys:
        if counted[key] > 1:
            yield node.finding("CJ-7", "replacement-key", f"{key!r} stands for {counted[key]} values")
    for (_, inner), (node, outer) in permutations(keys, 2):
        if inner != outer and inner in outer:
            yield node.finding("CJ-7", "replacement-key", f"{outer!r} holds {inner!r}, which is replaced, too")


def names_and_paths(command: Command) -> Iterator[Finding]:
    """CJ-8: yield names that Kubernetes refuses, and paths that are relative or not distinct."""
    if command.name.strip() and not _DNS_LABEL.fullmatch(command.name):
        yield command.finding("CJ-8", "name", f"{command.name!r} has other characters than a-z, 0-9 and -")
    paths = Counter(posixpath.normpath(mount.path) for mount in command.mounts)
    for mount in command.mounts:
        if not _DNS_LABEL.fullmatch(mount.name):
            yield mount.finding("CJ-8", "name", f"{mount.name!r} cannot be the name of a volume of Kubernetes")
        if not mount.path.startswith("/") or "#" in mount.path:
            yield mount.finding("CJ-8", "path", f"{mount.path!r} is no absolute, constant path")
        if paths[posixpath.normpath(mount.path)] > 1:
            yield mount.finding("CJ-8", "path", f"two mounts have the path {mount.path!r}")


def image(command: Command) -> Iterator[Finding]:
    """CJ-14: yield an image that is not the one of this release."""
    found = _IMAGE.fullmatch(command.image)
    if command.version != __version__:
        yield command.finding("CJ-14", "version", f"{command.version!r} is not this release, {__version__}")
    if not found:
        yield command.finding("CJ-14", "image", f"{command.image!r} is not organisation/name:tag")
    elif found["tag"] != command.version or found["tag"] == "latest":
        yield command.finding("CJ-14", "image", f"the tag {found['tag']!r} is not the version {command.version!r}")


def limits(command: Command) -> Iterator[Finding]:
    """CJ-15: yield sizes that are missing or wrong, and settings that a backend cannot bear."""
    for key, size in (("reserve-memory", command.reserve_memory), ("limit-memory", command.limit_memory)):
        if size is None or size < _LEAST_MEMORY:
            yield command.finding("CJ-15", key, f"it must be {_LEAST_MEMORY} (MiB) or more")
    if (command.reserve_memory or 0) > (command.limit_memory or 0):
        yield command.finding("CJ-15", "reserve-memory", "it is above limit-memory")
    if command.limit_cpu is None or command.limit_cpu <= 0:
        yield command.finding("CJ-15", "limit-cpu", "it must be above 0")
    for key in _ABSENT:
        if key in command.given:
            yield command.finding("CJ-15", key, "leave it out; not every backend can do it")


RULES: tuple[Callable[[Command], Iterator[Finding]], ...] = (
    values,
    command_line,
    variables,
    replacement_keys,
    names_and_paths,
    image,
    limits,
)
