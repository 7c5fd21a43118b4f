"""Plans of very long manifests, with an XNAT that holds none, half and all of their series already."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import duckdb
import requests
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.measure import Cost, run
from benchmarks.world import ROOT, python
from sandbox.xnat import XnatServer
from tcia_xnat.sources.idc.client import index_path

_PROJECT = "PLAN"
_SCAN = "xnat:imagesessiondata/scans/scan/"
Known = tuple[str, str, str, int]
"""StudyInstanceUID, SeriesInstanceUID, PatientID and number of images."""


class FullArchive:
    """Answers for an archive that holds some series, without keeping their files."""

    def __init__(self) -> None:
        self._listing, self._counts = b"{}", dict[str, bytes]()

    def hold(self, rows: Sequence[Known]) -> None:
        """Hold these series, and no others."""
        listed = []
        for number, (study, of_study) in enumerate(groupby(rows, key=lambda row: row[0])):
            scans = list(of_study)
            session = {"ID": f"E{number}", "label": f"S{number}", "subject_label": scans[0][2], "UID": study}
            listed += [
                {**session, f"{_SCAN}id": str(place), f"{_SCAN}uid": scan[1]} for place, scan in enumerate(scans)
            ]
            counts = [
                {"cat_id": str(place), "label": "DICOM", "file_count": str(scan[3])} for place, scan in enumerate(scans)
            ]
            self._counts[f"E{number}"] = _table(counts)
        self._listing = _table(listed)

    def around(self, application: ASGIApp) -> ASGIApp:
        """Answer the two questions that depend on the archive's size before the application does."""

        async def answered(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope.get("path", "")
            if path == f"/data/projects/{_PROJECT}/experiments":
                await Response(self._listing, media_type="application/json")(scope, receive, send)
            elif path.endswith("/scans/ALL/resources"):
                content = self._counts[path.split("/")[3]]
                await Response(content, media_type="application/json")(scope, receive, send)
            else:
                await application(scope, receive, send)

        return answered


def plans(count: int, folder: Path) -> Iterator[tuple[str, Cost]]:
    """Yield who and cost of each dry run of a manifest of `count` series of IDC's index."""
    rows = _rows(count)
    manifest = folder / f"{count}.tcia"
    manifest.write_text("\n".join(["ListOfSeriesToDownload=", *(row[1] for row in rows), ""]))
    yield "no XNAT asked", _plan(manifest, folder, [])
    archive = FullArchive()
    with XnatServer(folder / f"xnat-{count}", users={"admin": "admin"}, around=archive.around) as xnat:
        auth = ("admin", "admin")
        requests.put(f"{xnat.url}/data/projects/{_PROJECT}", auth=auth, timeout=60).raise_for_status()
        for who, held in (("none held", 0), ("half held", count // 2), ("all held", count)):
            archive.hold(rows[:held])
            yield who, _plan(manifest, folder, [_PROJECT, xnat.url, "admin", "admin"])


def _plan(manifest: Path, folder: Path, target: Sequence[str]) -> Cost:
    command = [python(), str(ROOT / "download.py"), str(manifest), str(folder / "out"), *target, "--dry-run"]
    log = folder / "plan.log"
    cost = run(command, {}, log)
    if cost.code:
        raise RuntimeError(log.read_text()[-4000:])
    return cost


def _rows(count: int) -> list[Known]:
    query = (
        "SELECT StudyInstanceUID, SeriesInstanceUID, PatientID, instanceCount FROM read_parquet(?)"
        " ORDER BY collection_id, PatientID, StudyInstanceUID LIMIT ?"
    )
    with duckdb.connect() as connection:
        return connection.execute(query, [str(index_path()), count]).fetchall()


def _table(rows: Sequence[dict[str, str]]) -> bytes:
    return json.dumps({"ResultSet": {"Result": rows, "totalRecords": str(len(rows))}}).encode()
