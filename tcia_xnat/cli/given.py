"""Settings of a job from the options of the command line: every one is named, so that mypy knows it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from tcia_xnat.cli.options import parsed_shard
from tcia_xnat.core import licenses
from tcia_xnat.core.retry import RETRY_WAIT
from tcia_xnat.planning.held import Existing
from tcia_xnat.planning.identity import SamePatient
from tcia_xnat.planning.identity.same_patient import parse as parse_same_patient
from tcia_xnat.planning.settings import SPOOL_LIMIT
from tcia_xnat.sources.idc.client import IDC_URL
from tcia_xnat.sources.nbia.client import NBIA_URL
from tcia_xnat.web import SILENT_SECONDS
from tcia_xnat.xnat.connection import MAX_OUTAGE

_Value = TypeVar("_Value")


class RunSettings(TypedDict):
    """What every run to XNAT takes from its options."""

    transfers: int
    uploads: int | None
    retries: int
    existing: Existing
    limit: int | None
    shard: tuple[int, int] | None
    archive: bool
    create_project: bool
    accept_rejected: bool
    subject_label: str
    session_label: str
    same_patient: SamePatient
    split_session: bool
    spool_dir: Path | None
    spool_limit: int
    max_outage: float
    retry_wait: float
    thumbnails: int


class SourceSettings(RunSettings):
    """What a job from IDC and NBIA takes besides."""

    source: str
    licence_filter: tuple[str, ...]
    bwlimit: float | None
    source_timeout: float
    nbia_url: str
    idc_url: str
    idc_index: str | None
    column: str


def run_settings(options: Mapping[str, Any]) -> RunSettings:
    """Return the settings of a run, checked.

    Raises
    ------
    UsageError
    """
    return {
        "transfers": options["transfers"],
        "uploads": options["uploads"],
        "retries": options["retries"],
        "existing": Existing(options["existing"]),
        "limit": options["limit"],
        "shard": parsed_shard(options["shard"]),
        "archive": options["archive"],
        "create_project": options["create_project"],
        "accept_rejected": options["accept_rejected"],
        "subject_label": options["subject_label"],
        "session_label": options["session_label"],
        "same_patient": parse_same_patient(options["same_patient"]),
        "split_session": options["split_session"],
        "spool_dir": options["spool_dir"],
        "spool_limit": _or(options["spool_limit"], SPOOL_LIMIT),
        "max_outage": _or(options["max_outage"], MAX_OUTAGE),
        "retry_wait": _or(options["retry_wait"], RETRY_WAIT),
        "thumbnails": options["thumbnails"],
    }


def source_settings(options: Mapping[str, Any]) -> SourceSettings:
    """Return the settings of a job from IDC and NBIA, checked.

    Raises
    ------
    UsageError
    """
    return {
        **run_settings(options),
        "source": options["source"],
        "licence_filter": licenses.parsed(options["licence_filter"]),
        "bwlimit": options["bwlimit"],
        "source_timeout": _or(options["source_timeout"], SILENT_SECONDS),
        "nbia_url": _or(options["nbia_url"], NBIA_URL),
        "idc_url": _or(options["idc_url"], IDC_URL),
        "idc_index": options["idc_index"],
        "column": options["column"],
    }


def _or(value: _Value | None, default: _Value) -> _Value:
    return default if value is None else value
