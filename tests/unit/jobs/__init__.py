"""Unit tests of the jobs and their options."""
