"""Exceptions that nobody foresaw, as errors of ours."""

from tcia_xnat.core.storage import FULL, storage_error
from tcia_xnat.errors import Error


def unexpected(error: Exception) -> Error:
    """Return what a defect of ours is reported as, with the exception as its cause; a full disk is no defect."""
    if isinstance(error, Error):
        return error
    if isinstance(error, OSError) and error.errno in FULL:
        told: Error = storage_error(error)
    else:
        told = Error(f"unexpected {type(error).__name__}: {error}", "--debug shows where")
    told.__cause__ = error
    return told
