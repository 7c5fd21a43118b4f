"""How the person who started the tool types its commands: a command that is printed runs as it is printed."""

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

IMAGE_VARIABLE = "TCIA_DOWNLOAD_IMAGE"
"""Set in the image, to its name."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the tool runs.

    Parameters
    ----------
    python
        The interpreter.
    on_path
        What the word `python` starts; empty when nothing.
    scripts
        Folder of the scripts.
    folder
        The current one.
    image
        Name of the image that this runs in; empty outside of one.
    """

    python: Path
    on_path: str
    scripts: Path
    folder: Path
    image: str = ""

    @classmethod
    def found(cls) -> "Surroundings":
        """Return those of this process."""
        return cls(
            Path(sys.executable),
            shutil.which("python") or "",
            Path(__file__).parents[2],
            Path.cwd(),
            os.environ.get(IMAGE_VARIABLE, ""),
        )


def command_line(script: str, *words: str, surroundings: Surroundings | None = None) -> str:
    """Return the command line that runs a script from where the tool was started; `…` are the options of docker."""
    here = surroundings or Surroundings.found()
    if here.image:
        return f"docker run … {shlex.join([here.image, *_of_run_sh(script), *words])}"
    python = "python" if here.on_path == str(here.python) else _seen_from(here.folder, here.python)
    return shlex.join([python, _seen_from(here.folder, here.scripts / script), *words])


def _of_run_sh(script: str) -> list[str]:
    """Return the word by which run.sh knows a script: none for download.py."""
    return [] if script == "download.py" else [script.removesuffix(".py")]


def _seen_from(folder: Path, path: Path) -> str:
    """Return a path below the folder as relative, another as it is."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
