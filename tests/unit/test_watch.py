"""Where a live view makes sense: on terminals that redraw, not in the output of a notebook."""

import pytest

from tcia_xnat.progress.watch import moves_cursor


@pytest.mark.parametrize(
    ("environment", "moves"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({}, False),
        ({"TERM": "xterm-256color", "JPY_PARENT_PID": "71"}, False),
        ({"TERM": "xterm", "JPY_PARENT_PID": ""}, True),
    ],
)
def test_where_the_cursor_moves(environment: dict[str, str], *, moves: bool) -> None:
    assert moves_cursor(environment) is moves
