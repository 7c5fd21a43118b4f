"""Identity: which patient's subject and session every series goes to, and what is refused."""

import random
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from tcia_xnat.core.model import Label, Series, StudyFacts
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.held import Held
from tcia_xnat.planning.identity import SamePatient, Templates, identify
from tcia_xnat.planning.identity.words import unique

P, Q = Label("P", "P"), Label("Q", "Q")
STUDY = "1.1"


def series(
    number: int, patient: str, study: str = STUDY, *, modality: str = "MR", date: str = "", folder: Label | None = None
) -> Series:
    uid = f"{study}.{number}"
    return Series(uid, study, patient, modality=modality, study_date=date, image_count=3, folder=folder)


def catalogue(*members: Series, facts: Mapping[str, StudyFacts] | None = None) -> Catalogue:
    return Catalogue({one.series_instance_uid: one for one in members}, {}, studies=facts or {})


def holding(label: Label = P, patient: str | None = None, study: str = STUDY, **more: Any) -> Held:  # noqa: ANN401  fields of Held
    patients = {} if patient is None else {label: patient}
    return Held(
        labels={study: [label]},
        patients=patients,
        sessions=frozenset({label.session}),
        subjects=frozenset({label.subject}),
        **more,
    )


def same(*pairs: tuple[str, str]) -> SamePatient:
    return SamePatient(frozenset(pairs))


@pytest.mark.parametrize(
    ("held", "patient", "says", "label"),
    [
        (holding(P), "P", (), P),  # no provenance, and the subject is called after the patient
        (holding(P, "P"), "P", (), P),
        (holding(Label("renamed", "baseline"), "P"), "P", (), Label("renamed", "baseline")),  # provenance knows him
        (holding(Label("12_3", "12_3")), "12/3", (), Label("12_3", "12_3")),  # as earlier versions called him
        (holding(P, "P"), "Q", (), None),
        (holding(P), "Q", (), None),
        (holding(Label("p", "p")), "P", (), None),  # labels that differ in case are those of two patients
        (holding(Label("Q", "P"), "P"), "Q", (), None),  # what is recorded counts, not the subject's name
        (holding(P, "P"), "Q", (("P", "Q"),), P),
        (holding(Label("S01", "V1")), "Q", (("S01", "Q"),), Label("S01", "V1")),
        (holding(Label("S01", "V1")), "Q", (("S01", "R"), ("S02", "Q")), None),
        (holding(Label("S01", "V1"), "P"), "Q", (("S01", "Q"),), Label("S01", "V1")),
    ],
)
def test_a_study_that_xnat_holds(
    held: Held, patient: str, says: Iterable[tuple[str, str]], label: Label | None
) -> None:
    found = identify(catalogue(series(1, patient)), held, same=same(*says))
    if label is None:
        (why,) = found.refused.values()
        assert patient in why.reason
        assert next(iter(held.labels[STUDY])).subject in why.reason
        assert f"={patient}" in why.hint
    else:
        assert (found.labels, found.refused) == ({"1.1.1": label}, {})


def test_the_hint_settles_the_conflict() -> None:
    held, asked = holding(P, "P"), catalogue(series(1, "it's Q"))
    (why,) = identify(asked, held).refused.values()
    assert "--same-patient 'P=it'\"'\"'s Q'" in why.hint
    assert not identify(asked, held, same=same(("P", "it's Q"))).refused


def test_one_held_study_does_not_give_its_subject_to_the_others() -> None:
    found = identify(catalogue(series(1, "Q"), series(1, "Q", "1.2"), series(1, "Q", "1.3")), holding(P, "P"))
    assert set(found.refused) == {"1.1.1"}
    assert {found.labels[uid].subject for uid in ("1.2.1", "1.3.1")} == {"Q"}


def test_nothing_of_a_conflicting_study_moves_and_the_rest_does() -> None:
    held = holding(P, "P")
    found = identify(catalogue(series(1, "P"), series(2, "Q"), series(3, "R"), series(1, "Q", "1.2")), held)
    assert not found.refused  # the list itself says that this study has series of three patients
    assert {uid: label.subject for uid, label in found.labels.items()} == {
        "1.1.1": "P", "1.1.2": "Q", "1.1.3": "R", "1.2.1": "Q",
    }  # fmt: skip
    strange = identify(catalogue(series(2, "Q"), series(3, "R"), series(1, "Q", "1.2")), held)
    assert set(strange.refused) == {"1.1.2", "1.1.3"}


def test_a_study_of_two_patients_is_a_session_for_each_in_any_order_and_number_of_runs() -> None:
    ours, theirs = series(1, "123342"), series(2, "108001")
    labels = identify(catalogue(ours, theirs), Held()).labels
    assert labels == {"1.1.1": Label("123342", "123342"), "1.1.2": Label("108001", "108001")}
    assert identify(catalogue(theirs, ours), Held()).labels == labels
    facts = {STUDY: StudyFacts(patients=frozenset({"123342", "108001"}))}
    for first, second in ((ours, theirs), (theirs, ours)):
        label = labels[first.series_instance_uid]
        for held in (holding(label, first.patient_id), holding(label)):
            alone = identify(catalogue(second, facts=facts), held)
            assert (alone.labels[second.series_instance_uid], alone.refused) == (labels[second.series_instance_uid], {})
            both = identify(catalogue(ours, theirs, facts=facts), held)
            assert (both.labels, both.refused) == (labels, {})


def test_a_series_that_lies_in_a_session_of_another_patient_of_its_study_is_not_counted_as_there() -> None:
    ours, theirs, new = series(1, "A"), series(2, "B"), series(3, "A")
    label, own = Label("B", "B"), Label("A", "A")
    lies = {"1.1.1": label, "1.1.2": label}
    found = identify(catalogue(ours, theirs, new), holding(label, "B", archived_as=lies))
    assert set(found.refused) == {"1.1.1"}
    assert "of PatientID B; the PatientID of these images is A" in found.refused["1.1.1"].reason
    assert (found.labels["1.1.1"], found.labels["1.1.2"], found.labels["1.1.3"]) == (label, label, own)
    both = Held(
        labels={STUDY: [own, label]}, patients={own: "A", label: "B"}, sessions=frozenset("AB"),
        subjects=frozenset("AB"), archived_as=lies,
    )  # fmt: skip
    assert set(identify(catalogue(ours, theirs), both).refused) == {"1.1.1"}
    assert not identify(catalogue(ours, theirs), both, same=same(("B", "A"))).refused


ALIKE = [("12/3", "12^3"), ("Cas", "CAS"), ("Жук", "Лис"), ("x" * 64 + "1", "x" * 64 + "2"), ("a b", "a_b"), ("é", "_")]


@pytest.mark.parametrize("pair", [*ALIKE, *((b, a) for a, b in ALIKE)])
@pytest.mark.parametrize("has_provenance", [True, False])
def test_ids_that_become_alike_stay_two_subjects_in_one_run_and_in_two(
    pair: tuple[str, str],
    has_provenance: bool,  # noqa: FBT001  a parameter
) -> None:
    first, second = series(1, pair[0]), series(1, pair[1], "1.2")
    one_run = identify(catalogue(first, second), Held())
    assert len({label.subject.lower() for label in one_run.labels.values()}) == 2
    assert "not called after their patient" in one_run.notes[0]
    label = identify(catalogue(first), Held()).labels["1.1.1"]
    held = holding(
        label,
        pair[0] if has_provenance else None,
        subject_patients={label.subject: frozenset({pair[0]})} if has_provenance else {},
    )
    two_runs = identify(catalogue(first, second), held)
    assert (two_runs.labels["1.1.1"], two_runs.refused) == (label, {})
    assert two_runs.labels["1.2.1"].subject.lower() != label.subject.lower()


@pytest.mark.parametrize("name", ["P", "LIDC-IDRI-0001", "100_HM10395", "x" * 64, " P "])
def test_a_name_that_loses_nothing_keeps_its_letters(name: str) -> None:
    assert unique(name) == name.strip()


def test_the_label_of_a_lossy_name_depends_on_the_name_alone() -> None:
    assert unique("12/3") == "12_3_" + unique("12/3")[-8:] != unique("12^3")
    assert len(unique("x" * 80)) == 64


def test_a_subject_whose_images_are_recorded_as_anothers_is_not_taken_although_it_has_the_name() -> None:
    held = Held(subjects=frozenset({"S1"}), sessions=frozenset({"S1_v1"}), subject_patients={"S1": frozenset({"MRN1"})})
    found = identify(catalogue(series(1, "S1")), held)
    assert found.labels["1.1.1"].subject == unique("S1") + found.labels["1.1.1"].subject[2:] != "S1"
    assert "S1 → S1_" in found.notes[0]
    assert identify(catalogue(series(1, "MRN1")), held, same=same(("S1", "MRN1"))).labels["1.1.1"].subject == "S1"


def test_what_the_user_calls_one_patient_is_one_subject_for_new_studies_too() -> None:
    held = holding(Label("S01", "V1"), "P", subject_patients={"S01": frozenset({"P"})})
    for says in (("S01", "Q"), ("P", "Q")):
        found = identify(catalogue(series(1, "Q", "1.9")), held, same=same(says))
        assert found.labels["1.9.1"].subject == "S01"


def test_collections_that_share_patient_ids_stay_apart_by_their_template() -> None:
    one = Series("1.1.1", "1.1", "001", "coll_a", image_count=1)
    two = Series("1.2.1", "1.2", "001", "coll_b", image_count=1)
    templates = Templates("{collection_id}-{PatientID}", "{PatientID}")
    labels = identify(catalogue(one, two), Held(), templates).labels
    assert {label.subject for label in labels.values()} == {"coll_a-001", "coll_b-001"}
    assert len({label.session for label in labels.values()}) == 2
    plain = identify(catalogue(one, two), Held()).labels
    assert {label.subject for label in plain.values()} == {"001"}  # one PatientID is one patient


def test_a_template_without_the_patient_keeps_patients_apart_in_one_run_and_in_two() -> None:
    one, two = (Series(f"1.{n}.1", f"1.{n}", patient, "coll", image_count=1) for n, patient in ((1, "A"), (2, "B")))
    templates = Templates("{collection_id}", "{PatientID}")
    labels = identify(catalogue(one, two), Held(), templates).labels
    assert labels["1.1.1"].subject == "coll"
    assert labels["1.2.1"].subject.startswith("coll_")
    held = Held(subjects=frozenset({"coll"}), sessions=frozenset({"A"}), unclear_subjects=frozenset({"coll"}))
    assert identify(catalogue(two), held, templates).labels["1.2.1"].subject == labels["1.2.1"].subject


def test_the_earliest_date_of_the_whole_study_decides_and_the_order_of_the_list_does_not() -> None:
    facts = {
        "1.1": StudyFacts("2001-03-01", frozenset({"CT", "PT"}), frozenset({"P"})),
        "1.2": StudyFacts("2001-02-01", frozenset({"MR"}), frozenset({"P"})),
    }
    members = [series(1, "P", "1.1", date="2002-01-01", modality="CT"), series(2, "P", "1.1", modality="PT")]
    members += [series(1, "P", "1.2", date="2009-01-01"), series(2, "P", "1.2", date="2001-02-01")]
    found = set()
    for seed in range(8):
        random.Random(seed).shuffle(members)  # noqa: S311  no secret
        labels = identify(catalogue(*members, facts=facts), Held()).labels
        found.add(tuple(sorted((uid, label.session) for uid, label in labels.items())))
        dated = identify(catalogue(*members, facts=facts), Held(), Templates(session="{StudyDate}{Modality}")).labels
        assert {dated["1.1.1"].session, dated["1.1.2"].session} == {"20010301PT"}
    assert found == {(("1.1.1", "P_01"), ("1.1.2", "P_01"), ("1.2.1", "P"), ("1.2.2", "P"))}


@pytest.mark.parametrize(
    ("kind", "coming", "fits"),
    [
        ("ct", "PT", False),
        ("rt", "CT", False),
        ("pet", "CT", False),
        ("ct", "SEG", False),
        ("ct", "CT", True),
        ("pet", "PT", True),
        ("", "PT", True),
        ("mr", "", True),
    ],
)
def test_what_xnat_would_not_add_is_known_before_the_first_byte_and_may_have_a_session_of_its_own(
    kind: str,
    coming: str,
    fits: bool,  # noqa: FBT001  a parameter
) -> None:
    held = holding(P, "P", archived_as={"1.1.1": P}, types={P: f"xnat:{kind}SessionData"} if kind else {})
    asked = catalogue(series(1, "P", modality="CT"), series(2, "P", modality=coming))
    plain, split = identify(asked, held), identify(asked, held, split=True)
    assert set(plain.refused) == (set() if fits else {"1.1.2"})
    assert not split.refused
    assert split.labels["1.1.1"] == P
    assert split.labels["1.1.2"] == (P if fits else Label("P", "P_01"))
    if not fits:
        assert "--split-session" in plain.refused["1.1.2"].hint
        assert "becomes session P_01, beside P" in split.notes[0]


def test_a_study_that_was_split_is_completed_where_it_fits() -> None:
    other = Label("P", "P_01")
    held = Held(
        labels={STUDY: [P, other]},
        types={P: "xnat:ctSessionData", other: "xnat:petSessionData"},
        archived_as={"1.1.1": P, "1.1.2": other},
        sessions=frozenset({"P", "P_01"}),
        subjects=frozenset({"P"}),
    )
    members = [series(n, "P", modality=kind) for n, kind in ((1, "CT"), (2, "PT"), (3, "PT"))]
    found = identify(catalogue(*members), held)
    assert (found.labels, found.refused) == ({"1.1.1": P, "1.1.2": other, "1.1.3": other}, {})


def in_folder(number: int, patient: str, study: str, subject: str, session: str = "v1") -> Series:
    return series(number, patient, study, folder=Label(subject, f"{subject}_{session}"))


def test_a_folder_names_the_subject_and_has_one_patient() -> None:
    members = [in_folder(1, "MRN1", "1.1", "S1"), in_folder(1, "MRN1", "1.2", "S1", "v2")]
    labels = identify(catalogue(*members), Held()).labels
    assert labels == {"1.1.1": Label("S1", "S1_v1"), "1.2.1": Label("S1", "S1_v2")}


def test_another_patients_series_in_a_folder_is_refused_and_does_not_get_its_name() -> None:
    members = [in_folder(1, "A", "1.255", "A"), in_folder(1, "B", "1.256", "B"), in_folder(2, "A", "1.255", "B")]
    found = identify(catalogue(*members), Held())
    assert set(found.refused) == {"1.255.2"}
    assert found.labels["1.256.1"] == Label("B", "B_v1")
    said = identify(catalogue(*members), Held(), same=same(("B", "A")))
    assert not said.refused


def test_a_later_delivery_of_another_patient_in_the_same_folder_is_refused() -> None:
    held = holding(Label("S1", "S1_v1"), "MRN1", subject_patients={"S1": frozenset({"MRN1"})})
    found = identify(catalogue(in_folder(1, "MRN2", "1.2", "S1", "v2")), held)
    assert "--same-patient MRN1=MRN2" in found.refused["1.2.1"].hint


def test_a_folders_own_name_is_not_taken_for_a_number() -> None:
    held = holding(Label("S", "S_ses_01"), "P")
    asked = catalogue(series(2, "P", folder=Label("S", "S_ses")))
    assert identify(asked, held).labels["1.1.2"] == Label("S", "S_ses")
    numbered = holding(Label("S", "S_ses_01"), "P")
    taken = Held(
        labels=numbered.labels, patients=numbered.patients, sessions=frozenset({"S_ses", "S_ses_01"}),
        subjects=frozenset({"S"}),
    )  # fmt: skip
    assert identify(asked, taken).labels["1.1.2"] == Label("S", "S_ses_01")


def test_random_lists_in_any_number_of_runs_never_put_two_patients_under_one_subject() -> None:
    names = ["A", "a", "A_01", "A 01", "A/01", "x" * 64, "x" * 70, "é", "_", "12/3", "12^3"]
    for seed in range(200):
        made = random.Random(seed)  # noqa: S311  no secret
        members = [series(1, made.choice(names), f"1.{n}", date=made.choice(["", "2000-01-01"])) for n in range(8)]
        labels: dict[str, Label] = {}
        patients: dict[Label, str] = {}
        for one in made.sample(members, len(members)):
            part = [*made.sample(members, made.randint(1, 4)), one]
            held = _after(labels, patients, members)
            found = identify(catalogue(*part), held)
            assert not found.refused
            assert all(labels.get(uid, label) == label for uid, label in found.labels.items())
            labels |= found.labels
            patients |= {found.labels[each.series_instance_uid]: each.patient_id for each in part}
        owners = {label.subject.lower(): patients[label] for label in labels.values()}
        assert all(owners[label.subject.lower()] == patients[label] for label in labels.values())
        assert len({label.session.lower() for label in labels.values()}) == len(labels)


def _after(labels: Mapping[str, Label], patients: Mapping[Label, str], members: Iterable[Series]) -> Held:
    """Return what XNAT holds after some runs, with provenance."""
    studies = {one.study_instance_uid: one.series_instance_uid for one in members}
    by_subject: dict[str, set[str]] = {}
    for label in labels.values():
        by_subject.setdefault(label.subject, set()).add(patients[label])
    return Held(
        labels={study: [labels[uid]] for study, uid in studies.items() if uid in labels},
        archived_as=labels,
        patients=patients,
        sessions=frozenset(label.session for label in labels.values()),
        subjects=frozenset(by_subject),
        subject_patients={subject: frozenset(ids) for subject, ids in by_subject.items()},
    )


@pytest.mark.parametrize(
    ("subject", "says", "goes_to"),
    [
        ("S2", (), None),
        ("S1", (), "S1"),
        ("s1", (), "S1"),  # XNAT spells it so
        ("S2", (("S1", "MRN1"),), "S1"),
    ],
)
def test_a_folder_gives_a_study_that_xnat_has_no_second_subject(
    subject: str, says: tuple[tuple[str, str], ...], goes_to: str | None
) -> None:
    held = holding(Label("S1", "S1_v1"), "MRN1", subject_patients={"S1": frozenset({"MRN1"})})
    comes = series(2, "MRN1", folder=Label(subject, f"{subject}_v2"))
    found = identify(catalogue(comes), held, same=same(*says))
    if goes_to:
        assert (found.refused, found.labels["1.1.2"].subject) == ({}, goes_to)
    else:
        why = found.refused["1.1.2"]
        assert "names subject S2, and XNAT has its study 1.1 as session S1_v1 of subject S1" in why.reason
        assert "--same-patient S1=MRN1" in why.hint


def test_a_study_that_stays_under_another_subject_than_its_folder_names_is_told() -> None:
    held = holding(Label("S1", "V1"), "MRN1", archived_as={"1.1.1": Label("S1", "V1")})
    found = identify(catalogue(series(1, "MRN1", folder=Label("S2", "V2"))), held)
    assert (found.refused, found.labels["1.1.1"]) == ({}, Label("S1", "V1"))
    assert found.notes[0].endswith("they stay there: S2 → S1, V1")
    assert not identify(catalogue(series(1, "MRN1", folder=Label("S1", "V2"))), held).notes
