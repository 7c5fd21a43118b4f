"""Decisions of downloads to disk, without a disk."""
