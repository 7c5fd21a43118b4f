"""What tests of the logic hand in: an XNAT in memory, lanes that send to it, a source that says what it is told to.

`FakeXnat` has the methods of `XnatProject` and `Prearchive` that the steps of a session use.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from tcia_xnat.core.errors import Error, XnatError, XnatRefused
from tcia_xnat.core.model import Label, Member, Series, SeriesPackage, SourceName
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.core.uid_set import UidSet
from tcia_xnat.destinations.xnat.turns import Turns
from tcia_xnat.planning.completeness import Wanted
from tcia_xnat.sources import OnBytes, Packages
from tcia_xnat.staging.spool import Spool
from tcia_xnat.transfer.worker import Lane, NotSent, Sent
from tcia_xnat.xnat.prearchive import NothingStored, Prearchive, PrearchiveSession
from tcia_xnat.xnat.project import ArchivedSession, XnatProject
from tcia_xnat.xnat.scripts import Scripts

QUICK = Patience(RetryPolicy(attempts=2, base=0), lambda _seconds: None)


def changed(uid: str) -> str:
    """Return what a script that hashes makes of a UID."""
    return f"2.25.{uid.replace('.', '0')}"


def images(series: Series) -> frozenset[str]:
    """Return the SOPInstanceUIDs of a series in these tests."""
    return frozenset(f"{series.series_instance_uid}.{number}" for number in range(1, series.image_count + 1))


@dataclass(slots=True)
class Session:
    """A session of the prearchive or archive: SeriesInstanceUID → scan ID, and scan ID → SOPInstanceUIDs."""

    study_instance_uid: str
    label: Label
    scans: dict[str, str] = field(default_factory=dict)
    images: dict[str, set[str]] = field(default_factory=dict)
    status: str = "READY"
    files: dict[str, bytes] = field(default_factory=dict)
    mark: str = ""
    note: str = ""

    def add(self, uid: str, scan_id: str, images: Iterable[str]) -> None:
        self.scans[uid] = scan_id
        self.images.setdefault(scan_id, set()).update(images)


@dataclass
class FakeXnat:
    """One project.

    Attributes
    ----------
    changes_at
        Where a script changes UIDs: "import", "archive" or "".
    rejects
        Whether a script drops an image, told its SOPInstanceUID; `rejects_at` says when.
    fails
        Name of a method → errors that its next calls raise, first first.
    closed
        URLs of sessions of the prearchive that take no more images.
    uncounted
        Whether XNAT tells no counts until they are refreshed.
    """

    changes_at: str = ""
    rejects: Callable[[str], bool] = lambda _sop: False
    rejects_at: str = "archive"
    fails: dict[str, list[Exception]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    uncounted: bool = False
    unlisted: bool = False
    is_of_member: bool = False
    away: bool = False
    patience: Patience = QUICK
    archived: dict[Label, Session] = field(default_factory=dict)
    waiting: dict[str, Session] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    project: str = "P1"
    mark: str = "tcia-xnat-this"
    scripts: Scripts = field(default_factory=Scripts)
    resources: dict[tuple[str, str], bytes] = field(default_factory=dict)

    @property
    def prearchive(self) -> "FakeXnat":
        return self

    @property
    def as_project(self) -> XnatProject:
        return cast("XnatProject", self)

    def is_away(self) -> bool:
        return self.away

    # the prearchive

    def take(self, series: Series, label: Label, sops: Iterable[str]) -> str:
        """Import images of one series."""
        self._call("import_series")
        kept = [sop for sop in sops if not (self.rejects_at == "import" and self.rejects(sop))]
        if not kept:
            raise NothingStored("XNAT took the images and stored none of them")
        hashed = self.changes_at == "import"
        study = changed(series.study_instance_uid) if hashed else series.study_instance_uid
        key = study, label
        mine = ((url, one) for url, one in self.waiting.items() if url not in self.closed)
        url = next((url for url, one in mine if (one.study_instance_uid, one.label) == key), "")
        if not url:
            url = f"/prearchive/projects/{self.project}/{len(self.calls)}/{label.session}"
            self.waiting[url] = Session(study, label, mark=self.mark)
        uid = changed(series.series_instance_uid) if hashed else series.series_instance_uid
        self.waiting[url].add(uid, series.series_number, map(changed, kept) if hashed else kept)
        return url

    def import_series(self, body: Iterable[bytes], label: Label) -> str:
        """Import a zip of images, each named `<SeriesInstanceUID>.<number>.dcm`."""
        with zipfile.ZipFile(io.BytesIO(b"".join(body))) as archive:
            sops = [name.removesuffix(".dcm") for name in archive.namelist()]
        uid = sops[0].rpartition(".")[0]
        study, _, number = uid.rpartition(".")
        return self.take(series(int(number), study), label, sops)

    def sessions(self) -> list[PrearchiveSession]:
        return [
            PrearchiveSession(one.study_instance_uid, one.label, one.status, url, one.mark, str(len(one.scans)))
            for url, one in self.waiting.items()
        ]

    def with_turns(self) -> list[PrearchiveSession]:
        return self.sessions()

    def status(self, url: str) -> str:
        self._call("status")
        return self.waiting[url].status if url in self.waiting else ""

    def build(self, url: str) -> None:
        assert url in self.waiting
        self._call("build")

    def scans(self, place: str) -> dict[str, str]:
        self._call("scans")
        return dict(self._session(place).scans)

    def image_count(self, url: str, scan_id: str) -> int | None:
        return len(self.waiting[url].images[scan_id])

    def file_names(self, place: str, scan_id: str) -> frozenset[str] | None:
        return None if self.unlisted else frozenset(f"{sop}.dcm" for sop in self._session(place).images[scan_id])

    def archive(self, url: str, label: Label, *, overwrite: bool, note: str = "") -> None:
        self._call("archive")
        del overwrite
        drops = self.rejects_at == "archive"
        if drops and all(self.rejects(sop) for sops in self.waiting[url].images.values() for sop in sops):
            self.waiting[url].status = "ERROR"
            raise XnatRefused("XNAT answered 500: all files were rejected by the anonymization script")
        coming = self.waiting.pop(url)
        hashed = self.changes_at == "archive"
        there = self.archived.setdefault(
            label, Session(changed(coming.study_instance_uid) if hashed else coming.study_instance_uid, label)
        )
        there.note = note or there.note
        for uid, scan_id in coming.scans.items():
            kept = {sop for sop in coming.images[scan_id] if not (drops and self.rejects(sop))}
            if not kept:
                continue
            there.add(changed(uid) if hashed else uid, scan_id, map(changed, kept) if hashed else kept)
        self._call("archived")

    def last_log(self, url: str) -> str:
        return f"log of {url}"

    def delete(self, url: str) -> None:
        self._call("delete")
        self.waiting.pop(url, None)

    # the archive

    def archived_sessions(self) -> list[ArchivedSession]:
        return [
            ArchivedSession(self._id(label), one.study_instance_uid, label, dict(one.scans), note=one.note)
            for label, one in self.archived.items()
        ]

    def merges_modalities(self) -> bool:
        return False

    def subject_labels(self) -> list[str]:
        return [label.subject for label in self.archived]

    def experiment_uri(self, label: Label) -> str:
        return f"/data/projects/{self.project}/subjects/{label.subject}/experiments/{label.session}"

    def experiment_id(self, uri: str) -> str:
        self._call("experiment_id")
        return next((self._id(label) for label in self.archived if self.experiment_uri(label) == uri), "")

    def note(self, experiment_id: str) -> str:
        return self._session(experiment_id).note

    def image_counts(self, experiment_id: str) -> dict[str, int]:
        self._call("image_counts")
        return {} if self.uncounted else {scan: len(sops) for scan, sops in self._session(experiment_id).images.items()}

    def file_count(self, experiment_id: str, scan_id: str) -> int:
        self._call("file_count")
        return len(self._session(experiment_id).images[scan_id])

    def sop_instance_uids(self, experiment_id: str, scan_id: str) -> tuple[str, ...] | None:
        self._call("sop_instance_uids")
        return None if self.unlisted else tuple(sorted(self._session(experiment_id).images[scan_id]))

    def refresh_counts(self, experiment_id: str) -> None:
        del experiment_id
        self._call("refresh_counts")
        self.uncounted = False

    def read_session_file(self, experiment_id: str, resource: str, name: str, limit: int) -> bytes | None:
        del limit
        self._call("read_session_file")
        return self._session(experiment_id).files.get(f"{resource}/{name}")

    def resource_files(self, resource: str) -> frozenset[str]:
        return frozenset(name for kept, name in self.resources if kept == resource)

    def read_resource(self, resource: str, name: str, limit: int) -> bytes | None:
        del limit
        return self.resources.get((resource, name))

    def put_session_file(self, experiment_id: str, resource: str, name: str, content: bytes) -> None:
        self._call("put_session_file")
        self._session(experiment_id).files[f"{resource}/{name}"] = content

    def _session(self, place: str) -> Session:
        if place in self.waiting:
            return self.waiting[place]
        return next(one for label, one in self.archived.items() if self._id(label) == place)

    def _id(self, label: Label) -> str:
        return f"E_{label.session}"

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.fails.get(name):
            raise self.fails[name].pop(0)


@dataclass
class FakeLane:
    """Sends the images of a series to a `FakeXnat`, or fails as `errors` says by SeriesInstanceUID."""

    xnat: FakeXnat
    errors: Mapping[str, Error] = field(default_factory=dict)
    turns: Turns = field(init=False)
    sent: list[str] = field(default_factory=list)
    order: tuple[SourceName, ...] = (SourceName.IDC,)

    def __post_init__(self) -> None:
        self.turns = Turns(cast("Prearchive", self.xnat))

    @property
    def as_lane(self) -> Lane:
        return cast("Lane", self)

    @property
    def project(self) -> XnatProject:
        return self.xnat.as_project

    def listed(self, uids: Iterable[str]) -> Mapping[str, int]:
        del uids
        return {}

    def wanted(self, series: Series) -> Wanted:
        return Wanted(series.image_count)

    def keep(self, resource: str, name: str, content: bytes) -> None:
        if not self.xnat.is_of_member:
            self.xnat.resources[resource, name] = content

    def run(self, series: Series, label: Label) -> Sent | NotSent:
        uid = series.series_instance_uid
        try:
            self.turns.check(label)
        except XnatError as error:
            return NotSent(series, error)
        self.sent.append(uid)
        if uid in self.errors:
            return NotSent(series, self.errors[uid])
        try:
            url = self.xnat.take(series, label, images(series))
        except XnatError as error:
            return NotSent(series, error)
        packed = UidSet.of(images(series))
        return Sent(series, SourceName.IDC, url, series.image_count, series.byte_count, images=packed)


def series(number: int, study: str = "1.2", images: int = 3, scan: str = "") -> Series:
    """Return a series of three images."""
    return Series(
        f"{study}.{number}", study, "PAT", series_number=scan or str(number), image_count=images, byte_count=100
    )


@dataclass
class FakeSource:
    """Delivers series of a few bytes an image, or fails.

    Attributes
    ----------
    fails
        SeriesInstanceUID → what its next fetches raise, first first, after `parts` packages.
    parts
        In how many packages it delivers a series, and how many come before it fails.
    """

    name: SourceName = SourceName.IDC
    fails: dict[str, list[Exception]] = field(default_factory=dict)
    parts: int = 1
    fetched: list[str] = field(default_factory=list)

    def fetch(self, series: Series, spool: Spool, on_bytes: OnBytes) -> Packages:
        uid = series.series_instance_uid
        self.fetched.append(uid)
        sops = sorted(images(series))
        share = -(-len(sops) // self.parts)
        failing = self.fails.get(uid)
        for number in range(self.parts - bool(failing)):
            spool.clear()
            members = tuple(self._member(sop, spool) for sop in sops[number * share : (number + 1) * share])
            on_bytes(spool.size)
            yield SeriesPackage(series, self.name, members)
        if failing:
            raise failing.pop(0)

    @staticmethod
    def _member(sop: str, spool: Spool) -> Member:
        data, offset = sop.encode(), spool.size
        spool.write_at(offset, data)
        return Member(sop, offset, len(data), len(data), zlib.crc32(data), zipfile.ZIP_STORED)
