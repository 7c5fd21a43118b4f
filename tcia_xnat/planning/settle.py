"""Outcomes of series that are not sent: present, left out by XNAT, not countable, not to be copied, not available."""

from dataclasses import replace

from tcia_xnat.core.errors import Error, SeriesUnavailable, UsageError
from tcia_xnat.core.model import Label, Outcome, Series, State
from tcia_xnat.planning import completeness, left_out
from tcia_xnat.planning.completeness import Judgement, Wanted
from tcia_xnat.planning.held import Existing, Held
from tcia_xnat.planning.identity.refusal import Refusal
from tcia_xnat.planning.left_out import accepted_note


def present_outcome(series: Series, label: Label, image_count: int | None = None) -> Outcome:
    """Return the outcome of a series that was there already, under a label, with as many images as were counted."""
    return Outcome(
        series.series_instance_uid,
        State.PRESENT,
        label,
        image_count=series.image_count if image_count is None else image_count,
        byte_count=series.byte_count,
    )


def missing_outcome(series_instance_uid: str, error: Error) -> Outcome:
    """Return the outcome of a series that the catalogue does not know."""
    state = State.UNAVAILABLE if isinstance(error, SeriesUnavailable) else State.FAILED
    return Outcome(series_instance_uid, state, reason=str(error), hint=error.hint, kind=type(error).__name__)


def unbegun_outcome(series_instance_uid: str, error: Error, label: Label | None = None) -> Outcome:
    """Return the outcome of a series that a run did not come to, and the error that ended the run."""
    return replace(missing_outcome(series_instance_uid, error), state=State.NOT_STARTED, label=label)


def settled(series: Series, label: Label, held: Held, existing: Existing, *, accept_rejected: bool) -> Outcome | None:
    """Return the outcome of a series that is not to be sent; None for one that is, or that waits in the prearchive."""
    uid = series.series_instance_uid
    if series.study_instance_uid in held.unclear:
        return _unclear_outcome(series, held.unclear[series.study_instance_uid])
    if (entry := held.imported.get(uid)) and (entry.kept != 0 or uid not in held.holdings):
        is_wanted = entry.kept is None or accept_rejected or existing is Existing.APPEND
        if entry.kept == 0 and existing is not Existing.APPEND:
            return _unkept_outcome(series, label, accept_rejected=accept_rejected)
        return None if is_wanted else _left_out_outcome(series, label, entry.kept or 0)
    if uid not in held.holdings:
        is_unkept = uid in held.left_out and existing is not Existing.APPEND
        return _unkept_outcome(series, label, accept_rejected=accept_rejected) if is_unkept else None
    if existing is Existing.ERROR:
        raise UsageError(
            f"series {uid} is there already",
            "with --existing skip what is there is left alone, with --existing append it is replaced",
        )
    return _archived_outcome(series, label, held, existing, accept_rejected=accept_rejected)


def _unkept_outcome(series: Series, label: Label, *, accept_rejected: bool) -> Outcome:
    """Return the outcome of a series of which XNAT is known to keep no image."""
    return nothing_kept_outcome(series, label) if accept_rejected else _left_out_outcome(series, label, 0)


def _archived_outcome(
    series: Series, label: Label, held: Held, existing: Existing, *, accept_rejected: bool
) -> Outcome | None:
    """Return the outcome of a series that the archive has; None for one that is to be sent again."""
    uid = series.series_instance_uid
    judged, there = judged_of(series, held), held.archived_as.get(uid, label)
    outcome = None
    if existing is not Existing.APPEND and (judged.is_complete or (uid in held.left_out and accept_rejected)):
        outcome = _held_outcome(series, there, held, judged)
    elif existing is not Existing.APPEND and uid in held.left_out:
        outcome = _left_out_outcome(series, there, judged.held or 0)
    elif uid in held.changed:
        outcome = _copy_outcome(series, there, judged)
    elif existing is not Existing.APPEND and judged.held is None:
        outcome = _unknown_outcome(series, there, judged)
    return outcome


def _held_outcome(series: Series, label: Label, held: Held, judged: Judgement) -> Outcome:
    """Return the outcome of a series that counts as there, with what is worth reporting of it."""
    uid = series.series_instance_uid
    notes = [held.changed[uid]] if uid in held.changed else []
    if not judged.is_complete:
        notes.append(accepted_note(judged.held or 0, series.image_count))
    return replace(present_outcome(series, label, judged.held), notes=tuple(notes))


def nothing_kept_outcome(series: Series, label: Label) -> Outcome:
    """Return the outcome of a series that counts although XNAT leaves out all of its images: the user accepts that."""
    return replace(present_outcome(series, label, 0), notes=(accepted_note(0, series.image_count),))


def refused_outcome(series: Series, label: Label, why: Refusal) -> Outcome:
    """Return the outcome of a series that may not go where it would."""
    return _failed_outcome(series, label, why.reason, why.hint, why.kind)


def _failed_outcome(series: Series, label: Label, reason: str, hint: str, kind: str) -> Outcome:
    return Outcome(series.series_instance_uid, State.FAILED, label, reason=reason, hint=hint, kind=kind)


def _left_out_outcome(series: Series, label: Label, kept: int) -> Outcome:
    reason = f"XNAT has kept {kept} of its {series.image_count} images, twice in the same way: it is not sent again"
    return _failed_outcome(series, label, reason, left_out.HINT, left_out.KIND)


def _copy_outcome(series: Series, label: Label, judged: Judgement) -> Outcome:
    """Return the outcome of a series that cannot be completed: XNAT would keep what is sent as another scan."""
    return _failed_outcome(
        series,
        label,
        f"XNAT holds {judged}, under UIDs that its anonymisation changed: sending it again would make a copy",
        f"delete its scan in session {label.session} in XNAT, then run the same command again",
        "UidsChanged",
    )


def _unclear_outcome(series: Series, label: Label) -> Outcome:
    return _failed_outcome(
        series,
        label,
        f"session {label.session} of the archive may be its study: XNAT's anonymisation changes UIDs, and the session "
        "has no provenance that could be read",
        f"compare them in XNAT; if it is another study, choose a label of its own with --session-label; "
        f"if it is the same, delete or rename session {label.session} there",
        "UidsChanged",
    )


def judged_of(series: Series, held: Held) -> Judgement:
    """Return how much of a series the archive has."""
    return completeness.judge(Wanted(series.image_count), held.holdings.get(series.series_instance_uid))


def _unknown_outcome(series: Series, label: Label, judged: Judgement) -> Outcome:
    """Return the outcome of a series that the archive has, nobody knows how much of it."""
    return _failed_outcome(
        series,
        label,
        f"XNAT holds {judged}",
        "have an owner refresh the catalogs of its session in XNAT; --existing append replaces the series",
        "Uncounted",
    )
