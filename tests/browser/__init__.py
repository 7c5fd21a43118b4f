"""Tests that need a browser: make browser-test."""
