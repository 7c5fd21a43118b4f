"""`python -m tcia_xnat.report merge-reports`: what is done with reports after the runs that made them."""

import click

from tcia_xnat.report.merge import merge_reports

main = click.Group(commands=[merge_reports], help="Work with the reports of runs.")

if __name__ == "__main__":
    main(prog_name="python -m tcia_xnat.report")
