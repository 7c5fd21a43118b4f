"""What the Container Service itself refuses when a command is added (CJ-2, CJ-4; xnat-container-command.md §1.6)."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from tcia_xnat.container_command.document import Command, Derived, External, Finding, Handler, Input, Output, Wrapper

RESERVED = frozenset({"XNAT_USER", "XNAT_PASS", "XNAT_HOST"})
"""Variables that the service sets, and lets no secret set."""

_COMMAND_TYPES = {"docker", "docker-setup", "docker-wrapup"}
_VISIBILITIES = {"public", "private", "protected"}
_DELIMITERS = {"quoted-space", "space", "comma", "flag"}
_INPUT_TYPES = {"string", "boolean", "number", "select-one", "select-many", "file", "File"}
_SELECTS = {"select-one", "select-many"}
_WRAPPER_TYPES = {
    *("string", "boolean", "number", "Directory", "File", "File[]", "file", "Project", "ProjectAsset", "Subject"),
    *("SubjectAssessor", "Session", "Scan", "Assessor", "Resource", "Config"),
}
_HANDLER_TYPES = {"Resource", "Assessor", "Scan"}
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_IMAGE = re.compile(r".+:[a-zA-Z0-9_.-]+", re.DOTALL)
_ULIMIT = re.compile(r"-?[0-9]+(:-?[0-9]+)?")
_NOT_IN_SETUP = ("mounts", "inputs", "outputs", "xnat", "environment-variables", "ports", "secrets")


class _Named(Protocol):
    """What has a name: mounts, inputs, outputs, wrappers, handlers."""

    @property
    def name(self) -> str: ...

    def finding(self, rule: str, key: str, message: str) -> Finding: ...


def _names(nodes: Sequence[_Named], *, strict: bool) -> Iterator[Finding]:
    """Yield names that are blank, not unique or, where the service looks, made of other characters."""
    counted = Counter(node.name for node in nodes)
    for node in nodes:
        if not node.name.strip():
            yield node.finding("CJ-2", "name", "the name is missing")
        elif strict and not _NAME.fullmatch(node.name):
            yield node.finding("CJ-2", "name", f"{node.name!r} has other characters than letters, digits, _ and -")
        elif counted[node.name] > 1:
            yield node.finding("CJ-2", "name", f"{node.name!r} is the name of {counted[node.name]}")


def command_itself(command: Command) -> Iterator[Finding]:
    """Yield what is wrong with the top of the document."""
    if not command.name.strip():
        yield command.finding("CJ-2", "name", "the name is missing")
    if not _IMAGE.fullmatch(command.image):
        yield command.finding("CJ-2", "image", f"{command.image!r} is no image with a tag")
    yield from _one_of(command, "type", command.type, _COMMAND_TYPES)
    yield from _one_of(command, "visibility", command.visibility, _VISIBILITIES)
    yield from _one_of(command, "schema-version", command.schema_version, {"1.0"})
    for name, limit in command.ulimits.items():
        if not _ULIMIT.fullmatch(limit):
            yield command.finding("CJ-2", "ulimits", f"{name!r} is {limit!r}, which is not soft or soft:hard")


def _one_of(node: _Named, key: str, value: str, legal: Iterable[str], rule: str = "CJ-2") -> Iterator[Finding]:
    if value not in legal:
        yield node.finding(rule, key, f"{value!r} is none of {', '.join(sorted(legal))}")


def secrets(command: Command) -> Iterator[Finding]:
    """Yield secrets whose variable is set by somebody else."""
    for secret in command.secrets:
        name = secret.destination.identifier
        if name in RESERVED:
            yield secret.finding("CJ-2", "destination", f"XNAT sets {name} itself")
        if name in command.environment_variables:
            yield secret.finding("CJ-2", "destination", f"{name} is one of the environment-variables, too")


def mounts(command: Command) -> Iterator[Finding]:
    """Yield mounts without name or path, and names that come twice."""
    yield from _names(command.mounts, strict=False)
    for mount in command.mounts:
        if not mount.path.strip():
            yield mount.finding("CJ-2", "path", "the path is missing")


def inputs(command: Command) -> Iterator[Finding]:
    """Yield what is wrong with the command's inputs."""
    yield from _names(command.inputs, strict=True)
    for one in command.inputs:
        yield from _one_of(one, "type", one.type, _INPUT_TYPES, "CJ-4")
        if one.multiple_delimiter is not None:
            yield from _one_of(one, "multiple-delimiter", one.multiple_delimiter, _DELIMITERS)
        yield from _selection(one)


def _selection(one: Input) -> Iterator[Finding]:
    if one.type not in _SELECTS:
        if one.select_values:
            yield one.finding("CJ-2", "select-values", f"an input of type {one.type} has no values to select")
        return
    if not one.select_values:
        yield one.finding("CJ-2", "select-values", "there is nothing to select")
    if one.type == "select-many" and one.default_value is None:
        yield one.finding("CJ-4", "default-value", "a select-many without one makes the service fail")
    foreign = [value for value in _defaults(one) if value not in one.select_values]
    if foreign:
        yield one.finding("CJ-2", "default-value", f"{foreign[0]!r} is none of the select-values")


def _defaults(one: Input) -> Sequence[str]:
    """Return the values that are selected at the start; those of a select-many may be a list in JSON."""
    if one.default_value is None:
        return []
    if one.type == "select-many":
        try:
            listed = json.loads(one.default_value)
        except (ValueError, RecursionError):
            return [one.default_value]
        if isinstance(listed, list):
            return [str(value) for value in listed]
    return [one.default_value]


def outputs(command: Command) -> Iterator[Finding]:
    """Yield what is wrong with outputs, and outputs that a wrapper leaves lying."""
    yield from _names(command.outputs, strict=True)
    mounts = {mount.name for mount in command.mounts}
    for output in command.outputs:
        if output.mount not in mounts:
            yield output.finding("CJ-2", "mount", f"there is no mount {output.mount!r}")
        yield from (_unhandled(wrapper, output) for wrapper in command.xnat if not _handles(wrapper, output))


def _handles(wrapper: Wrapper, output: Output) -> bool:
    return any(handler.accepts_command_output == output.name for handler in wrapper.output_handlers)


def _unhandled(wrapper: Wrapper, output: Output) -> Finding:
    return wrapper.finding("CJ-2", "output-handlers", f"nothing handles the output {output.name!r}")


def wrappers(command: Command) -> Iterator[Finding]:
    """Yield what is wrong with wrappers and what they are made of."""
    yield from _names(command.xnat, strict=False)
    for wrapper in command.xnat:
        if not wrapper.external_inputs:
            yield wrapper.finding("CJ-2", "external-inputs", "a wrapper needs one")
        yield from _names(wrapper.inputs, strict=True)
        yield from _names(wrapper.output_handlers, strict=False)
        for one in wrapper.inputs:
            yield from _wrapper_input(command, one)
        yield from _derivations(wrapper)
        for number, handler in enumerate(wrapper.output_handlers):
            yield from _handler(command, wrapper, handler, wrapper.output_handlers[:number])


def _wrapper_input(command: Command, one: External) -> Iterator[Finding]:
    yield from _one_of(one, "type", one.type, _WRAPPER_TYPES, "CJ-4")
    if one.via_setup_command and not one.provides_files_for_command_mount:
        yield one.finding("CJ-2", "via-setup-command", "an input that gives no files to a mount has nothing to set up")
    target = one.provides_value_for_command_input
    if any(known.name == target and known.type in _SELECTS for known in command.inputs):
        yield one.finding("CJ-2", "provides-value-for-command-input", f"{target!r} is a selection, nothing may feed it")


def _derivations(wrapper: Wrapper) -> Iterator[Finding]:
    """Yield derived inputs whose origin is not declared before them (CJ-11), and impossible multiple ones."""
    declared = {one.name for one in wrapper.external_inputs}
    for one in wrapper.derived_inputs:
        if one.derived_from_wrapper_input not in declared:
            origin = one.derived_from_wrapper_input
            yield one.finding("CJ-11", "derived-from-wrapper-input", f"no input {origin!r} is declared before this one")
        declared.add(one.name)
        yield from _multiple(one)


def _multiple(one: Derived) -> Iterator[Finding]:
    if one.multiple and one.provides_files_for_command_mount:
        yield one.finding("CJ-2", "multiple", "a mount takes one input, not several")
    if one.multiple and not one.provides_value_for_command_input:
        yield one.finding("CJ-2", "multiple", "several values must go to an input of the command")


def _handler(command: Command, wrapper: Wrapper, handler: Handler, before: Sequence[Handler]) -> Iterator[Finding]:
    if handler.accepts_command_output not in {output.name for output in command.outputs}:
        yield handler.finding("CJ-2", "accepts-command-output", f"no output {handler.accepts_command_output!r}")
    yield from _one_of(handler, "type", handler.type, _HANDLER_TYPES)
    if handler.type == "Resource" and not handler.label.strip():
        yield handler.finding("CJ-2", "label", "a resource needs a label")
    parent = handler.as_a_child_of or handler.as_a_child_of_wrapper_input
    if parent not in {one.name for one in wrapper.inputs} | {one.name for one in before}:
        yield handler.finding("CJ-2", "as-a-child-of", f"no input and no earlier handler {parent!r}")
    for one in wrapper.derived_inputs:
        if one.name == parent and (one.multiple or one.derived_from_xnat_object_property not in {"", "uri"}):
            yield handler.finding("CJ-2", "as-a-child-of", f"the value of {parent!r} is no address of one object")


def setup_commands(command: Command) -> Iterator[Finding]:
    """Yield what commands that prepare or finish others may not have."""
    if command.type in {"docker-setup", "docker-wrapup"}:
        for key in _NOT_IN_SETUP:
            if getattr(command, key.replace("-", "_")):
                yield command.finding("CJ-2", key, f"a command of type {command.type} has none")


RULES: tuple[Callable[[Command], Iterator[Finding]], ...] = (
    command_itself,
    secrets,
    mounts,
    inputs,
    outputs,
    wrappers,
    setup_commands,
)
