"""From what is asked for to the plan of a run: which part it takes, under which labels, and what it tells first."""

from dataclasses import replace

from tcia_xnat.core import licenses
from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.events import NonCommercial, Noted, Planned, Retrying, Tell
from tcia_xnat.core.model import Outcome
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.manifest import Manifest
from tcia_xnat.planning import plan as plans
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.held import Held
from tcia_xnat.planning.identity import identify
from tcia_xnat.planning.settings import Settings
from tcia_xnat.transfer.work import Prepared


def prepare(settings: Settings, manifest: Manifest, catalogue: Catalogue, held: Held) -> Prepared:
    """Label what is asked for, and plan what is left to do beside what is there already."""
    # labels are those of the whole manifest, whichever part of it this run moves
    found = identify(catalogue, held, settings.templates, settings.same_patient, split=settings.split_session)
    asked, accept = asked_part(settings, catalogue), settings.accept_rejected
    plan = plans.make(asked, held, found.labels, settings.existing, accept_rejected=accept, refused=found.refused)
    left_out = _left_out(settings, catalogue)
    return Prepared(manifest, catalogue, found.labels, replace(plan, settled=plan.settled + left_out), found.notes)


def _left_out(settings: Settings, catalogue: Catalogue) -> tuple[Outcome, ...]:
    """Return the series that the filter leaves out of this part; of the whole list it must leave some."""
    patterns, found = settings.licence_filter, sorted({series.licence for series in catalogue.series.values()})
    licenses.check(patterns, found)
    if found and not any(licenses.allows(patterns, licence) for licence in found):
        raise UsageError(
            f"--licence-filter {', '.join(patterns)} leaves out all {len(catalogue.series):,} series",
            f"their licences are {', '.join(licence or licenses.UNKNOWN for licence in found)}",
        )
    return plans.left_out(_part(settings, catalogue), patterns)


def asked_part(settings: Settings, catalogue: Catalogue) -> Catalogue:
    """Return the part of the catalogue that this run is to move."""
    return plans.limited(plans.allowed(_part(settings, catalogue), settings.licence_filter), settings.limit)


def _part(settings: Settings, catalogue: Catalogue) -> Catalogue:
    return plans.shard(catalogue, *settings.shard) if settings.shard else catalogue


def announce(prepared: Prepared, tell: Tell) -> None:
    """Tell what is about to move, and whether it may be used commercially, before the first byte does."""
    send = prepared.plan.send
    sizes = {series.series_instance_uid: series.byte_count for series in send}
    studies = {uid: series.study_instance_uid for uid, series in prepared.catalogue.series.items()}
    tell(Planned(len(sizes), sum(sizes.values()), sizes, studies))
    if counted := licenses.non_commercial(send):
        tell(NonCommercial(counted))
    for note in (*prepared.notes, *prepared.catalogue.notes):
        tell(Noted(note))


def patience_of(settings: Settings, stop: Stop, tell: Tell = lambda _event: None) -> Patience:
    """Return how often and how long a run tries again."""
    return Patience(
        RetryPolicy(settings.retries, settings.retry_wait),
        stop.wait,
        lambda error, delay: tell(Retrying(error, delay)),
    )
