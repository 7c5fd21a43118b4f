"""Exceptions that nobody foresaw, as errors of ours."""

import logging

from tcia_xnat.core.errors import FATAL, Error, SeriesDamaged
from tcia_xnat.core.storage import FULL, storage_error

_LOGGER = logging.getLogger(__name__)


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


def series_error(error: Exception) -> Error:
    """Return why a series did not arrive, whatever exception it caused; the traceback goes to --debug.

    Raises
    ------
    Error
        One of `FATAL`: going on with other series is pointless.
    """
    told = unexpected(error)
    if isinstance(told, FATAL):
        raise told
    if told is error:
        return told
    _LOGGER.debug("a series caused what nobody foresaw", exc_info=error)
    damaged = SeriesDamaged(str(told), told.hint) if type(told) is Error else told
    damaged.__cause__ = error
    return damaged
