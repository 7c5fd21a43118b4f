"""Unit tests of the transfer of a plan."""
