"""Who moves the series: ours, curl, and a plain script; each returns what it cost."""

import json
import shlex
import zipfile
from collections.abc import Sequence
from pathlib import Path

import requests

from benchmarks.measure import Cost, run
from benchmarks.world import ROOT, Listed, World, python

Chosen = Sequence[Listed]

_IMPORT = "/data/services/import?import-handler=DICOM-zip&inbody=true&rename=true&prevent_auto_commit=true"


def ours(world: World, chosen: Chosen, project: str, *options: str) -> Cost:
    """Run download.py; a run that did not end well is no measurement."""
    manifest = world.manifest(project, [one.series_instance_uid for one in chosen])
    command = [python(), str(ROOT / "download.py"), str(manifest), str(world.folder / project), project, *options]
    log = world.folder / f"{project}.log"
    cost = run(command, world.environment, log)
    report = json.loads((world.folder / project / "report" / "report.json").read_text())
    if cost.code or report["exit_code"]:
        raise RuntimeError(log.read_text()[-4000:])
    return cost


def plain(world: World, chosen: Chosen, project: str) -> Cost:
    """Run the plain script."""
    manifest = world.manifest(project, [one.series_instance_uid for one in chosen])
    servers = [world.environment[name] for name in ("TCIA_XNAT_NBIA_URL", "XNAT_HOST")]
    log = world.folder / f"{project}.log"
    cost = run([python(), "-m", "benchmarks.serial", str(manifest), *servers, project], {}, log)
    if cost.code:
        raise RuntimeError(log.read_text()[-4000:])
    return cost


def curl_nbia(world: World, chosen: Chosen, project: str, lanes: int) -> Cost:
    """Bring zips from NBIA to disk and from there to XNAT, so many at a time."""
    nbia = world.environment["TCIA_XNAT_NBIA_URL"]
    lines = [
        f"curl -sSf -o {series}.zip '{nbia}/v4/getImage?SeriesInstanceUID={series}&NewFileNames=Yes&IncludeMD5=Yes'"
        f" && zip -qd {series}.zip LICENSE md5hashes.csv && {_upload(world, project, series, f'{series}.zip')}"
        for series in [one.series_instance_uid for one in chosen]
    ]
    return _curl(world, project, lines, lanes)


def curl_idc(world: World, chosen: Chosen, project: str, lanes: int) -> Cost:
    """Bring objects from IDC to disk, and zips of them, which are made before, to XNAT, so many at a time."""
    lines, idc = [], world.environment["TCIA_XNAT_IDC_URL"]
    for series, bucket, folder, _ in chosen:
        paths = _objects(world, bucket, folder)
        ready = _ready_zip(world, series, paths)
        config = world.folder / f"{series}.curl"
        config.write_text("".join(f'url = "{idc}{path}"\noutput = "{series}-{path[-40:]}"\n' for path in paths))
        lines.append(
            f"curl -sSf --parallel --parallel-max 8 --config {config} && {_upload(world, project, series, ready)}"
        )
    return _curl(world, project, lines, lanes)


def _curl(world: World, project: str, lines: Sequence[str], lanes: int) -> Cost:
    _create(world, project)
    folder = world.folder / project
    folder.mkdir()
    script = world.folder / f"{project}.sh"
    script.write_text("\n".join(lines) + "\n")
    shell = f"cd {folder} && xargs -d '\\n' -P {lanes} -n 1 sh -c < {script}"
    log = world.folder / f"{project}.log"
    cost = run(["sh", "-c", shell], {}, log)
    if cost.code:
        raise RuntimeError(log.read_text()[-4000:])
    return cost


def _upload(world: World, project: str, series: str, path: str | Path) -> str:
    labels = f"&project={project}&PROJECT_ID={project}&subject={series[-9:]}&session={series[-9:]}"
    url = shlex.quote(f"{world.environment['XNAT_HOST']}{_IMPORT}{labels}")
    return f"curl -sSf -o /dev/null -u admin:admin -H 'Content-Type: application/zip' -T {path} -X POST {url}"


def _create(world: World, project: str) -> None:
    url = f"{world.environment['XNAT_HOST']}/data/projects/{project}"
    requests.put(url, auth=("admin", "admin"), timeout=60).raise_for_status()


def _objects(world: World, bucket: str, folder: str) -> list[str]:
    """Return the paths of the objects of a series on their server."""
    query = {"list-type": "2", "prefix": f"{folder}/"}
    listed = requests.get(f"{world.near['TCIA_XNAT_IDC_URL']}/{bucket}", params=query, timeout=600).text
    return [f"/{bucket}/{part.partition('<')[0]}" for part in listed.split("<Key>")[1:]]


def _ready_zip(world: World, series: str, paths: Sequence[str]) -> Path:
    ready = world.folder / f"{series}.zip"
    if not ready.exists():
        with zipfile.ZipFile(ready, "w") as archive:
            for path in paths:
                archive.writestr(path[-40:], requests.get(world.near["TCIA_XNAT_IDC_URL"] + path, timeout=600).content)
    return ready
