"""The machine itself: its disks, and the index of IDC."""

import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from tcia_xnat.core.errors import Error, SpaceError, UsageError
from tcia_xnat.preflight.finding import Finding, failed, ok, warning, wrong
from tcia_xnat.progress import size
from tcia_xnat.sources.idc.client import index_path
from tcia_xnat.web.environment import certificates, proxies_of

_LEAST_SPOOL = 1_000_000_000  # bytes; less holds hardly a series of each lane
_LEAST_OUTPUT = 100_000_000
_OLD = 300  # days; IDC brings a new version every few months
_UPGRADE = "python -m pip install --upgrade idc-index-data, or a newer image"


@dataclass(frozen=True, slots=True)
class Index:
    """What the index is; `sample` is a series that it lists, one of the smallest."""

    series_count: int
    version: str
    released: date
    sample: tuple[str, str, str]  # SeriesInstanceUID, bucket, folder


def environment(urls: Iterable[str]) -> Finding:
    """Judge what the environment says of certificates, and of proxies to these servers."""
    try:
        trusted, proxies = certificates(), proxies_of(urls)
    except Error as error:
        return failed("environment", error)
    through = f"proxy {', '.join(proxies)}" if proxies else "no proxy"
    return ok("environment", f"{through}; certificates of {trusted}")


def spool(folder: Path | None, transfers: int, spool_limit: int) -> Finding:
    """Judge the disk on which series wait."""
    chosen = folder or Path(tempfile.gettempdir())
    if problem := _unwritable(chosen):
        return wrong("spool", problem, "choose another folder with --spool-dir", UsageError.exit_code)
    free, most = shutil.disk_usage(chosen).free, transfers * spool_limit
    told = f"{size(free)} free in {chosen}"
    if free < _LEAST_SPOOL:
        return wrong("spool", told, "choose another disk with --spool-dir", SpaceError.exit_code)
    if free < most:
        return warning(
            "spool",
            f"{told}, up to {size(most)} are needed",
            "enough while the largest series fit; else another --spool-dir, fewer --transfers, a lower --spool-limit",
        )
    return ok("spool", f"{told}, at the most {size(most)} are needed")


def output(folder: Path) -> Finding:
    """Judge the disk of report and ledger, without making the folder."""
    there = next(parent for parent in (folder, *folder.resolve().parents) if parent.exists())
    if problem := _unwritable(there):
        return wrong("output", problem, "choose another OUTPUT_DIR", UsageError.exit_code)
    free = shutil.disk_usage(there).free
    told = f"{size(free)} free for {folder}"
    if free < _LEAST_OUTPUT:
        return wrong("output", told, "make room, or choose another OUTPUT_DIR", SpaceError.exit_code)
    return ok("output", told)


def read_index(named: str | None) -> Index | Finding:
    """Read what the index of IDC is, or why it is none."""
    try:
        path = index_path(named)
        rows = _sampled(path)
    except Error as error:
        return failed("index", error)
    except duckdb.Error as error:
        return wrong("index", f"{named} cannot be read: {error}", _UPGRADE, UsageError.exit_code)
    (count, *sample) = rows
    return Index(count, *_version(path, named), sample=(sample[0], sample[1], sample[2]))


def index(found: Index) -> Finding:
    """Judge the age of the index."""
    days = (datetime.now(UTC).date() - found.released).days
    told = f"{found.version}, {found.series_count:,} series, of {found.released}"
    if days > _OLD:
        return warning("index", f"{told}: {days} days old", f"newer collections are missing: {_UPGRADE}")
    return ok("index", told)


def _unwritable(folder: Path) -> str:
    """Return why nothing can be written into a folder; empty when something was."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        return f"nothing can be written into {folder}: {error.strerror}"
    return ""


def _sampled(path: Path) -> tuple[int, str, str, str]:
    query = """
        SELECT count(*), arg_min(SeriesInstanceUID, key), arg_min(aws_bucket, key), arg_min(crdc_series_uuid, key)
        FROM (SELECT *, (instanceCount, SeriesInstanceUID) AS key FROM read_parquet(?))"""
    with duckdb.connect() as database:
        found = database.execute(query, [str(path)]).fetchone()
    if not found or not found[0]:
        raise UsageError(f"the index {path.name} lists nothing", _UPGRADE)
    return int(found[0]), str(found[1]), str(found[2]), str(found[3])


def _version(path: Path, named: str | None) -> tuple[str, date]:
    """Return the name of a version and its date: IDC's own where the package tells, else that of the file."""
    file_date = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    if named is not None:
        return f"{path.name} as named", file_date
    version = f"idc-index-data {importlib.metadata.version('idc-index-data')}"
    try:
        with duckdb.connect() as database:
            query = "SELECT idc_version, version_timestamp FROM read_parquet(?) ORDER BY idc_version DESC LIMIT 1"
            found = database.execute(query, [os.fspath(path.with_name("version_metadata_index.parquet"))]).fetchone()
    except duckdb.Error:
        found = None
    return (f"{version} (IDC v{found[0]})", date.fromisoformat(found[1])) if found else (version, file_date)
