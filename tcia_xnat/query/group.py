"""Which command a command line means: query.py's older form has a manifest in the place of a command."""

import difflib
from pathlib import Path

import click

from tcia_xnat.cli.command_list import CommandList

_PAIRS = "pairs"


class Commands(CommandList):
    """Commands by name; `query.py MANIFEST CSV` is `query.py pairs MANIFEST CSV`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return name, command and its arguments."""
        first, *others = args
        if self.get_command(ctx, first) is None:
            near = difflib.get_close_matches(first, self.list_commands(ctx))
            if others and not others[0].startswith("-") and (Path(first).exists() or not near):
                return super().resolve_command(ctx, [_PAIRS, *args])
            words = f"did you mean {', '.join(near)}?" if near else "query.py --help lists the commands"
            ctx.fail(f"{first} is no command\nhint: {words}")
        return super().resolve_command(ctx, args)
