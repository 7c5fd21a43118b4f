"""Whether the libraries are there: run before anything else is imported, so it needs none of them."""

import sys
from importlib.util import find_spec
from pathlib import Path

NEEDED = (
    "click",
    "xnat",
    "requests",
    "urllib3",
    "pydicom",
    "pandas",
    "idc_index_data",
    "duckdb",
    "isal",
    "rich",
    "openpyxl",
    "numpy",
    "PIL",
    "jinja2",
    "pygal",
    "defusedxml",
)
"""Modules of requirements.txt."""
_USAGE = 2


def require_libraries() -> None:
    """End the process with one line and a hint when a library is missing for the interpreter that runs."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if not missing:
        return
    script = Path(sys.argv[0]).name
    sys.stderr.write(
        f"error: {sys.executable} does not have the libraries of this tool: {', '.join(missing)}\n"
        f"hint: run .venv/bin/python {script}, or pip install -r requirements.txt\n"
    )
    sys.exit(_USAGE)
