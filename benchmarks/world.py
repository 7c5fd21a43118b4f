"""The servers of a benchmark, in a process of their own, and the series that they serve."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import duckdb

from benchmarks.network import Wire

ROOT = Path(__file__).resolve().parents[1]
_SERVERS = ("XNAT_HOST", "TCIA_XNAT_NBIA_URL", "TCIA_XNAT_IDC_URL")


class Listed(NamedTuple):
    """A series of the index: where its images lie in a bucket, and how many there are."""

    series_instance_uid: str
    bucket: str
    folder: str
    image_count: int


@dataclass(frozen=True, slots=True)
class World:
    """Where the servers are, as variables of the tool, and a folder for what a benchmark writes.

    `near` are the same servers past any wire, for what is made ready before a contestant starts.
    """

    environment: Mapping[str, str]
    folder: Path
    near: Mapping[str, str]

    def manifest(self, name: str, series_instance_uids: Sequence[str]) -> Path:
        """Write a manifest of these series."""
        path = self.folder / f"{name}.tcia"
        lines = ["downloadServerUrl=http://127.0.0.1/", "manifestVersion=3.0", "ListOfSeriesToDownload="]
        path.write_text("\n".join([*lines, *series_instance_uids, ""]))
        return path

    def select(self, where: str, limit: int) -> list["Listed"]:
        """Return series of the index that is served."""
        index = self.environment["TCIA_XNAT_IDC_INDEX"]
        query = (
            "SELECT SeriesInstanceUID, aws_bucket, crdc_series_uuid, instanceCount FROM read_parquet(?)"  # noqa: S608  words of ours
            f" WHERE {where} ORDER BY SeriesInstanceUID LIMIT {limit}"
        )
        with duckdb.connect() as connection:
            return [Listed(*row) for row in connection.execute(query, [index]).fetchall()]


@contextmanager
def world(*options: str) -> Iterator[World]:
    """Start the sandbox with options of `python -m sandbox`; its folder is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "sandbox", "--directory", f"{folder}/servers", *options]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            try:
                servers = _variables(process)
                yield World(servers, Path(folder), servers)
            finally:
                process.send_signal(signal.SIGTERM)


def _variables(process: subprocess.Popen[str]) -> dict[str, str]:
    """Read the lines that the sandbox prints when it is up."""
    variables: dict[str, str] = {}
    while "XNAT_PASS" not in variables:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise RuntimeError("the sandbox did not start")
        name, _, value = shlex.split(line)[1].partition("=")
        variables[name] = value
    return variables


@contextmanager
def over_wires(there: World, bytes_per_second: float, delay: float) -> Iterator[World]:
    """Put a wire between the tool and each server."""
    with ExitStack() as wires:
        urls = {
            name: wires.enter_context(Wire(there.environment[name], bytes_per_second, delay)).url for name in _SERVERS
        }
        yield replace(there, environment={**there.environment, **urls})


def python() -> str:
    """Return the interpreter, for scripts that are measured."""
    return os.fspath(sys.executable)
