"""What the service accepts and a launch then breaks: who feeds what, and where outputs go (CJ-3, CJ-9 to CJ-13).

Sections are those of xnat-container-command.md.
"""

import posixpath
from collections import Counter
from collections.abc import Callable, Iterator

from tcia_xnat.container_command.document import Command, Derived, External, Finding, Mount, Output, Wrapper

CONTEXT = "xnat:projectData"
MANIFEST_RESOURCE = "TCIA"
"""The resource that holds manifests; a report in it would stand in their list."""

_VALUE, _FILES = "provides-value-for-command-input", "provides-files-for-command-mount"
_PLAIN_TYPES = {"string", "boolean", "number", "file", "Config"}  # no objects of XNAT
_MOUNTABLE = {"ProjectAsset", "SubjectAssessor", "Session", "Scan", "Assessor", "Resource", "File"}  # §1.5
_FILE_TYPES = {"File", "File[]", "Directory"}
_NEVER_DERIVED = {"boolean", "number", "Config"}  # the service gives them no value (§1.5)


def providers(command: Command) -> Iterator[Finding]:
    """CJ-3: yield inputs of wrappers that feed nothing that exists, or the same as another."""
    for wrapper in command.xnat:
        for one in wrapper.inputs:
            yield from _targets(command, one)
        yield from _twice(wrapper, _VALUE, [one.provides_value_for_command_input for one in wrapper.inputs])
        yield from _twice(wrapper, _FILES, [one.provides_files_for_command_mount for one in wrapper.inputs])


def _targets(command: Command, one: External) -> Iterator[Finding]:
    value, files = one.provides_value_for_command_input, one.provides_files_for_command_mount
    if _VALUE in one.given and value not in {known.name for known in command.inputs}:
        yield one.finding("CJ-3", _VALUE, f"the command has no input {value!r}")
    if _FILES in one.given and files not in {mount.name for mount in command.mounts}:
        yield one.finding("CJ-3", _FILES, f"the command has no mount {files!r}")
    if files and one.type not in _MOUNTABLE:
        yield one.finding("CJ-3", _FILES, f"an input of type {one.type} must not feed a mount")


def _twice(wrapper: Wrapper, key: str, targets: list[str]) -> Iterator[Finding]:
    for target, number in Counter(filter(None, targets)).items():
        if number > 1:
            yield wrapper.finding("CJ-3", "derived-inputs", f"{number} inputs have {key} {target!r}")


def mounts(command: Command) -> Iterator[Finding]:
    """CJ-9: yield mounts that would be copied, or could not be written, and mounts that are missing."""
    names = {mount.name for mount in command.mounts}
    for name in sorted({"manifest", "out"} - names):
        yield command.finding("CJ-9", "mounts", f"there is no mount {name!r}")
    for mount in command.mounts:
        for wrapper in command.xnat:
            yield from _fed(mount, wrapper)


def _fed(mount: Mount, wrapper: Wrapper) -> Iterator[Finding]:
    feeders = [one for one in wrapper.inputs if one.provides_files_for_command_mount == mount.name]
    if mount.name == "manifest" and not feeders:
        yield mount.finding("CJ-9", "name", f"nothing in {wrapper.name!r} feeds it")
    if mount.name == "out" and feeders:
        yield mount.finding("CJ-9", "name", f"{feeders[0].name!r} feeds it, so it is no place for outputs")
    if any(one.type != "Resource" for one in feeders):
        yield mount.finding("CJ-9", "name", f"{feeders[0].name!r} feeds it and is no Resource")
    if feeders and mount.writable is not False:
        yield mount.finding("CJ-9", "writable", "true makes XNAT copy what feeds it at every launch")
    if not feeders and mount.writable is not True:
        yield mount.finding("CJ-9", "writable", "nothing feeds it, so it is there to be written")


def outputs(command: Command) -> Iterator[Finding]:
    """CJ-9: yield outputs that would be more than one folder, or make a good run fail."""
    written = {mount.name for mount in command.mounts if mount.writable}
    for output in command.outputs:
        if not _is_folder(output):
            yield output.finding("CJ-9", "path", f"{output.path!r} is no folder below the mount")
        if "glob" in output.given:
            yield output.finding("CJ-9", "glob", "XNAT ignores it and takes every file")
        if output.required:
            yield output.finding("CJ-9", "required", "a report that is missing must not make a run fail")
        if output.mount not in written:
            yield output.finding("CJ-9", "mount", f"{output.mount!r} is not writable")


def _is_folder(output: Output) -> bool:
    path = posixpath.normpath(output.path.strip() or ".")
    return path != "." and not path.startswith(("/", "..")) and "#" not in path


def matchers(command: Command) -> Iterator[Finding]:
    """CJ-10: yield matchers that mean something else than they seem, are never applied, or are missing."""
    for known in command.inputs:
        if "matcher" in known.given:
            yield known.finding("CJ-10", "matcher", "XNAT never applies it to an input of the command")
    for wrapper in command.xnat:
        for one in wrapper.inputs:
            yield from _matcher(one)


def _matcher(one: External) -> Iterator[Finding]:
    if one.matcher.count("^") > 1:
        yield one.finding("CJ-10", "matcher", "what stands between two ^ is taken for another path")
    if "\\" in one.matcher:
        yield one.finding("CJ-10", "matcher", "a backslash does not survive every way into XNAT; write [.]")
    if isinstance(one, Derived) and one.type in {"Resource", "File"} and not one.matcher.strip():
        yield one.finding("CJ-10", "matcher", "without one, any name is taken, and some make every launch fail")


def derivations(command: Command) -> Iterator[Finding]:
    """CJ-11: yield derived inputs that resolve to nothing."""
    for wrapper in command.xnat:
        types = {one.name: one.type for one in wrapper.inputs}
        for one in wrapper.derived_inputs:
            yield from _derived(one, types.get(one.derived_from_wrapper_input, ""))
        for one in wrapper.derived_inputs:
            if one.type == "File" and not _is_named(wrapper, one):
                yield one.finding("CJ-11", "name", "no input of type string is derived from its property name")


def _derived(one: Derived, origin: str) -> Iterator[Finding]:
    if one.type == "File" and "derived-from-xnat-object-property" in one.given:
        yield one.finding("CJ-11", "derived-from-xnat-object-property", "XNAT finds files by their address only")
    if one.type in _NEVER_DERIVED:
        yield one.finding("CJ-11", "type", f"XNAT derives no value of type {one.type}")
    if (one.type in _FILE_TYPES and origin != "Resource") or (origin in _PLAIN_TYPES):
        yield one.finding("CJ-11", "derived-from-wrapper-input", f"{origin or 'nothing'} has no {one.type}")
    if one.type == "Resource" and origin in {*_FILE_TYPES, "Resource"}:
        yield one.finding("CJ-11", "derived-from-wrapper-input", f"{origin} has no Resource")


def _is_named(wrapper: Wrapper, file: Derived) -> bool:
    return any(
        one.derived_from_wrapper_input == file.name
        and (one.type, one.derived_from_xnat_object_property) == ("string", "name")
        for one in wrapper.derived_inputs
    )


def wrappers(command: Command) -> Iterator[Finding]:
    """CJ-12: yield what keeps the command from the pages of projects."""
    if not command.xnat:
        yield command.finding("CJ-12", "xnat", "without a wrapper XNAT offers the command nowhere")
    for wrapper in command.xnat:
        if wrapper.contexts != (CONTEXT,):
            yield wrapper.finding("CJ-12", "contexts", f'it must be ["{CONTEXT}"]')
        for key, text in (("label", wrapper.label), ("description", wrapper.description)):
            if not text.strip():
                yield wrapper.finding("CJ-12", key, "people choose by it; it is missing")
        yield from _external(wrapper)


def _external(wrapper: Wrapper) -> Iterator[Finding]:
    if [one.type for one in wrapper.external_inputs] != ["Project"]:
        yield wrapper.finding("CJ-12", "external-inputs", "it must be one input of type Project")
    for one in wrapper.external_inputs:
        if not one.load_children:
            yield one.finding("CJ-12", "load-children", "false keeps XNAT from finding resources")


def handlers(command: Command) -> Iterator[Finding]:
    """CJ-13: yield handlers that would put reports among manifests, or cannot be edited later."""
    for wrapper in command.xnat:
        for handler in wrapper.output_handlers:
            if handler.label.strip().upper() == MANIFEST_RESOURCE:
                yield handler.finding("CJ-13", "label", f"the resource {MANIFEST_RESOURCE} is for manifests")
            if "as-a-child-of-wrapper-input" in handler.given or "as-a-child-of" not in handler.given:
                yield handler.finding("CJ-13", "as-a-child-of", "write as-a-child-of; XNAT cannot edit the older key")
            if handler.type != "Resource":
                yield handler.finding("CJ-13", "type", "it must be Resource")


RULES: tuple[Callable[[Command], Iterator[Finding]], ...] = (
    providers,
    mounts,
    outputs,
    matchers,
    derivations,
    wrappers,
    handlers,
)
