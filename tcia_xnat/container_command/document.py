"""What command.json may hold: a class for each kind of object, a field for each key (xnat-container-command.md §1).

The key of a field is its name with `-` for `_`. A key that no class has is a mistake: the service drops it in silence.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a command.

    Parameters
    ----------
    rule
        The requirement that is broken, such as `CJ-4` (xnat-container-command.md §8).
    path
        Where in the document, such as `inputs[2].type`; empty for the whole of it.
    message
        One line that says what is wrong.
    """

    rule: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule} {self.path or 'document'}: {self.message}"


def below(at: str, key: str) -> str:
    """Return the path of a key in the object at a path."""
    shown = key if _PLAIN.fullmatch(key) else json.dumps(key)
    return f"{at}.{shown}" if at else shown


@dataclass(frozen=True, slots=True)
class Node:
    """An object of the document: its path, and the keys that it gives."""

    at: str = ""
    given: frozenset[str] = frozenset()

    def finding(self, rule: str, key: str, message: str) -> Finding:
        """Return what is wrong with the value of a key."""
        return Finding(rule, below(self.at, key), message)


@dataclass(frozen=True, slots=True)
class Mount(Node):
    """A folder of the container."""

    name: str = ""
    path: str = ""
    writable: bool | None = None


@dataclass(frozen=True, slots=True)
class Input(Node):
    """A value that the command takes (§1.3)."""

    name: str = ""
    label: str = ""
    description: str = ""
    type: str = "string"
    required: bool = False
    matcher: str = ""
    default_value: str | None = None
    replacement_key: str = ""
    command_line_flag: str = ""
    command_line_separator: str = ""
    true_value: str | None = None
    false_value: str | None = None
    sensitive: bool = False
    select_values: tuple[str, ...] = ()
    multiple_delimiter: str | None = None

    @property
    def key(self) -> str:
        """The text that stands for the value; the service makes one of the name when there is none."""
        return self.replacement_key or f"#{self.name}#"


@dataclass(frozen=True, slots=True)
class Output(Node):
    """Files that the command leaves (§1.4)."""

    name: str = ""
    description: str = ""
    required: bool = False
    mount: str = ""
    path: str = ""
    glob: str = ""


@dataclass(frozen=True, slots=True)
class External(Node):
    """What the user's click gives to a wrapper (§1.5)."""

    name: str = ""
    label: str = ""
    description: str = ""
    type: str = ""
    matcher: str = ""
    default_value: str | None = None
    required: bool = True
    replacement_key: str = ""
    sensitive: bool = False
    provides_value_for_command_input: str = ""
    provides_files_for_command_mount: str = ""
    via_setup_command: str = ""
    user_settable: bool = True
    load_children: bool = True

    @property
    def key(self) -> str:
        """The text that stands for the value, as for the command's inputs."""
        return self.replacement_key or f"#{self.name}#"


@dataclass(frozen=True, slots=True)
class Derived(External):
    """What a wrapper finds out from another of its inputs (§1.5)."""

    derived_from_wrapper_input: str = ""
    derived_from_xnat_object_property: str = ""
    multiple: bool = False
    parser: str = ""


@dataclass(frozen=True, slots=True)
class Handler(Node):
    """Where an output goes (§1.5)."""

    name: str = ""
    accepts_command_output: str = ""
    as_a_child_of: str = ""
    as_a_child_of_wrapper_input: str = ""
    type: str = "Resource"
    label: str = ""
    xsi_type: str = ""
    format: str = ""
    content: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    via_wrapup_command: str = ""


@dataclass(frozen=True, slots=True)
class Wrapper(Node):
    """How XNAT offers the command (§1.5)."""

    name: str = ""
    label: str = ""
    description: str = ""
    contexts: tuple[str, ...] = ()
    external_inputs: tuple[External, ...] = ()
    derived_inputs: tuple[Derived, ...] = ()
    output_handlers: tuple[Handler, ...] = ()

    @property
    def inputs(self) -> tuple[External, ...]:
        """All inputs, in the order in which the service resolves them."""
        return (*self.external_inputs, *self.derived_inputs)


@dataclass(frozen=True, slots=True)
class SecretEnd(Node):
    """Where a secret comes from, or goes to."""

    type: str = ""
    identifier: str = ""


@dataclass(frozen=True, slots=True)
class Secret(Node):
    """A property of XNAT's Java machine that becomes a variable of the container."""

    source: SecretEnd = field(default_factory=SecretEnd)
    destination: SecretEnd = field(default_factory=SecretEnd)


@dataclass(frozen=True, slots=True)
class Command(Node):
    """The whole document (§1.2); `ipc-mode` is no field, because the service drops that key."""

    name: str = ""
    label: str = ""
    description: str = ""
    info_url: str = ""
    schema_version: str = "1.0"
    version: str = ""
    image: str = ""
    type: str = "docker"
    index: str = ""
    hash: str = ""
    command_line: str = ""
    override_entrypoint: bool = False
    working_directory: str = ""
    command_metadata: object = None
    mounts: tuple[Mount, ...] = ()
    environment_variables: dict[str, str] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    xnat: tuple[Wrapper, ...] = ()
    reserve_memory: int | None = None
    limit_memory: int | None = None
    limit_cpu: float | None = None
    shm_size: int | None = None
    runtime: str = ""
    ulimits: dict[str, str] = field(default_factory=dict)
    network: str = ""
    auto_remove: bool = False
    container_name: str = ""
    container_labels: dict[str, str] = field(default_factory=dict)
    gpus: str = ""
    generic_resources: dict[str, str] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    visibility: str = "public"

    def replacement_keys(self) -> Iterator[tuple[Node, str]]:
        """Yield every text that stands for a value, with the input whose value it is."""
        yield from ((one, one.key) for one in self.inputs)
        yield from ((one, one.key) for wrapper in self.xnat for one in wrapper.inputs)
