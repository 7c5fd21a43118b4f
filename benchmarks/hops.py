"""How many files and functions one series passes on its way to XNAT, and how long functions are: what readers follow.

`python -m benchmarks.hops` runs `download.py` for one series in this process, against the sandbox.
"""

import ast
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from types import CodeType, FrameType
from unittest.mock import patch

import click

from sandbox.sandbox import Sandbox
from tcia_xnat import __file__ as package

_ROOT = Path(package).parent
_LISTED = _ROOT.parent / "resources" / "TCIA" / "CMB-AML_one-series.tcia"
_LONG = 50  # lines
_NAMELESS = {"<lambda>", "<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}


class Seen:
    """The code objects of the package that ran, in whatever thread."""

    def __init__(self) -> None:
        self._codes: set[CodeType] = set()

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Take notice of a call."""
        if event == "call":
            self._codes.add(frame.f_code)

    @property
    def functions(self) -> dict[Path, list[str]]:
        """Names of the functions that ran, by file; bodies of modules and classes do not count."""
        found: dict[Path, list[str]] = {}
        for code in self._codes:
            path = Path(code.co_filename)
            is_body = code.co_name == "<module>" or not code.co_flags & 0x2  # CO_NEWLOCALS: a function's own
            if path.is_relative_to(_ROOT) and not is_body:
                found.setdefault(path.relative_to(_ROOT), []).append(code.co_qualname)
        return found


@contextmanager
def profiled(seen: Seen) -> Iterator[None]:
    """Have every call of this thread and of new ones seen."""
    threading.setprofile(seen)
    sys.setprofile(seen)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def count(folder: Path) -> Seen:
    """Bring one series to the sandbox's XNAT; return what ran."""
    import download  # noqa: PLC0415  a script of the top level, which reads the environment

    seen = Seen()
    with Sandbox(folder / "sandbox", collections=["cmb_aml"], pixels=16, max_instances=3) as sandbox:
        os.environ.update(sandbox.environment)
        with patch("os._exit", side_effect=SystemExit), profiled(seen), suppress(SystemExit):
            download.download([str(_LISTED), str(folder / "out"), "HOPS", "--thumbnails", "off"], standalone_mode=False)
    return seen


def lengths() -> dict[str, int]:
    """Return the lines of every function of the package, by file and name."""
    found = {}
    for path in _ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found[f"{path.relative_to(_ROOT)}:{node.lineno} {node.name}"] = (node.end_lineno or 0) - node.lineno + 1
    return found


def main() -> None:
    """Print the counts, and those of each package."""
    with tempfile.TemporaryDirectory() as folder:
        functions = count(Path(folder)).functions
    names = [name for found in functions.values() for name in found]
    nameless = sum(name.rsplit(".", 1)[-1] in _NAMELESS for name in names)
    click.echo(f"{len(functions)} files, {len(names)} functions ({nameless} of them without a name)")
    packages = Counter(str(path.parts[0]) for path, found in functions.items() for _ in found)
    for name, number in packages.most_common():
        files = sum(path.parts[0] == name for path in functions)
        click.echo(f"{number:5} functions in {files:2} files of {name}")
    lines = lengths()
    click.echo(f"{len(lines)} functions in all, with {median(lines.values()):.0f} lines in the middle")
    for name, number in sorted(lines.items(), key=lambda item: -item[1]):
        if number > _LONG:
            click.echo(f"{number:5} lines: {name}")


if __name__ == "__main__":
    main()
