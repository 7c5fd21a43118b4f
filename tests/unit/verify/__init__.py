"""Tests of --verify against fakes."""
