"""The sources: whether each gives out what the index lists."""

from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from tcia_xnat.core.errors import SeriesUnavailable, SourceError, SourceUnreachable
from tcia_xnat.preflight.finding import Finding, failed, ok, warning
from tcia_xnat.preflight.machine import Index
from tcia_xnat.sources.idc.client import IDCClient
from tcia_xnat.sources.nbia.client import TCIAClient

Result = TypeVar("Result")
_SECONDS = 60.0


def idc(url: str, index: Index, index_name: str | None) -> Finding:
    """Ask a bucket for the images of one series."""
    uid, bucket, folder = index.sample
    try:
        with closing(IDCClient(url, index_name, _SECONDS)) as client:
            objects = _twice(lambda: client.list_objects(bucket, folder))
    except SeriesUnavailable as error:
        return warning("IDC", str(error), "the index may be old: upgrade idc-index-data")
    except SourceError as error:
        return _refused("IDC", error, "--source nbia does without IDC")
    if not objects:
        return warning("IDC", f"{bucket} no longer holds {uid}", "the index may be old: upgrade idc-index-data")
    return ok("IDC", f"bucket {bucket} gives out what the index lists")


def nbia(url: str, index: Index | None) -> Finding:
    """Ask NBIA what it knows of one series."""
    uid = index.sample[0] if index else "1.3.6.1.4.1.14519.5.2.1"
    try:
        with closing(TCIAClient(url, _SECONDS)) as client:
            rows = _twice(lambda: client.get_series_metadata([uid]))
    except SourceError as error:
        return _refused("NBIA", error, "--source idc does without NBIA")
    return ok("NBIA", "answers questions on series" + (", knows the one asked for" if rows else ""))


def _refused(name: str, error: SourceError, without: str) -> Finding:
    finding = failed(name, SourceUnreachable(str(error), error.hint))
    return Finding(name, finding.state, finding.seen, f"{finding.to_do}; {without}".lstrip("; "), finding.exit_code)


def _twice(ask: Callable[[], Result]) -> Result:
    """Ask again what may pass: one hiccup is no finding."""
    try:
        return ask()
    except SourceError as error:
        if not error.retryable:
            raise
        return ask()
