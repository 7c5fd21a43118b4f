"""Tests of the client of XNAT."""
