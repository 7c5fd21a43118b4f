"""Kinds of tree in which people became somebody else: each stays who he is, or nothing of him moves and it is said."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

from tests.upload.kinds.model import Ends, Kind, Run, Tree, alone, delivered, images_of, twice
from tests.upload.trees import Scan

_LATER = "20210101"


def _study_of_another_patient() -> Kind:
    first, second = images_of(Scan("P1A", 8200, 1), folder="x"), images_of(Scan("P1B", 8200, 2), folder="y")

    def conflict(held: str, comes: str, tree: Tree) -> Ends:
        words = f"of PatientID {held}; the PatientID of these images is {comes}"
        return Ends(3, {f"{held}/{held}": tree}, (words, f"--same-patient {held}={comes}"))

    return delivered(
        first,
        second,
        alike=True,
        whole=Ends(0, {"P1A/P1A": first, "P1B/P1B": second}),
        one=Ends(0, {"P1A/P1A": first}),
        two=Ends(0, {"P1B/P1B": second}),
        then_two=conflict("P1A", "P1B", first),
        then_one=conflict("P1B", "P1A", second),
    )


def _study_of_another_patient_and_new_ones() -> Kind:
    first, second = images_of(Scan("P2A", 8210, 1), folder="x"), images_of(Scan("P2B", 8210, 2), folder="y")
    new = images_of(Scan("P2B", 8211, 1, date=_LATER), folder="z")
    words = ("of PatientID P2A; the PatientID of these images is P2B", "--same-patient P2A=P2B")
    return delivered(
        first,
        second | new,
        whole=Ends(0, {"P2A/P2A": first, "P2B/P2B": second, "P2B/P2B_01": new}),
        one=Ends(0, {"P2A/P2A": first}),
        two=Ends(0, {"P2B/P2B": second, "P2B/P2B_01": new}),
        then_two=Ends(3, {"P2A/P2A": first, "P2B/P2B": new}, words),
        then_one=Ends(3, {"P2B/P2B": second, "P2B/P2B_01": new}, ("--same-patient P2B=P2A",)),
    )


def _one_person_with_two_names() -> Kind:
    first, second = images_of(Scan("P3A", 8220, 1), folder="x"), images_of(Scan("P3B", 8220, 2), folder="y")
    held = Run(first, Ends(0, {"P3A/P3A": first}), root="a")
    both = {"P3A/P3A": first | second}
    said = Run(second, Ends(0, both), ("--same-patient", "P3A=P3B"), root="b")
    unsaid = Run(second, Ends(3, both, ("--same-patient P3A=P3B",)), machine=3, root="b")
    return Kind(
        {"in two": [held, said], "in two, on two machines": [held, replace(said, machine=2), unsaid]}, is_one=True
    )


def _digested(name: str) -> str:
    """Return the label of a name that loses something as a label of XNAT's."""
    return f"{re.sub('[^A-Za-z0-9]', '_', name)[:55]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _ids_that_become_alike(*ids: str) -> Kind:
    first, second = (images_of(Scan(one, 8230 + nth, 1), folder=f"x{nth}") for nth, one in enumerate(ids))
    labels = [_digested(one) for one in ids]
    one, two = {f"{labels[0]}/{labels[0]}": first}, {f"{labels[1]}/{labels[1]}": second}
    words = "not called after their patient"
    return delivered(
        first,
        second,
        alike=True,
        whole=Ends(0, one | two, (words, *labels)),
        one=Ends(0, one, (words, labels[0])),
        two=Ends(0, two, (words, labels[1])),
        then_two=Ends(0, one | two, (words, labels[1])),
        then_one=Ends(0, one | two, (words, labels[0])),
    )


def _ids_that_differ_by_case() -> Kind:
    first, second = images_of(Scan("Ida", 8240, 1), folder="x"), images_of(Scan("IDA", 8241, 1), folder="y")
    upper, lower, words = _digested("IDA"), _digested("Ida"), "not called after their patient"
    upper_first = Ends(0, {f"{lower}/Ida_01": first, "IDA/IDA": second}, (words, lower))
    return delivered(
        first,
        second,
        whole=upper_first,
        one=Ends(0, {"Ida/Ida": first}),
        two=Ends(0, {"IDA/IDA": second}),
        then_two=Ends(0, {"Ida/Ida": first, f"{upper}/IDA_01": second}, (words, upper)),
        then_one=upper_first,
    )


def _one_id_for_two_people() -> Kind:
    names = {"first": ("Alpha^A", "19400101", "M"), "second": ("Beta^B", "19900101", "F")}
    first, second = (
        images_of(
            Scan("ANON", 8250 + nth, 1, date=f"202{nth}0101"),
            folder=folder, PatientName=name, PatientBirthDate=born, PatientSex=sex,
        )
        for nth, (folder, (name, born, sex)) in enumerate(names.items())
    )  # fmt: skip
    words = ("perhaps several people", "ANON (other names and birth dates and sexes")
    return alone(first | second, Ends(0, {"ANON/ANON": first, "ANON/ANON_01": second}, words))


def _what_xnat_adds_no_more(first: str, second: str) -> Kind:
    one, two = (
        images_of(Scan("P4", 8260, nth, modality=kind), folder=kind) for nth, kind in enumerate((first, second), 1)
    )
    apart = {"P4/P4": one, "P4/P4_01": two}
    came, comes, splits = _refused_and_split(one, two, second)
    return Kind(
        {
            "in one run": twice(one | two, Ends(0, {"P4/P4": one | two})),
            "in two": [came, comes, splits],
            "in two, on two machines": [came, replace(splits, machine=2), Run(one | two, Ends(0, apart), machine=3)],
            "the other way round": _refused_and_split(two, one, first),
        }
    )


def _refused_and_split(one: Tree, two: Tree, modality: str) -> list[Run]:
    """Return a delivery, one of a modality that XNAT does not add to it, and that one again as the user is told."""
    held, apart = {"P4/P4": one}, {"P4/P4": one, "P4/P4_01": two}
    refused = Ends(3, held, ("invalid modification of session modality", "--split-session"))
    said = (f"{modality} of study", "becomes session P4_01, beside P4")
    came, comes = Run(one, Ends(0, held), root="a"), Run(two, refused, root="b")
    return [came, comes, replace(comes, ends=Ends(0, apart, said), options=("--split-session",))]


def _in_a_session_of_somebody_else() -> Kind:
    scan = Scan("P5", 8270, 1)
    tree, other = images_of(scan, folder="x"), images_of(Scan("P5B", 8271, 1), folder="y")
    words = ("that this tool has not made waits in the prearchive", "REVIEW", "archive it or delete it in XNAT")
    return replace(alone(tree | other, Ends(3, {"P5B/P5B": other}, words)), foreign=images_of(scan, (1,)))


def _replaced_in_place() -> Kind:
    before, after = (images_of(Scan(name, 8280, 1), folder="x") for name in ("OLD1", "NEW2"))
    return Kind({"after a dry run": [Run(before, Ends(0), ("-n",)), Run(after, Ends(0, {"NEW2/NEW2": after}))]})


def _without_a_patient() -> Kind:
    named = images_of(Scan("P7", 8290, 1), folder="x")
    nobody = images_of(Scan("", 8291, 1), folder="y", PatientID="")
    words = ("its images have no PatientID", "--layout folders or --layout mapping")
    return alone(named | nobody, Ends(3, {"P7/P7": named}, words))


SOMEBODY_ELSE: dict[str, Callable[[], Kind]] = {
    "a study of another patient": _study_of_another_patient,
    "a study of another patient, and new ones": _study_of_another_patient_and_new_ones,
    "one person with two names": _one_person_with_two_names,
    "PatientIDs that clean alike": lambda: _ids_that_become_alike("12/3", "12^3"),
    "PatientIDs that are cut alike": lambda: _ids_that_become_alike(f"{'L' * 64}1", f"{'L' * 64}2"),
    "PatientIDs that differ by case": _ids_that_differ_by_case,
    "one PatientID for two people": _one_id_for_two_people,
    "PET after CT": lambda: _what_xnat_adds_no_more("CT", "PT"),
    "CT after RTSTRUCT": lambda: _what_xnat_adds_no_more("RTSTRUCT", "CT"),
    "a session of somebody else": _in_a_session_of_somebody_else,
    "a PatientID that is replaced in place": _replaced_in_place,
    "images without a PatientID": _without_a_patient,
}
