"""Tests of command.json, its checker, and the label made of it; CJ and DF are in xnat-container-command.md §8."""
