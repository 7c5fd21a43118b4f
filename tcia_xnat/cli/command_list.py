"""Commands and the list of them: what every script gives to click."""

import re
import sys
from collections import Counter
from typing import Any

import click

from tcia_xnat.core import streams
from tcia_xnat.core.errors import SpaceError

_COMMENT = re.compile(r"--[^=]*?\s.*\S", re.DOTALL)  # an option has no blanks before its value
_WHOLE = 1000  # letters of a first sentence: more than any has


class _Script(click.Command):
    """A command whose help may go to a place that takes nothing."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401  as click has it
        """Run the command; end with the code of a full disk when click cannot print what it says itself."""
        try:
            return super().main(*args, **extra)
        except OSError as error:
            streams.give_up(sys.stdout)
            click.echo(f"error: stdout cannot be written: {error.strerror}", err=True)
            sys.exit(SpaceError.exit_code)


class Command(_Script):
    """A command that refuses an option which is given twice but holds one value: the last one would win silently.

    A question in SQL that begins with a comment is an argument, not an option.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse a command line.

        Raises
        ------
        click.UsageError
            An option that holds one value is given twice.
        """
        args = [f"\n{one}" if _COMMENT.match(one) else one for one in args]
        if not ctx.resilient_parsing:
            _, _, given = self.make_parser(ctx).parse_args(args=list(args))
            for parameter, times in Counter(given).items():
                if times > 1 and _holds_one(parameter):
                    raise click.UsageError(f"{parameter.opts[0]} is given {times} times, and takes one value", ctx)
        return super().parse_args(ctx, args)


class CommandList(_Script, click.Group):
    """Commands by name, the first sentence of each whole: what is cut off is what tells two of them apart."""

    command_class = Command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list, over as many lines as it takes."""
        rows = [(name, self.commands[name].get_short_help_str(_WHOLE)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _holds_one(parameter: click.Parameter) -> bool:
    """Whether a second value would replace the first; the same flag twice says nothing new."""
    if not isinstance(parameter, click.Option) or parameter.multiple or parameter.count:
        return False
    return not parameter.is_flag or bool(parameter.secondary_opts)
