"""Unit tests of `tcia_xnat.request`."""
