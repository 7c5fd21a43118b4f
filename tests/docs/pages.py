"""What the tests of the documentation share: its pages, and the command lines in them."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
MADE = ROOT / "docs" / "reference"
ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
_PROGRAMS = r"(\S*python3?|make|docker|kubectl|sbatch|squeue|\./\S+|\.|export|curl|git|cd|kill|cp|less|xdg-open) "


def command_lines(page: Path) -> Iterator[str]:
    """Yield each command line of a page: of fenced `sh` blocks, and of indented ones that begin with a program."""
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        yield from _lines(block)
    for block in re.findall(r"(?:^ {4}\S.*\n(?:^ {8}\S.*\n)*)+", page.read_text(encoding="utf-8"), re.MULTILINE):
        yield from (line for line in _lines(block) if re.match(_PROGRAMS, line))


def _lines(block: str) -> Iterator[str]:
    """Yield the lines of a block without comments, continued ones as one."""
    for line in re.sub(r"\\\n\s*", "", block).splitlines():
        if command := re.sub(r"(^|\s)#.*", "", line).strip():
            yield command
