"""The list of commands that --help shows."""

import click

_WHOLE = 1000  # letters of a first sentence: more than any has


class CommandList(click.Group):
    """Commands by name, the first sentence of each whole: what is cut off is what tells two of them apart."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list, over as many lines as it takes."""
        rows = [(name, self.commands[name].get_short_help_str(_WHOLE)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
