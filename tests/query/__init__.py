"""Tests of query.py."""
