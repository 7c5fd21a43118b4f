"""`make mutants` finds what it is to change and to run, and its table counts right."""

import tomllib
from collections import Counter

from tests.docs.pages import ROOT
from tests.mutants import fate, line

CONFIGURED = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]


def test_every_module_and_every_test_that_is_named_is_there() -> None:
    assert [pattern for pattern in CONFIGURED["only_mutate"] if not any(ROOT.glob(pattern))] == []
    assert [path for path in CONFIGURED["pytest_add_cli_args_test_selection"] if not (ROOT / path).exists()] == []


def test_a_mutant_that_no_test_runs_through_is_not_killed() -> None:
    found = Counter(map(fate, [1, 1, 36, 0, 33, None]))
    assert found == {"killed": 3, "survived": 1, "untested": 1, "unchecked": 1}
    assert line("a.py", found).split() == ["a.py", "3", "1", "1", "1", "60", "%"]
