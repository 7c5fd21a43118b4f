"""Clients written by others accept the sandbox."""
