"""`make demo`: the manifest CMB-AML into project CMB-AML of the sandbox's XNAT, as a user would send it."""

import os
import subprocess
import sys
from pathlib import Path

import requests

from sandbox.sandbox import Sandbox

_ROOT = Path(__file__).resolve().parents[1]
_FOLDER = _ROOT / "demo"
_PROJECT = "CMB-AML"


def main() -> int:
    """Run the demo; return the exit code of the tool."""
    with Sandbox(_FOLDER / "sandbox") as sandbox:
        command = ["download.py", f"resources/TCIA/{_PROJECT}.tcia", "demo/output", _PROJECT]
        print("TCIA, IDC and XNAT are up on this machine. Now, as you would type it:", flush=True)
        print(f"\n    python {' '.join(command)}\n", flush=True)
        done = subprocess.run([sys.executable, *command], cwd=_ROOT, env=os.environ | sandbox.environment, check=False)
        _show_archive(sandbox.environment)
    print(f"\nA picture of each series, to open in a browser: {_FOLDER.name}/output/report/report.html")
    print(f"Images as XNAT keeps them: {_FOLDER.name}/sandbox/xnat/archive. `make demo` again transfers nothing.")
    return done.returncode


def _show_archive(environment: dict[str, str]) -> None:
    """Print what XNAT itself says that its archive holds."""
    answer = requests.get(
        f"{environment['XNAT_HOST']}/data/projects/{_PROJECT}/experiments",
        {"format": "json", "columns": "ID,label,subject_label,xsiType,date"},
        auth=(environment["XNAT_USER"], environment["XNAT_PASS"]),
        timeout=30,
    )
    answer.raise_for_status()
    rows = sorted(answer.json()["ResultSet"]["Result"], key=lambda row: row["label"])
    print(f"\nXNAT says that project {_PROJECT} has {len(rows)} sessions:")
    for row in rows:
        print(f"  {row.get('subject_label', ''):<12} {row['label']:<16} {row.get('xsiType', '')}")


if __name__ == "__main__":
    sys.exit(main())
