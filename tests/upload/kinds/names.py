"""Kinds of tree whose folders and mappings give names: which layout a tree has is said, and nobody gets a wrong one."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tests.upload.kinds.model import Ends, Kind, Run, Tree, alone, delivered, images_of, joined, twice
from tests.upload.trees import Scan

_FOLDERS = ("--layout", "folders")


def _in_folders(study: int, names: Mapping[str, str]) -> dict[str, Tree]:
    """Return trees by folder, whose PatientIDs are given, each with a study of its own."""
    return {
        folder: images_of(Scan(patient, study + nth, 1), folder=folder)
        for nth, (folder, patient) in enumerate(names.items())
    }


def _medium_of_two() -> Kind:
    first, second = _in_folders(8300, {f"DICOM/PA00000{nth}/ST000001/SE000001": f"CD{nth}" for nth in (1, 2)}).values()
    one, two, said = {"CD1/CD1": first}, {"CD2/CD2": second}, ("layout headers",)
    return delivered(
        first, second, whole=Ends(0, one | two, said), one=Ends(0, one, said), two=Ends(0, two, said), alike=True
    )


def _sites() -> Kind:
    trees = _in_folders(8310, {f"site{site}/sub{sub}/ses1": f"SITE{site}SUB{sub}" for site in (1, 2) for sub in (1, 2)})
    holds = {f"{name}/{name}": tree for tree in trees.values() for name in [next(iter(tree.images.values()))]}
    one, two = ({place: tree for place, tree in holds.items() if place.startswith(site)} for site in ("SITE1", "SITE2"))
    whole = Ends(0, holds, ("layout headers",))
    return delivered(
        joined(one.values()), joined(two.values()), whole=whole, one=Ends(0, one), two=Ends(0, two), alike=True
    )


def _image_above_the_folders() -> Kind:
    named = _in_folders(8320, {f"S0{nth}/v1": f"MRN{nth}" for nth in (1, 2, 3)})
    stray = images_of(Scan("MRN4", 8324, 1), (1,), name="stray.dcm")
    tree = joined(named.values()) | stray
    by_folder = {f"S0{nth}/S0{nth}_v1": named[f"S0{nth}/v1"] for nth in (1, 2, 3)}
    words = ("images lie in ROOT, above the session folders", "S01: subject S01 by folders, MRN1 by headers")
    asked = Ends(2, {}, (*words, "--layout folders"))
    left_out = Run(tree, Ends(0, by_folder, ("layout folders",)), ("--exclude", "stray.dcm"))
    return Kind({"asked": [*twice(tree, asked), left_out, Run(tree, replace(asked, holds=by_folder))]}, stray)


def _bids_without_a_session() -> Kind:
    named = _in_folders(8330, {"sub-01/ses-01": "SMITH1", "sub-02/ses-01": "SMITH2", "sub-03": "SMITH3"})
    first, last = joined([named["sub-01/ses-01"], named["sub-02/ses-01"]]), named["sub-03"]
    held = {f"sub-0{nth}/sub-0{nth}_ses-01": named[f"sub-0{nth}/ses-01"] for nth in (1, 2)}
    asked = Ends(2, {}, ("images lie in sub-03, above the session folders", "--layout folders"))
    left = Ends(3, held, ("sub-03/IM00001.dcm lies in no session folder", "move it into a session folder"))
    came = Run(first, Ends(0, held), root="a")
    other = Run(last, Ends(2, held, ("gave its names by folders", "choose with --layout folders")), root="b")
    return Kind(
        {
            "in one run": [Run(first | last, asked), *twice(first | last, left, *_FOLDERS)],
            "in two": [came, other],
            "in two, on two machines": [came, replace(other, machine=2)],
        }
    )


def _mapped_twice() -> Kind:
    tree = images_of(Scan("x", 8340, 1), folder="A/m0")
    tree = tree.with_files({"map.csv": b"path,subject,session\nA/m0,S1,V1\n./A/m0/,S2,V1\n"})
    return alone(tree, Ends(2, {}, ("in line 3 and in line 2", "keep one of the two lines")))


def _mapping_in(encoding: str, code: int, *says: str) -> Kind:
    tree = images_of(Scan("x", 8350, 1), folder="M\u00fcller/m0")
    lines = "path,subject,session\r\nM\u00fcller/m0,S1,V1\r\n"
    ends = Ends(code, {} if code else {"S1/V1": tree}, says)
    return alone(tree.with_files({"map.csv": lines.encode(encoding)}), ends)


def _series_in_a_wrong_folder() -> Kind:
    own, other = images_of(Scan("A", 8360, 1), folder="A/v1"), images_of(Scan("B", 8361, 1), folder="B/v1/t1")
    strange = images_of(Scan("A", 8360, 2), folder="B/v1/t2")
    held, first_come = {"A/A_v1": own, "B/B_v1": other}, {"B/B_v1": strange}
    uid = Scan("A", 8360, 1).study_instance_uid
    return delivered(
        own | other,
        strange,
        options=_FOLDERS,
        whole=Ends(3, held, ("its images are PatientID A's and lie under subject B",)),
        one=Ends(0, held),
        two=Ends(0, first_come),
        then_two=Ends(3, held, ("subject B, whose images are of PatientID B; its own PatientID is A",)),
        then_one=Ends(
            3,
            first_come,
            ("of PatientID A; its own PatientID is B", f"subject A, and XNAT has its study {uid} as session B_v1"),
        ),
    )


def _two_patients_in_a_folder() -> Kind:
    first, second = images_of(Scan("P1", 8370, 1), folder="S/v1/a"), images_of(Scan("P1x", 8370, 2), folder="S/v1/b")
    return delivered(
        first,
        second,
        options=_FOLDERS,
        alike=True,
        whole=Ends(3, {}, ("subject S has images of several PatientIDs: P1, P1x", "--same-patient")),
        one=Ends(0, {"S/S_v1": first}),
        two=Ends(0, {"S/S_v1": second}),
        then_two=Ends(3, {"S/S_v1": first}, ("of PatientID P1;", "--same-patient P1=P1x")),
        then_one=Ends(3, {"S/S_v1": second}, ("of PatientID P1x;", "--same-patient P1x=P1")),
    )


def _two_patients_mapped_to_a_subject() -> Kind:
    first, second = (images_of(Scan(f"M{nth}", 8390 + nth, 1), folder=f"m{nth}") for nth in (1, 2))
    lines = [f"m{nth},S1,V{nth}\n" for nth in (1, 2)]
    a, b = (
        tree.with_files({"map.csv": f"path,subject,session\n{line}".encode()})
        for tree, line in zip((first, second), lines, strict=True)
    )
    both = (a | b).with_files({"map.csv": f"path,subject,session\n{''.join(lines)}".encode()})
    kind = delivered(
        a,
        b,
        alike=True,
        whole=Ends(3, {}, ("subject S1 has images of several PatientIDs: M1, M2", "--same-patient")),
        one=Ends(0, {"S1/V1": first}),
        two=Ends(0, {"S1/V2": second}),
        then_two=Ends(3, {"S1/V1": first}, ("of PatientID M1;", "--same-patient M1=M2")),
        then_one=Ends(3, {"S1/V2": second}, ("of PatientID M2;", "--same-patient M2=M1")),
    )
    whole = [replace(run, tree=both) for run in kind.plays["in one run"]]
    return Kind({**kind.plays, "in one run": whole})


def _study_under_two_subjects() -> Kind:
    scans = [Scan("P9", 8400, nth) for nth in (1, 2)]
    first, second = (images_of(scan, folder=f"S{nth}/v1") for nth, scan in enumerate(scans, 1))
    words = "its folder names subject S{}, and XNAT has its study {} as session S{}_v1 of subject S{}"
    uid = scans[0].study_instance_uid
    return delivered(
        first,
        second,
        options=_FOLDERS,
        alike=True,
        whole=Ends(3, {}, ("its study lies under the subjects S1, S2",)),
        one=Ends(0, {"S1/S1_v1": first}),
        two=Ends(0, {"S2/S2_v1": second}),
        then_two=Ends(3, {"S1/S1_v1": first}, (words.format(2, uid, 1, 1), "--same-patient S1=P9")),
        then_one=Ends(3, {"S2/S2_v1": second}, (words.format(1, uid, 2, 2), "--same-patient S2=P9")),
    )


def _folders_that_end_in_numbers() -> Kind:
    scans = [Scan("P8", 8380, nth) for nth in (1, 2)]
    first, second = (images_of(scan, folder=f"S/{name}") for scan, name in zip(scans, ("ses_01", "ses"), strict=True))
    one, two = {"S/S_ses_01": first}, {"S/S_ses": second}
    return delivered(first, second, whole=Ends(0, one | two), one=Ends(0, one), two=Ends(0, two))


NAMES: dict[str, Callable[[], Kind]] = {
    "a medium of two patients": _medium_of_two,
    "sites above subjects": _sites,
    "an image above the folders": _image_above_the_folders,
    "BIDS without a session": _bids_without_a_session,
    "a path that is mapped twice": _mapped_twice,
    "a mapping in UTF-16": lambda: _mapping_in("utf-16", 0, "layout mapping"),
    "a mapping in cp1252": lambda: _mapping_in("cp1252", 2, "neither UTF-8 nor UTF-16", 'save it as "CSV UTF-8'),
    "a series in a wrong folder": _series_in_a_wrong_folder,
    "two patients in a folder": _two_patients_in_a_folder,
    "two patients that are mapped to a subject": _two_patients_mapped_to_a_subject,
    "a study under two subjects": _study_under_two_subjects,
    "folders that end in numbers": _folders_that_end_in_numbers,
}
