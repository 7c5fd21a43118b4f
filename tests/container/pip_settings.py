"""pip's settings of this machine, lent to a build and left out of its image."""

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SIGN = "# pip settings of the machine that builds"
"""A line of the file that a build gets, by which it is recognised where it must not be."""


@dataclass(frozen=True, slots=True)
class PipSettings:
    """What `pip config list` says; settings of the environment go before those of files.

    Attributes
    ----------
    values
        Setting → value; settings of one subcommand are settings of all.
    """

    values: dict[str, str]

    @classmethod
    def of_this_machine(cls) -> "PipSettings":
        """Ask pip."""
        asked = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
        lines = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
        pairs = [(name, ast.literal_eval(value)) for name, _, value in (line.partition("=") for line in lines)]
        pairs.sort(key=lambda pair: pair[0].startswith(":env:"))
        return cls({name.rpartition(".")[2]: value for name, value in pairs})

    @property
    def local(self) -> list[Path]:
        """Files and folders of this machine that the settings name; an index keeps its files beside its pages."""
        words = [word for value in self.values.values() for word in value.split()]
        paths = [Path(word.removeprefix("file://")).parent for word in words if word.startswith("file:///")]
        paths += [Path(word) for word in words if word.startswith("/")]
        return sorted({path for path in paths if path.exists() and path != Path("/")})

    def write(self, path: Path) -> Path:
        """Write them as a pip.conf that only its owner can read."""
        path.touch(0o600)
        lines = [f"{name} = " + value.replace("\n", "\n    ") for name, value in self.values.items()]
        path.write_text("\n".join([SIGN, "[global]", *lines, ""]))
        return path
