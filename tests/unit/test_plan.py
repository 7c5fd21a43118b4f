"""The plan: what is sent, what is there, which part of the whole."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcia_xnat.core.errors import SeriesUnavailable, SourceUnreachable, UsageError
from tcia_xnat.core.model import Label, Series, State
from tcia_xnat.planning import plan
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.completeness import Holding
from tcia_xnat.planning.held import Existing, Held, Imported
from tcia_xnat.planning.identity import Refusal, identify

LABEL = Label("P", "P")
SENT = Imported("1.1.1", "1.1", "/prearchive/x", "idc", 3, 100)


def series(number: int, study: str = "1.1", patient: str = "P", images: int = 3) -> Series:
    return Series(f"{study}.{number}", study, patient, image_count=images, byte_count=100)


def catalogue(*members: Series) -> Catalogue:
    return Catalogue({one.series_instance_uid: one for one in members}, {})


def made(
    members: Iterable[Series], held: Held | None = None, existing: Existing = Existing.SKIP
) -> tuple[list[str], dict[str, State]]:
    whole = catalogue(*members)
    names = dict.fromkeys(whole.series, LABEL)
    result = plan.make(whole, held or Held(), names, existing)
    return [one.series_instance_uid for one in result.send], {o.series_instance_uid: o.state for o in result.settled}


def test_an_empty_project_gets_everything() -> None:
    assert made([series(1), series(2)]) == (["1.1.1", "1.1.2"], {})


def test_what_is_there_whole_is_left_alone() -> None:
    held = Held(holdings={"1.1.1": Holding(3)})
    assert made([series(1), series(2)], held) == (["1.1.2"], {"1.1.1": State.PRESENT})


def test_a_study_that_is_only_shared_into_the_project_stays_where_it_is() -> None:
    lent = {"1.1": ("OWNS", Label("P", "LENT"))}
    whole = catalogue(series(1), series(1, study="1.2"))
    names = {"1.1.1": LABEL, "1.2.1": Label("P", "P_01")}
    result = plan.make(whole, Held(shared=lent), names)
    assert [one.series_instance_uid for one in result.send] == ["1.2.1"]
    [outcome] = result.settled
    assert (outcome.state, outcome.label, "from project OWNS" in outcome.reason) == (
        State.FAILED,
        Label("P", "LENT"),
        True,
    )
    own = Held(shared=lent, labels={"1.1": [LABEL]}, holdings={"1.1.1": Holding(3)})
    assert made([series(1)], own) == ([], {"1.1.1": State.PRESENT})


@pytest.mark.parametrize(("count", "sent"), [(2, True), (3, False), (4, False), (None, False), (0, True)])
def test_a_series_with_too_few_images_is_sent_again(count: int | None, sent: bool) -> None:  # noqa: FBT001  a parameter
    held = Held(holdings={"1.1.1": Holding(count)})
    assert made([series(1)], held)[0] == (["1.1.1"] if sent else [])


def test_what_nobody_has_counted_is_neither_present_nor_sent() -> None:
    assert made([series(1)], Held(holdings={"1.1.1": Holding(None)})) == ([], {"1.1.1": State.FAILED})


def test_a_repair_overwrites_and_a_first_sending_does_not() -> None:
    names = {"1.1.1": LABEL, "1.2.1": LABEL}
    both = catalogue(series(1), series(1, "1.2"))
    short = plan.make(both, Held(holdings={"1.1.1": Holding(1)}), names)
    assert [study.overwrite for study in short.studies] == [True, False]


def test_append_sends_all_and_error_refuses() -> None:
    held = Held(holdings={"1.1.1": Holding(3)})
    assert made([series(1)], held, Existing.APPEND) == (["1.1.1"], {})
    with pytest.raises(UsageError, match="is there already"):
        made([series(1)], held, Existing.ERROR)
    assert made([series(2)], held, Existing.ERROR)[0] == ["1.1.2"]


def test_what_waits_in_the_prearchive_is_not_sent_again() -> None:
    result = plan.make(
        catalogue(series(1), series(2)), Held(imported={"1.1.1": SENT}), {"1.1.1": LABEL, "1.1.2": LABEL}
    )
    (study,) = result.studies
    assert [one.series_instance_uid for one in study.send] == ["1.1.2"]
    assert study.imported == ((series(1), SENT),)


def test_a_copy_in_the_prearchive_of_what_is_archived_is_settled_and_never_overwrites() -> None:
    held = Held(holdings={"1.1.1": Holding(3)}, imported={"1.1.1": SENT})
    result = plan.make(catalogue(series(1)), held, {"1.1.1": LABEL})
    (study,) = result.studies
    assert (study.send, study.imported) == ((), ((series(1), SENT),))
    assert not study.overwrite
    assert not result.settled


def test_what_nobody_offers_is_unavailable_and_what_could_not_be_asked_failed() -> None:
    missing = {"1": SeriesUnavailable("no"), "2": SourceUnreachable("down", "later")}
    states = {o.series_instance_uid: (o.state, o.hint) for o in plan.make(Catalogue({}, missing), Held(), {}).settled}
    assert states == {"1": (State.UNAVAILABLE, ""), "2": (State.FAILED, "later")}


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 7))
def test_shards_are_the_whole_cut_by_patient(patients: list[int], of: int) -> None:
    whole = catalogue(*(series(number, f"1.{patient}", f"P{patient}") for number, patient in enumerate(patients)))
    parts = [plan.shard(whole, number, of) for number in range(of)]
    assert sorted(uid for part in parts for uid in part.series) == sorted(whole.series)
    owners = [{one.patient_id for one in part.series.values()} for part in parts]
    assert sum(map(len, owners)) == len(set().union(*owners))


def test_a_limit_takes_the_first_of_the_list_also_those_that_nobody_offers() -> None:
    known, gone = catalogue(series(2), series(1)).series, {"9": SeriesUnavailable("no"), "8": SourceUnreachable("no")}
    whole = Catalogue(known, gone, listed=("9", "1.1.2", "8", "1.1.1"))
    assert [list(plan.limited(whole, count).series) for count in (1, 2, 4)] == [[], ["1.1.2"], ["1.1.2", "1.1.1"]]
    assert [list(plan.limited(whole, count).missing) for count in (1, 2, 3)] == [["9"], ["9"], ["9", "8"]]
    assert plan.limited(whole, None) is whole


def test_a_limit_counts_what_a_filter_has_left() -> None:
    whole = Catalogue(catalogue(series(1)).series, {"9": SeriesUnavailable("no")}, listed=("1.1.2", "1.1.1", "9"))
    assert list(plan.limited(whole, 1).series) == ["1.1.1"]
    assert not plan.limited(whole, 1).missing


def test_where_folders_name_sessions_a_study_may_be_several_and_each_has_its_own_place_in_the_prearchive() -> None:
    pre, post = (
        Series(f"1.1.{nth}", "1.1", "P", image_count=3, folder=Label("007", name))
        for nth, name in enumerate(("007_pre", "007_post"))
    )
    held = Held(
        labels={"1.1": [Label("007", "007_post"), Label("007", "007_pre")]},
        prearchive={"1.1": ("/prearchive/projects/X/1/007_pre", "/prearchive/projects/X/2/007_post")},
    )
    names = identify(catalogue(pre, post), held).labels
    made_plan = plan.make(catalogue(pre, post), held, names)
    assert {study.label.session: study.prearchive for study in made_plan.studies} == {
        "007_pre": ("/prearchive/projects/X/1/007_pre",),
        "007_post": ("/prearchive/projects/X/2/007_post",),
    }


def test_what_is_refused_does_not_move_and_says_why() -> None:
    whole, why = catalogue(series(1), series(1, "1.2", "Q")), Refusal("it is Q's", "ask Q")
    names = {"1.1.1": LABEL, "1.2.1": Label("Q", "Q")}
    result = plan.make(whole, Held(holdings={"1.2.1": Holding(3)}), names, refused={"1.2.1": why})
    assert [one.series_instance_uid for one in result.send] == ["1.1.1"]
    [outcome] = result.settled
    assert (outcome.state, outcome.reason, outcome.hint, outcome.kind) == (
        State.FAILED, "it is Q's", "ask Q", "PatientConflict",
    )  # fmt: skip


@pytest.mark.parametrize("count", [3, 1])
def test_a_session_of_others_in_the_prearchive_only_matters_for_what_is_left_to_do(count: int) -> None:
    held = Held(holdings={"1.1.1": Holding(count)}, foreign={"1.1": "/prearchive/projects/X/1/REVIEW"})
    result = plan.make(catalogue(series(1)), held, {"1.1.1": LABEL})
    [outcome] = result.settled
    assert not result.send
    assert outcome.state is (State.PRESENT if count == 3 else State.FAILED)
    assert ("/prearchive/projects/X/1/REVIEW" in outcome.reason) is (count == 1)


def test_what_the_archive_holds_in_part_and_would_not_complete_is_not_sent() -> None:
    short, whole = (replace(series(nth), modality=kind) for nth, kind in ((1, "CT"), (2, "PT")))
    held = Held(
        labels={"1.1": [LABEL]},
        holdings={"1.1.1": Holding(1), "1.1.2": Holding(3)},
        archived_as={"1.1.1": LABEL, "1.1.2": LABEL},
        types={LABEL: "xnat:petSessionData"},
    )
    found = identify(catalogue(short, whole), held)
    result = plan.make(catalogue(short, whole), held, found.labels, refused=found.refused)
    assert not result.send
    reasons = {outcome.series_instance_uid: outcome for outcome in result.settled}
    assert "is a PET session, and XNAT adds no CT" in reasons["1.1.1"].reason
    assert "--split-session" not in reasons["1.1.1"].hint  # it would be there twice
    assert reasons["1.1.2"].state is State.PRESENT


def test_nothing_is_tidied_up_of_a_study_that_is_refused() -> None:
    held = Held(holdings={"1.1.1": Holding(3)}, prearchive={"1.1": ("/prearchive/projects/X/1/Q",)})
    names, whole = {"1.1.1": Label("Q", "Q")}, catalogue(series(1))
    assert plan.make(whole, held, names).leftovers
    assert not plan.make(whole, held, names, refused={"1.1.1": Refusal("no", "")}).leftovers
