"""Which folder becomes which subject and session: the four layouts, recognised and named."""

import json
from pathlib import Path

import pytest

from sandbox.sandbox import Sandbox
from tests.job.case import ask, images, resource, subjects
from tests.upload.case import archived, assert_holds, left_out, upload
from tests.upload.trees import Scan, example, snapshot, write, zipped

EXCLUDE = {"Exclude": ["Localizers", "AAHEAD"]}
A1, A2, B1 = Scan("A", 1, 1), Scan("A", 2, 1, date="20210131"), Scan("B", 3, 1)


def test_the_example_tree(sandbox: Sandbox, tmp_path: Path) -> None:
    series = example(tmp_path / "tree")
    (tmp_path / "config.json").write_text(json.dumps(EXCLUDE))
    before = snapshot(tmp_path / "tree")
    done = upload(sandbox, tmp_path / "w", tmp_path / "tree", "EXAMPLE", "--config", tmp_path / "config.json")
    assert done.code == 0, done.err
    found = archived(sandbox, "EXAMPLE")
    assert set(found) == {"007_pre", "007_post", "008_pre", "008_post"}
    for session, scans in found.items():
        remain = {uid for uid, (of, folder) in series.items() if of == session and folder[0] in "TD"}
        assert scans == dict.fromkeys(remain, 3)
        assert len(remain) == 3
    assert subjects(sandbox, "EXAMPLE") == {f"{one}_{when}": one for one in ("007", "008") for when in ("pre", "post")}
    excluded = {path.split("/")[2] for path, (what, _) in left_out(done).items() if what == "left out"}
    assert excluded == {"Localizers", "aahead_scout_32ch"}
    assert snapshot(tmp_path / "tree") == before
    assert "12 series are in the archive: 12 new" in done.out
    listed = resource(sandbox, "EXAMPLE", "UPLOAD", "tree.csv").decode()
    assert "\n007,007_pre," in listed
    assert "DTI" not in listed


def test_host_user_password_project_root_and_a_second_time(sandbox: Sandbox, tmp_path: Path) -> None:
    example(tmp_path / "tree")
    who = (sandbox.xnat.url, "admin", "admin")
    nobody = {"XNAT_HOST": "", "XNAT_USER": "", "XNAT_PASS": ""}
    done = upload(sandbox, tmp_path / "w", *who, "OLDWAY", tmp_path / "tree", **nobody)
    assert done.code == 0, done.err
    before = images(sandbox, "OLDWAY")
    asked = len(sandbox.xnat.requests)
    for workdir in ("w", "elsewhere"):  # with the ledger and without
        done = upload(sandbox, tmp_path / workdir, *who, "OLDWAY", tmp_path / "tree", **nobody)
        assert (done.code, set(done.states().values())) == (0, {"present"})
    assert not [one for one in sandbox.xnat.requests[asked:] if "services/import" in one.path_with_query]
    assert images(sandbox, "OLDWAY") == before


def test_a_dry_run_shows_everything_and_changes_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    example(tmp_path / "tree")
    write(tmp_path / "tree/007/pre", {"notes.txt": b"x"})
    asked = len(sandbox.xnat.requests)
    done = upload(sandbox, tmp_path / "w", tmp_path / "tree", "-n", "--exclude", "localizers", XNAT_HOST="")
    assert done.code == 0, done.err
    for words in ("007/pre/T1_MPRAGE", "008_post", "folders", "notes.txt", "is no DICOM file", "excluded: localizers"):
        assert words in done.out
    assert "To send: 16 series, 48 images" in done.out
    assert len(sandbox.xnat.requests) == asked
    assert not (tmp_path / "w/report").exists()


@pytest.mark.parametrize("where", ["{series}", "{study}/{series}"])
def test_what_the_downloader_leaves(sandbox: Sandbox, tmp_path: Path, where: str) -> None:
    for scan in (A1, A2, B1):
        folder = where.format(study=scan.study_instance_uid, series=scan.series_instance_uid)
        write(tmp_path / "tree" / folder, {"img.zip": zipped({"LICENSE": b"free", **scan.all_images()})})
    project = f"ZIPS{where.count('/')}"
    done = upload(sandbox, tmp_path / "w", tmp_path / "tree", project)
    assert done.code == 0, done.err
    assert_holds(sandbox, project, {"A": [A1], "A_01": [A2], "B": [B1]})


def test_any_tree_goes_by_its_headers(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {"x/y/" + name: data for name, data in A1.all_images().items()})
    write(tree, {"z.zip": zipped({f"deep/in/{name}": data for name, data in B1.all_images().items()})})
    write(tree, {name.removesuffix(".dcm"): data for name, data in A2.all_images().items()})
    assert upload(sandbox, tmp_path / "w", tree, "ANY").code == 0
    assert_holds(sandbox, "ANY", {"A": [A1], "A_01": [A2], "B": [B1]})


@pytest.mark.parametrize(
    "where",
    [
        "cmb_aml/{patient}/{study}/{modality}_{series}",
        "cmb_aml/{patient}/{series}",
        "{patient}/{study}/{series}",
        "{patient}/01-31-2020-NA-CHEST-{study5}/1.000000-T1-{series5}",
    ],
)
def test_what_downloaders_name_after_the_headers_goes_by_the_headers(
    sandbox: Sandbox, tmp_path: Path, where: str
) -> None:
    scans = [
        Scan("P-1", 1_000_001, 1_000_001),
        Scan("P-1", 1_000_002, 1_000_002, date="20210101"),
        Scan("P-2", 1_000_003, 1_000_003),
    ]
    for scan in scans:
        study, series = scan.study_instance_uid, scan.series_instance_uid
        names = {"patient": scan.patient, "study": study, "series": series, "modality": "MR"}
        write(tmp_path / "tree" / where.format(**names, study5=study[-5:], series5=series[-5:]), scan.all_images())
    done = upload(sandbox, tmp_path / "w", tmp_path / "tree", "-n", XNAT_HOST="")
    assert "Layout: headers" in done.out
    assert all(f" {session} " in done.out for session in ("P-1", "P-1_01", "P-2"))


def test_a_layout_that_is_named_counts(sandbox: Sandbox, tmp_path: Path) -> None:
    write(tmp_path / "tree/s/v/x", A1.all_images())
    assert upload(sandbox, tmp_path / "w", tmp_path / "tree", "NAMED", "--layout", "headers").code == 0
    assert_holds(sandbox, "NAMED", {"A": [A1]})
    done = upload(sandbox, tmp_path / "w", tmp_path / "tree", "NAMED2", "--layout", "folders")
    assert done.code == 0, done.err
    assert_holds(sandbox, "NAMED2", {"s_v": [A1]})


@pytest.mark.parametrize("how", ["option", "root", "beside"])
def test_a_mapping(sandbox: Sandbox, tmp_path: Path, how: str) -> None:
    tree = write(tmp_path / "tree", {f"a/{name}": data for name, data in A1.all_images().items()})
    write(tree, {f"a/b/{name}": data for name, data in A2.all_images().items()})
    write(tree, {f"c/{name}": data for name, data in B1.all_images().items()})
    listed = (tmp_path if how == "option" else tree) / "names.csv"
    listed.write_text("Path;Subject;Session\na;sub-1;first\na/b;sub-1;second one\n")
    options = ("--mapping", listed) if how == "option" else ()
    root = listed if how == "root" else tree
    done = upload(sandbox, tmp_path / "w", root, f"MAPPED{how}", *options)
    assert done.code == 3
    assert "Left out: 3 DICOM images in 1 series (not in the mapping" in done.out
    done = upload(sandbox, tmp_path / "w", root, f"MAPPED{how}", *options, "--partial")
    assert done.code == 0, done.err
    assert_holds(sandbox, f"MAPPED{how}", {"first": [A1], "second_one": [A2]})
    assert set(subjects(sandbox, f"MAPPED{how}").values()) == {"sub-1"}
    assert left_out(done)["c/IM0001.dcm"] == (
        "left out",
        "not in the mapping: name it there, or leave it out with --partial",
    )


def test_two_studies_in_one_session_folder_get_a_number_that_stays(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree/007/pre/one", A1.all_images()).parents[2]
    write(tree / "007/pre/two", A2.all_images())
    two_ways = upload(sandbox, tmp_path / "w", tree, "TWO")
    assert (two_ways.code, "007/pre holds several studies" in two_ways.err) == (2, True)
    assert upload(sandbox, tmp_path / "w", tree, "TWO", "--exclude", "one").code == 0  # the later one comes first
    assert_holds(sandbox, "TWO", {"007_pre": [A2]})
    for _ in range(2):
        done = upload(sandbox, tmp_path / "w", tree, "TWO", "--layout", "folders")
        assert done.code == 0, done.err
        assert_holds(sandbox, "TWO", {"007_pre": [A2], "007_pre_01": [A1]})
    assert (
        "a number, because their name is taken: 007_pre_01"
        in upload(sandbox, tmp_path / "w", tree, "TWO", "-n", "--layout", "folders").out
    )


def test_one_study_in_two_session_folders_is_two_sessions(sandbox: Sandbox, tmp_path: Path) -> None:
    pre, post = Scan("A", 1, 1), Scan("A", 1, 2)
    tree = write(tmp_path / "tree/007/pre/t1", pre.all_images()).parents[2]
    write(tree / "007/post/t1", post.all_images())
    assert upload(sandbox, tmp_path / "w", tree, "SPLIT", "--exclude", "post").code == 0
    for _ in range(2):
        done = upload(sandbox, tmp_path / "w", tree, "SPLIT")
        assert done.code == 0, done.err
        assert_holds(sandbox, "SPLIT", {"007_pre": [pre], "007_post": [post]})


def test_a_study_that_the_archive_has_stays_where_it_is(sandbox: Sandbox, tmp_path: Path) -> None:
    more = Scan("A", 1, 2)
    write(tmp_path / "one/x", A1.all_images())
    assert upload(sandbox, tmp_path / "w", tmp_path / "one", "STAYS").code == 0
    tree = write(tmp_path / "tree/007/pre/t1", A1.all_images()).parents[2]
    write(tree / "007/pre/t2", more.all_images())
    other = upload(sandbox, tmp_path / "w", tree, "STAYS")
    assert (other.code, "the last one for project STAYS gave its names by headers" in other.err) == (2, True)
    done = upload(sandbox, tmp_path / "w", tree, "STAYS", "--layout", "folders")
    assert done.code == 0, done.err
    assert_holds(sandbox, "STAYS", {"A": [A1, more]})


def test_a_session_folder_that_bears_its_subjects_name_bears_it_once(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree/007/007_pre/t1", A1.all_images()).parents[2]
    assert upload(sandbox, tmp_path / "w", tree, "ONCE").code == 0
    assert_holds(sandbox, "ONCE", {"007_pre": [A1]})


def test_names_that_become_the_same_label_stay_apart(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree/a b/pre", A1.all_images()).parents[1]
    write(tree / "a_b/pre", B1.all_images())
    assert upload(sandbox, tmp_path / "w", tree, "APART").code == 0
    assert_holds(sandbox, "APART", {"a_b_pre": [B1], "a_b_pre_01": [A1]})  # a_b loses nothing as a label
    assert subjects(sandbox, "APART") == {"a_b_pre": "a_b", "a_b_pre_01": "a_b_c8687a08"}
    assert ask(sandbox, "/data/projects/APART/subjects")


def test_another_machine_gives_names_as_the_project_does_or_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    write(tmp_path / "a/S1/v1", Scan("MRN1", 7801, 1).all_images())
    write(tmp_path / "b", Scan("MRN2", 7802, 1).all_images())
    assert upload(sandbox, tmp_path / "w", tmp_path / "a", "REMEMBERS").code == 0
    assert json.loads(resource(sandbox, "REMEMBERS", "UPLOAD", "layout.json")) == {"layout": "folders"}
    for more in ((), ("--dry-run",)):
        done = upload(sandbox, tmp_path / "elsewhere", tmp_path / "b", "REMEMBERS", *more)
        assert (done.code, "gave its names by folders" in done.err) == (2, True), done.err
        assert "--layout folders or --layout headers" in done.err
    assert set(archived(sandbox, "REMEMBERS")) == {"S1_v1"}
    assert upload(sandbox, tmp_path / "elsewhere", tmp_path / "b", "REMEMBERS", "--layout", "headers").code == 0
    assert json.loads(resource(sandbox, "REMEMBERS", "UPLOAD", "layout.json")) == {"layout": "headers"}
