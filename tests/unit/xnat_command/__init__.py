"""Unit tests of the XNAT command."""
