"""`python -m benchmarks`: all cases or some, as one table."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from benchmarks import results
from benchmarks.cases import CASES, QUICK, WHOLE, Row

_RESULTS = Path(__file__).parent / "RESULTS.md"


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--only", "names", multiple=True, type=click.Choice(list(CASES)), help="Only this case; more than once.")
@click.option("--runs", type=click.IntRange(min=1), default=WHOLE.runs, help="Of each, in turn; medians count.")
@click.option("--quick", is_flag=True, help="A tenth of everything, once: a look, no result.")
@click.option("--write", is_flag=True, help="Write benchmarks/RESULTS.md and its plot.")
def main(names: tuple[str, ...], runs: int, *, quick: bool, write: bool) -> None:
    """Measure what transfers cost, against curl and a plain script, on servers of this machine.

    Needs curl, zip, 24 GB of disk and about an hour; --quick takes minutes.
    """
    rows: list[Row] = []
    scale = QUICK if quick else replace(WHOLE, runs=runs)
    for name in names or CASES:
        try:
            for row in CASES[name](scale):
                rows.append(row)
                click.echo("  ".join(results.line(row, results.limits(rows))))
        finally:  # an hour's figures are not lost with the last one
            if write:
                results.write(rows, " ".join(["python -m benchmarks", *sys.argv[1:]]), _RESULTS)


if __name__ == "__main__":
    main()
