"""One series of three images, a source and an archive that are values, and what a run and --verify say of a folder."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from tcia_xnat.core.model import Label, Member, Outcome, Series, SeriesPackage, SourceName, State
from tcia_xnat.destinations.disk.disk import Incoming
from tcia_xnat.destinations.disk.ground import look_at
from tcia_xnat.destinations.disk.kept import Kept
from tcia_xnat.destinations.disk.layout import Layout
from tcia_xnat.destinations.disk.licence import Licences
from tcia_xnat.destinations.disk.presence import Known
from tcia_xnat.destinations.disk.scan import scan
from tcia_xnat.destinations.disk.survey import survey
from tcia_xnat.sources import OnBytes, Packages
from tcia_xnat.sources.fetch import Fetcher
from tcia_xnat.staging.spool import Spool
from tcia_xnat.transfer.disk_worker import FolderLane
from tcia_xnat.verify import disk
from tcia_xnat.verify.model import Sign
from tests.fakes import QUICK
from tests.images import SERIES, STUDY, image, md5

if TYPE_CHECKING:
    from tcia_xnat.sources.idc.client import IDCClient

COUNT = 3
IMAGES = {f"{SERIES}.{number}": image(number) for number in range(1, COUNT + 1)}
WANTED = Series(SERIES, STUDY, "P1", "coll", "CT", image_count=COUNT, byte_count=3000, crdc_series_uuid="uuid")
HOME = f"coll/P1/{STUDY}/CT_{SERIES}"


@dataclass(slots=True)
class Archive:
    """The source of one series: counts how often it was fetched; `hashes` are what IDC lists."""

    hashes: list[str] = field(default_factory=lambda: [md5(content) for content in IMAGES.values()])
    fetched: int = 0
    name: SourceName = SourceName.IDC

    def fetch(self, series: Series, spool: Spool, on_bytes: OnBytes) -> Packages:
        """Yield the series in one package."""
        self.fetched += 1
        members, offset = [], 0
        for uid, content in IMAGES.items():
            spool.write_at(offset, content)
            on_bytes(len(content))
            members.append(Member(uid, offset, len(content), len(content), zlib.crc32(content), 0))
            offset += len(content)
        yield SeriesPackage(series, self.name, tuple(members))

    def list_objects(self, _bucket: str, _uuid: str) -> list[SimpleNamespace]:
        """List the hashes of the series."""
        return [SimpleNamespace(md5=one) for one in self.hashes]


def bring(
    root: Path, archive: Archive, layout: Layout | None = None, *, series: Series = WANTED, replaces: bool = False
) -> Outcome:
    """Bring the series to disk as a run does it."""
    layout = layout or Layout()
    with Kept(root / "state" / "folder.sqlite") as kept, Incoming(root) as incoming:
        ground = look_at(root, layout, [series], kept, partial(survey, readers=1, check=nothing))
        if not replaces and (held := ground.held([series], kept).holdings):
            return Outcome(series.series_instance_uid, State.PRESENT, image_count=held[SERIES].count or 0)
        lane = FolderLane(
            root,
            layout,
            ground.folders,
            kept,
            incoming,
            Licences(root, layout),
            Fetcher({SourceName.IDC: archive}, (SourceName.IDC,), nothing, nothing),
            cast("IDCClient", archive),
            QUICK,
            replaces=replaces,
            found=ground.found,
        )
        return lane.run(series, Label("P1", "P1"))


def verified(root: Path, archive: Archive, *, series: Series = WANTED) -> Sign:
    """Return what --verify says of the series, or of files that belong to none."""
    with Kept(root / "state" / "folder.sqlite") as kept:
        entry = kept.series(SERIES)
        files = {entry.path(file): file for file in kept.files(SERIES)} if entry else {}
    known = replace(Known(series, COUNT), files=files, hashes=() if files else archive.hashes)
    rows = disk.compare({SERIES: known}, [], scan(root, 1, nothing, remembered=files))
    of_series = [row.sign for row in rows if row.series_instance_uid in {SERIES, ""}]
    return max(of_series, key=lambda sign: (sign is not Sign.SAME, sign))


def images_in(folder: Path) -> list[str]:
    """Return the MD5s of the files of a folder that look like images, as a reader of it finds them."""
    return sorted(md5(path.read_bytes()) for path in folder.rglob("*.dcm") if "state" not in path.parts)


def put(root: Path, folder: str, name: Callable[[int], str], *numbers: int) -> list[Path]:
    """Put images of the series into a folder, under names of another tool."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    paths = [root / folder / name(number) for number in numbers]
    for path, number in zip(paths, numbers, strict=True):
        path.write_bytes(image(number))
    return paths


def nothing(*_: object) -> None:
    """Neither told nor asked."""
