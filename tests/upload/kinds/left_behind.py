"""Kinds of tree of which images were left behind without a word: each is in the archive, or it is named."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom.fileset import FileSet

from tests.upload.kinds.model import Ends, Kind, Run, Tree, alone, delivered, images_of, joined, mended, twice
from tests.upload.trees import Scan, write, zipped

_SCAN = Scan("L100", 8100, 1, images=5)
_ALL = range(1, 6)
_OTHER = Scan("L100", 8100, 2)
_PLACE = "L100/L100"


def _two_deliveries(second_numbers: tuple[int, ...], folder: str) -> Kind:
    first, second = images_of(_SCAN, (1, 2, 3), "x"), images_of(_SCAN, second_numbers, folder)
    return delivered(
        first, second,
        whole=Ends(0, {_PLACE: first | second}), one=Ends(0, {_PLACE: first}), two=Ends(0, {_PLACE: second}),
    )  # fmt: skip


def _in_the_place_of_an_image(content: bytes, name: str, *says: str) -> Kind:
    whole, path = images_of(_SCAN, _ALL, "IMAGES", name), f"IMAGES/{name.format(3)}"
    broken = whole.with_files({path: content})
    words = (f"not sent: {path}", "1 of 1 series are in the archive; files that are, or may be, images were not", *says)
    return mended(broken, Ends(3, {_PLACE: _but(whole, _SCAN, 3)}, words), whole, has={_PLACE: whole})


def _but(tree: Tree, scan: Scan, number: int) -> Tree:
    left = {uid: patient for uid, patient in tree.images.items() if uid != scan.sop_instance_uid(number)}
    return Tree(tree.files, left)


def _medium() -> Kind:
    whole = images_of(_SCAN, _ALL, "src", StudyTime="101010", StudyID="1")
    with TemporaryDirectory() as folder:
        files = FileSet()
        for path in sorted(write(Path(folder), whole.files).rglob("IM*")):
            files.add(path)
        files.write(Path(folder) / "medium")
        files._stage["t"].cleanup()  # pydicom leaves it to the collector, which warns in any other test
        medium = Path(folder) / "medium"
        written = {str(one.relative_to(medium)): one.read_bytes() for one in medium.rglob("*") if one.is_file()}
    whole = Tree(written, whole.images)
    gone = sorted(path for path in written if path != "DICOMDIR")[2]
    says = ("is named by a DICOMDIR and is not there", gone)
    broken = whole.without(gone)
    return mended(broken, Ends(3, {_PLACE: _but(whole, _SCAN, 3)}, says), whole, has={_PLACE: whole})


def _in_a_hidden_folder() -> Kind:
    seen, hidden = images_of(_SCAN, folder="P/t1"), images_of(_OTHER, folder="P/.5mm bone")
    return alone(seen | hidden, Ends(0, {"P/P_t1": seen, "P/P__5mm_bone": hidden}))


def _in_odd_forms() -> Kind:
    tree = images_of(_SCAN, (1,), "P", name=".CT..0003.{:04}.IMA")
    tree |= images_of(_SCAN, (2,), "P", packed=lambda image: image[132:])
    tree |= images_of(_SCAN, (3,), "P", name="IM{}.dcm.gz", packed=gzip.compress)
    tree |= images_of(_SCAN, (4,), "P", name="{}.0001", packed=lambda image: image + b"\xff")
    tree |= _tar(images_of(_SCAN, (5,), "deep"), "P/rest.tgz")
    tree |= images_of(_OTHER, (1,), "P", name="DICOMDIR")
    whole = tree.with_files({"P/._5.0001": b"x", "P/.DS_Store": b"x"})
    return alone(whole, Ends(0, {_PLACE: tree}, ("Left out: 2 other files: left_out.csv.",)))


def _tar(tree: Tree, path: str) -> Tree:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in tree.files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return Tree({path: made.getvalue()}, tree.images)


def _in_archives_that_stay_shut() -> Kind:
    open_ones = images_of(_SCAN, folder="P")
    shut = open_ones.with_files({"P/rest.7z": b"7z\xbc\xaf'\x1c" + bytes(99), "cd.iso": _iso()})
    words = ("not sent: P/rest.7z is packed as 7z", "cd.iso is packed as iso", "unpack it first")
    ends = Ends(3, {_PLACE: open_ones}, words)
    return mended(shut, ends, open_ones, has={_PLACE: open_ones})


def _iso() -> bytes:
    return bytes(0x8001) + b"CD001" + bytes(2048)


def _zip_of_windows() -> Kind:
    tree = images_of(_SCAN, folder="DATA").zipped(
        "cd.zip", lambda name: name.replace("/", "\\"), **{"__MACOSX/DATA/._IM00001.dcm": bytes(64)}
    )
    return alone(tree, Ends(0, {_PLACE: tree}))


def _part_is_mapped(*options: str) -> Kind:
    named, other = (images_of(Scan(f"x{nth}", 8110 + nth, 1), folder=f"{nth}/m0") for nth in (1, 2))
    tree = (named | other).with_files({"map.csv": b"path,subject,session\n1/m0,S1,V1\n"})
    words = ("Left out: 3 DICOM images in 1 series (not in the mapping",)
    asked = ("name it in the mapping, or leave out with --partial", "1 of 1 series are in the archive; files that are")
    ends = Ends(0, {"S1/V1": named}, words) if options else Ends(3, {"S1/V1": named}, (*words, *asked))
    return alone(tree, ends, *options, left_out=other if options else None)


def _zip_is_mapped() -> Kind:
    loose = images_of(Scan("x", 8112, 1), folder="A/m0")
    packed = images_of(Scan("y", 8113, 1)).zipped("B.zip")
    tree = (loose | packed).with_files({"map.csv": b"path,subject,session\nA/m0,S1,V1\nB.zip,S2,V1\n"})
    return alone(tree, Ends(0, {"S1/V1": loose, "S2/V1_01": packed}))


def _excluded(*options: str, left_out: str = "", ends: Ends | None = None) -> Kind:
    """Return a session of three series, of which options leave out those whose letters are given."""
    described = {"a": "AX T1 [C+]", "b": "Patient Protocol", "c": "T1"}
    scans = {
        letter: images_of(Scan("L120", 8120, number, text), folder=f"S1/V1/{letter}")
        for number, (letter, text) in enumerate(described.items(), 1)
    }
    out = joined(tree for letter, tree in scans.items() if letter in left_out)
    kept = joined(tree for letter, tree in scans.items() if letter not in left_out)
    counted = f"Left out: {len(out.images)} DICOM images in {len(left_out)} series (excluded: "
    return alone(out | kept, ends or Ends(0, {"S1/S1_V1": kept}, (counted,)), *options, left_out=out)


def _excluded_folder_of_a_patient() -> Kind:
    one, two = (
        images_of(Scan(f"L13{nth}", 8130 + nth, 1), folder=f"{folder}/x")
        for nth, folder in enumerate(("Block_07", "Miller"))
    )
    tree = (one | two).with_files({"exclude.json": b'{"Exclude": ["loc"]}'})
    options = ("--layout", "headers", "--config", "{root}/exclude.json")
    refused = Run(tree, Ends(2, {}, ("Exclude 'loc' fits nothing", "--allow-unmatched")), options)
    both = Ends(0, {"L130/L130": one, "L131/L131": two})
    return Kind({"on two machines": [refused, *twice(tree, both, *options, "--allow-unmatched")]})


def _pet() -> Kind:
    ct = images_of(Scan("L140", 8140, 1, modality="CT"), folder="a")
    pet = images_of(Scan("L140", 8140, 2, modality="PT"), folder="b")
    return alone(ct | pet, Ends(0, {"L140/L140": ct | pet}), "--modality", "CT,PET")


LEFT_BEHIND: dict[str, Callable[[], Kind]] = {
    "a second part of a series": lambda: _two_deliveries((4, 5), "x"),
    "a repeat with other gaps": lambda: _two_deliveries((1, 2, 4), "y"),
    "an empty file without a suffix": lambda: _in_the_place_of_an_image(b"", "IM{:05}", "is empty"),
    "a file of zeros without a suffix": lambda: _in_the_place_of_an_image(bytes(900), "IM{:05}", "is no DICOM file"),
    "a zip without a suffix": lambda: _in_the_place_of_an_image(
        zipped({"x": _SCAN.image(3)}), "IM{:05}", "is a zip of DICOM files that is not named so: rename it to .zip"
    ),
    "a pointer of git-annex": lambda: _in_the_place_of_an_image(
        b"/annex/objects/MD5E-s9--0\n", "MR.{}", "is a pointer of git-annex or Git LFS: fetch the file itself"
    ),
    "a medium with a gap": _medium,
    "a hidden folder": _in_a_hidden_folder,
    "images in odd forms": _in_odd_forms,
    "archives that stay shut": _in_archives_that_stay_shut,
    "a zip of Windows": _zip_of_windows,
    "a mapping of a part": _part_is_mapped,
    "a mapping of a part, on purpose": lambda: _part_is_mapped("--partial"),
    "a mapped zip": _zip_is_mapped,
    "an exclude with brackets": lambda: _excluded(
        "--exclude", "AX T1 [C+]", "--exclude", "patient protocol", left_out="ab"
    ),
    "an exclude that fits nothing": lambda: _excluded(
        "--exclude", "Patient Protokol", ends=Ends(2, {}, ("--exclude 'Patient Protokol' fits nothing", "--allow-un"))
    ),
    "an excluded folder": lambda: _excluded("--exclude", "S1/V1/b", left_out="b"),
    "an exclude and the folder of a patient": _excluded_folder_of_a_patient,
    "PET is PT": _pet,
}
