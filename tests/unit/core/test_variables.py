"""Variables that look like those of options and are none are told, with the nearest name."""

import pytest

from docs.make_reference import SCRIPTS, contexts_of, option_variables
from tcia_xnat.core.variables import KNOWN, PREFIX, unknown_variables


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("TCIA_XNAT_TRANSFER", "no option has the variable TCIA_XNAT_TRANSFER; did you mean TCIA_XNAT_TRANSFERS?"),
        ("TCIA_XNAT_ZZZZ", "no option has the variable TCIA_XNAT_ZZZZ"),
        (
            "TCIA_XNAT_LICENSE_FILTER",
            "no option has the variable TCIA_XNAT_LICENSE_FILTER; did you mean TCIA_XNAT_LICENCE_FILTER?",
        ),
    ],
)
def test_an_unknown_variable(name: str, warning: str) -> None:
    assert list(unknown_variables([name, "PATH", "TCIA_XNAT_LIMIT"])) == [warning]


def test_a_program_may_know_others() -> None:
    assert list(unknown_variables(["TCIA_XNAT_NEW", "TCIA_XNAT_LIMIT"], {"TCIA_XNAT_NEW"})) == [
        "no option has the variable TCIA_XNAT_LIMIT"
    ]


def test_the_variables_of_every_program_are_known() -> None:
    of_options = {
        variable
        for name, command in SCRIPTS.items()
        for context in contexts_of(name, command)
        for variable, _ in option_variables(context)
        if variable.startswith(f"{PREFIX}_")
    }
    assert of_options <= KNOWN
