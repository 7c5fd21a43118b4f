"""`python -m tests.mutants`: what `make mutants` has found, by module: the share that the unit tests kill."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_FOLDER = Path("mutants")  # where mutmut works
_FATES = {0: "survived", 5: "untested", 33: "untested", None: "unchecked"}  # all others are failures, or time-outs


def fates() -> Iterator[tuple[str, Counter[str]]]:
    """Yield each module with the number of its mutants by fate."""
    for path in sorted(_FOLDER.rglob("*.py.meta")):
        codes = json.loads(path.read_text("utf-8"))["exit_code_by_key"].values()
        if codes:
            yield str(path.relative_to(_FOLDER)).removesuffix(".meta"), Counter(map(fate, codes))


def fate(code: int | None) -> str:
    """Return what became of a mutant, by the exit code of its tests."""
    return _FATES.get(code, "killed")


def line(name: str, found: Counter[str]) -> str:
    """Return a line of the table; mutants that no test runs through count as not killed."""
    checked = found.total() - found["unchecked"]
    share = f"{100 * found['killed'] / checked:.0f} %" if checked else ""
    numbers = (found["killed"], found["survived"], found["untested"], found["unchecked"])
    return f"{name:<54}" + "".join(f"{number:>10}" for number in numbers) + f"{share:>8}"


def main() -> None:
    """Print the table."""
    total: Counter[str] = Counter()
    print(f"{'':<54}{'killed':>10}{'survived':>10}{'untested':>10}{'unchecked':>10}{'share':>8}")
    for name, found in fates():
        print(line(name, found))
        total += found
    print(line("all", total))


if __name__ == "__main__":
    main()
