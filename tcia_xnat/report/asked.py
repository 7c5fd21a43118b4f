"""What a report is about: how many series were asked for, and which part of them the runs took."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tcia_xnat.core.model import ListRead
from tcia_xnat.transfer.work import Run

_LEFT = re.compile(
    r"# Left of (?P<manifest>.{1,300}), list (?P<digest>[0-9a-f]{16}), by the run of (?P<run>[0-9T:+-]{1,40})"
)


@dataclass(frozen=True, slots=True)
class Request:
    """One list of series, and how it was cut.

    Attributes
    ----------
    manifest
        Name of the list.
    digest
        Tells lists apart that have one name.
    series
        How many series the list has.
    shards
        The parts of it that were run, as number and number of all; empty when it was not cut so.
    limit
        The `--limit`; None without one.
    licence_filter
        What `--licence-filter` named.
    left_of, left_by
        Of a failed.tcia the list that it is the rest of, and the run that wrote it.
    left_digest
        The digest of that list.
    not_taken
        Series of the list that no run took.
    read
        How each file and sheet was read.
    tree, left_out
        Of an upload: what tells its tree from others, and the sentence about what of it was not sent.
    """

    manifest: str
    digest: str
    series: int
    shards: tuple[tuple[int, int], ...] = ()
    limit: int | None = None
    licence_filter: tuple[str, ...] = ()
    left_of: str = ""
    left_by: str = ""
    left_digest: str = ""
    not_taken: tuple[str, ...] = ()
    read: tuple[ListRead, ...] = ()
    tree: str = ""
    left_out: str = ""

    @property
    def missing_shards(self) -> Mapping[int, Sequence[int]]:
        """Number of parts → the parts that were not run, where the list was cut and series of it were not taken."""
        ran: dict[int, set[int]] = {}
        for number, of in self.shards if self.not_taken else ():
            ran.setdefault(of, set()).add(number)
        return {of: [number for number in range(of) if number not in numbers] for of, numbers in ran.items()}

    def as_json(self) -> dict[str, Any]:
        """Return what report.json holds of it."""
        return asdict(self) | {"shards": [f"{number}/{of}" for number, of in self.shards]}


def request_of(run: Run) -> Request:
    """Return what a run was asked for."""
    job, manifest = run.job, run.prepared.manifest
    order = run.prepared.catalogue.order or manifest.series_instance_uids
    taken = {outcome.series_instance_uid for outcome in run.result.outcomes}
    left = next(filter(None, (_LEFT.match(line.text) for line in manifest.rejected)), None)
    return Request(
        manifest.name,
        hashlib.sha256("\n".join(sorted(order)).encode(errors="surrogateescape")).hexdigest()[:16],
        len(order),
        (job.shard,) if job.shard else (),
        job.limit,
        job.licence_filter,
        left["manifest"] if left else "",
        left["run"] if left else "",
        left["digest"] if left else "",
        tuple(uid for uid in order if uid not in taken),
        manifest.read,
        job.tree,
        run.prepared.catalogue.left_out,
    )


def left_comment(request: Request, run: str) -> str:
    """Return the line by which a failed.tcia says what it is the rest of."""
    manifest = " ".join((request.left_of or request.manifest).split())[:300]
    return f"# Left of {manifest}, list {request.left_digest or request.digest}, by the run of {run}"


def joined(requests: Iterable[Request]) -> list[Request]:
    """Return one request for each list; the rest of a list that is there as well belongs to that one."""
    found: dict[str, Request] = {}
    for one in requests:
        before = found.pop(one.digest, None)  # its last run tells its place, too
        found[one.digest] = _both(before, one) if before else one
    return [one for one in found.values() if one.left_digest not in found]


def left_out(requests: Iterable[Request]) -> str:
    """Return what was not sent of trees, in the words of the last run on each.

    A run that looks at a tree again takes the word of the one before it, but where it found fewer series: another
    medium may be in the same place.
    """
    last: dict[str, Request] = {}
    said: dict[str, None] = {}
    for one in requests:
        before = last.get(one.tree or one.digest)
        if before and one.series >= before.series:
            said.pop(before.left_out, None)
        last[one.tree or one.digest] = one
        said[one.left_out] = None
    return " ".join(filter(None, said))


def _both(before: Request, later: Request) -> Request:
    gone = set(later.not_taken)
    return replace(
        later,
        shards=tuple(sorted({*before.shards, *later.shards})),
        limit=max(before.limit, later.limit) if before.limit and later.limit else None,
        not_taken=tuple(uid for uid in before.not_taken if uid in gone),
    )


def named(request: Request) -> str:
    """Return the name of a list and how it was cut, as in `CMB-AML.tcia (shards 0, 1 of 3)`."""
    cuts = [_shards(request.shards)] if request.shards and request.not_taken else []
    if request.limit and request.not_taken:
        cuts.append(f"--limit {request.limit}")
    rest = f", the rest of {request.left_of}," if request.left_of else ""
    return f"{request.manifest}{rest}" + (f" ({'; '.join(cuts)})" if cuts else "")


def _shards(shards: Sequence[tuple[int, int]]) -> str:
    by_count: dict[int, list[str]] = {}
    for number, of in shards:
        by_count.setdefault(of, []).append(str(number))
    return ", ".join(
        f"{'shard' if len(numbers) == 1 else 'shards'} {', '.join(numbers)} of {of}" for of, numbers in by_count.items()
    )
