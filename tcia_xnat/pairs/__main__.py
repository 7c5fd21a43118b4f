"""`python -m tcia_xnat.pairs`."""

from tcia_xnat.pairs.command import pairs

pairs(prog_name="pairs")
