"""Every command line of README and docs is run against one sandbox, or is on a list that says why it cannot be."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.docs.pages import PAGES, ROOT, command_lines

_ELSEWHERE = {
    r"make ": "installs, or runs all tests; the demo has a test of its own",
    r"python3 -m venv ": "installs from a package registry",
    r"docker ": "needs Docker; see tests/container",
    r"kubectl ": "needs Kubernetes",
    r"sbatch ": "needs Slurm",
    r"export ": "sets variables, which the sandbox sets here",
    r"\. \./sandbox\.env": "the same",
    r"kill ": "ends the sandbox of the page",
    r"\S+ -m sandbox": "serves without end; see tests/sandbox/test_main.py",
}
_READY = "resources/TCIA/CMB-AML_one-series.tcia"
_PLACEHOLDERS = {
    r"\[PROJECT\]": "PROJECT",
    r"\bMANIFEST\b": _READY,
    r"\bROOT\b": "tree",
    r"\bUID\b": next(line for line in (ROOT / _READY).read_text().splitlines() if line[:1].isdigit()),
    r"WHERE …": "WHERE collection_id = 'cmb_aml'",
}
_COLLECTIONS = ["acrin_nsclc_fdg_pet", "cmb_aml", "cmb_crc", "cptac_ccrcc", "lidc_idri", "nsclc_radiogenomics"]
_TUTORIAL = ROOT / "docs" / "tutorial.md"
_SAID = {
    "output CMB-AML": "All 8 series are in the archive: 8 new, 0 were there.",
    "-o ct.tcia": "40 series",
    "files --verify": "Right: 8 same.",
}
"""End of a line of the tutorial → what it says that one will see."""
_RUN = {page: list(command_lines(page)) for page in PAGES}


def is_elsewhere(line: str) -> bool:
    return any(re.match(start, line) for start in _ELSEWHERE)


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("sandbox")
    with Sandbox(folder, collections=_COLLECTIONS, pixels=16) as sandbox:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TCIA_XNAT_", "XNAT_"))}
        offline = {"TCIA_XNAT_RETRIES": "1", "TCIA_XNAT_DOI_URL": sandbox.environment["XNAT_HOST"]}
        yield inherited | sandbox.environment | offline


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str]) -> Path:
    """Return a folder that looks like a checkout to a command line, with the files that the pages take for given."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in (".venv", "resources", "Dockerfile", "command.json", *(path.name for path in ROOT.glob("*.py"))):
        (folder / name).symlink_to(ROOT / name)
    for line in (
        f"download.py {_READY} tree",
        "query.py series -c cmb_aml -o a.csv",
        "query.py series -c cmb_aml -o b.xlsx",
    ):
        assert shell(f".venv/bin/python {line}", folder, variables).returncode == 0
    for name in ("output-0", "output-1", "tcia-0"):
        shutil.copytree(folder / "tree", folder / name)
    return folder


def shell(line: str, folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def filled_in(line: str, project: str) -> str:
    for placeholder, value in _PLACEHOLDERS.items():
        line = re.sub(placeholder, value, line)
    return re.sub(r"\bPROJECT\b", project, line)


def test_what_is_not_run_is_in_the_pages() -> None:
    for start in _ELSEWHERE:
        assert any(re.match(start, line) for lines in _RUN.values() for line in lines), start


@pytest.mark.timeout(900)  # seconds: a page has up to fifty commands, and machines are busy
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(not is_elsewhere(line) for line in _RUN[page])], ids=lambda page: page.name
)
def test_the_commands_of_a_page_do_what_it_says(
    page: Path, prepared: Path, variables: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "checkout"
    shutil.copytree(prepared, folder, symlinks=True)
    few = {} if page == _TUTORIAL else {"TCIA_XNAT_LIMIT": "2"}
    for line in _RUN[page]:
        if is_elsewhere(line):
            continue
        done = shell(filled_in(line, f"DOCS-{page.stem}"), folder, variables | few)
        assert done.returncode == 0, line + done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "nothing fits" not in done.stderr, line  # an example shows something
        for end, said in _SAID.items() if page == _TUTORIAL else ():
            assert not line.endswith(end) or said in done.stdout + done.stderr, line


def test_the_tutorial_says_what_is_seen() -> None:
    text = " ".join(_TUTORIAL.read_text(encoding="utf-8").split())
    for end, said in _SAID.items():
        assert said in text
        assert any(line.endswith(end) for line in _RUN[_TUTORIAL])
