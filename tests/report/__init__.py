"""Tests of what a run leaves behind for people."""
