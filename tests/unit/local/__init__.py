"""Unit tests of trees on disk."""
