"""What click takes for an option."""

import click
import pytest
from click.testing import CliRunner

from tcia_xnat.cli.command_list import Command


@click.command(cls=Command)
@click.argument("select")
@click.option("--query", default="")
def command(select: str, query: str) -> None:
    click.echo(f"{select.strip()}|{query.strip()}")


@pytest.mark.parametrize("text", ["-- all of it\nSELECT 1", "--all\nSELECT 1"])
def test_sql_may_begin_with_a_comment(text: str) -> None:
    assert CliRunner().invoke(command, [text]).output == f"{text}|\n"
    assert CliRunner().invoke(command, ["x", "--query", text]).output == f"x|{text}\n"


def test_an_option_stays_an_option() -> None:
    assert CliRunner().invoke(command, ["x", "--query=a b"]).output == "x|a b\n"
    assert "No such option" in CliRunner().invoke(command, ["x", "--qury"]).output
