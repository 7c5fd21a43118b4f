"""Tests of what everybody uses."""
