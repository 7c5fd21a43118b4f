"""XNATs that are set up in ways people meet: addresses, cookies, rights, filters, conflicts, leftovers."""

import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from sandbox.xnat import Settings
from tests.job.case import (
    ONE_SERIES,
    Expected,
    ask,
    assert_holds,
    download,
    expected,
    images,
    in_prearchive,
    manifest,
    projects,
    quick,
    several,
)

ADMIN = ("admin", "admin")
SESSION = "MSB-07839_01"  # one of two series


@contextmanager
def site(folder: Path, settings: Settings, **more: object) -> Iterator[Sandbox]:
    options = {"collections": ["cmb_aml"], "pixels": 16} | more
    with Sandbox(folder / "sandbox", xnat=settings, **options) as started:
        yield started


def of_session(wanted: Expected, session: str) -> list[str]:
    return [uid for uid, (_, label) in wanted.sessions.items() if label == session]


SITES: dict[str, Callable[[], Settings]] = {
    "a site address of its own, https, its cookie Secure": lambda: Settings(site_url="https://xnat.example.org"),
    "a context path": lambda: Settings(context_path="/xnat"),
    "an old importer": lambda: Settings(version="1.8.9.2"),
    "no statistics": lambda: Settings(populate_stats=False),
    "no anonymisation": lambda: Settings(enable_sitewide_anonymization_script=False),
    "one session a user": lambda: Settings(concurrent_max_sessions=1),
    "secondary captures apart": lambda: Settings(secondary_sop_classes=frozenset({"1.2.840.10008.5.1.4.1.1.2"})),
}


@pytest.mark.parametrize("name", SITES)
def test_a_site(tmp_path: Path, name: str) -> None:
    with site(tmp_path, SITES[name]()) as sandbox:
        listed = several(sandbox, tmp_path / "m.tcia")
        for words in ("21 new", "0 new"):
            done = download(sandbox, listed, tmp_path / "out", "SITE", *quick())
            assert done.code == 0, done.err + done.out
            assert words in done.out


def test_the_login_is_closed_at_the_end(tmp_path: Path) -> None:
    with site(tmp_path, Settings(concurrent_max_sessions=1)) as sandbox:
        for _ in range(3):
            assert download(sandbox, ONE_SERIES, tmp_path / "out", "CLOSED", *quick()).code == 0
        answer = requests.get(f"{sandbox.xnat.url}/data/auth", auth=ADMIN, timeout=10)
        assert answer.status_code == 200


@pytest.mark.parametrize("code", [0, 4, 5])
def test_a_project_with_auto_archiving(sandbox: Sandbox, tmp_path: Path, code: int) -> None:
    name, listed = f"AUTO{code}", several(sandbox, tmp_path / "m.tcia")
    for path in (f"/data/projects/{name}", f"/data/projects/{name}/prearchive_code/{code}"):
        requests.put(sandbox.xnat.url + path, auth=ADMIN, timeout=10).raise_for_status()
    done = download(sandbox, listed, tmp_path / "out", name, *quick())
    assert done.code == 0, done.err
    assert_holds(sandbox, name, expected(sandbox, listed))


def test_an_idle_session_is_not_archived_half(tmp_path: Path) -> None:
    with site(tmp_path, Settings()) as sandbox:
        requests.put(
            f"{sandbox.xnat.url}/data/projects/IDLE", auth=ADMIN, timeout=10
        ).raise_for_status()  # archives by itself
        listed = several(sandbox, tmp_path / "m.tcia")
        wanted = expected(sandbox, listed)
        sandbox.xnat_faults.add(Fault(rf"services/import.*session={SESSION}", faults.reset(), first=2, times=None))
        done = download(sandbox, listed, tmp_path / "out", "IDLE", *quick())
        assert done.code in {3, 5}
        sandbox.xnat_faults.lift()
        sandbox.xnat.advance(60)
        assert SESSION not in {image.session for image in images(sandbox, "IDLE")}
        assert in_prearchive(sandbox, "IDLE")
        assert download(sandbox, listed, tmp_path / "out", "IDLE", *quick()).code == 0
        assert_holds(sandbox, "IDLE", wanted)


def test_a_user_who_may_only_read(tmp_path: Path) -> None:
    with site(tmp_path, Settings()) as sandbox:
        for name in ("THEIRS", "HIDDEN"):
            requests.put(f"{sandbox.xnat.url}/data/projects/{name}", auth=ADMIN, timeout=10).raise_for_status()
        password = "r3ader-" + "secret"
        sandbox.xnat.add_user("reader", password, {"THEIRS": "Collaborators"})
        for name in ("THEIRS", "HIDDEN"):
            done = download(sandbox, ONE_SERIES, tmp_path / "out", name, XNAT_USER="reader", XNAT_PASS=password)
            assert done.code == 5
            assert len(done.err.splitlines()) == 3  # how the list was read, the error, the hint
            assert not sandbox.s3.requests
        assert not ask(sandbox, "/data/prearchive")
        assert sorted(projects(sandbox)) == ["HIDDEN", "THEIRS"]


def test_a_series_that_a_filter_drops_is_named(tmp_path: Path) -> None:
    settings = Settings()
    with site(tmp_path, settings) as sandbox:
        listed = several(sandbox, tmp_path / "m.tcia")
        wanted = expected(sandbox, listed)
        dropped, *siblings = of_session(wanted, SESSION)
        settings.series_import_filter = lambda header: header.series_instance_uid != dropped
        done = download(sandbox, listed, tmp_path / "out", "FILTER", *quick())
        assert done.code == 3
        states = done.states()
        assert states.pop(dropped) == "failed"
        assert {states.pop(uid) for uid in siblings} == {"held"}
        assert set(states.values()) == {"archived"}
        row = next(row for row in done.rows if row["SeriesInstanceUID"] == dropped)
        assert "filter" in row["hint"]
        settings.series_import_filter = None
        assert download(sandbox, listed, tmp_path / "out", "FILTER", *quick()).code == 0
        assert_holds(sandbox, "FILTER", wanted)


def test_images_that_a_filter_drops_are_missed(tmp_path: Path) -> None:
    settings = Settings()
    with site(tmp_path, settings) as sandbox:
        listed = several(sandbox, tmp_path / "m.tcia")
        wanted = expected(sandbox, listed)
        thinned = max(of_session(wanted, SESSION), key=wanted.images.__getitem__)
        settings.series_import_filter = lambda header: (
            header.series_instance_uid != thinned or header.instance_number != "2"
        )
        done = download(sandbox, listed, tmp_path / "out", "THINNED", *quick())
        assert done.code == 3
        row = next(row for row in done.rows if row["SeriesInstanceUID"] == thinned)
        assert row["state"] == "failed"
        assert f"{wanted.images[thinned] - 1} of its {wanted.images[thinned]} images" in row["reason"]
        settings.series_import_filter = None
        assert download(sandbox, listed, tmp_path / "out", "THINNED", *quick()).code == 0
        assert_holds(sandbox, "THINNED", wanted)


def test_an_archived_series_that_lost_an_image_is_made_whole(sandbox: Sandbox, tmp_path: Path) -> None:
    listed = several(sandbox, tmp_path / "m.tcia")
    assert download(sandbox, listed, tmp_path / "out", "LOST", *quick()).code == 0
    rows = ask(sandbox, "/data/projects/LOST/experiments", columns="ID,label")
    session = next(row["ID"] for row in rows if row["label"] == SESSION)
    scans = f"{sandbox.xnat.url}/data/experiments/{session}/scans"
    scan = max(requests.get(scans, {"format": "json"}, auth=ADMIN, timeout=10).json()["ResultSet"]["Result"],
               key=lambda row: row["ID"])["ID"]  # fmt: skip
    files = f"{scans}/{scan}/resources/DICOM/files"
    first = requests.get(files, {"format": "json"}, auth=ADMIN, timeout=10).json()["ResultSet"]["Result"][0]["Name"]
    requests.delete(f"{files}/{first}", auth=ADMIN, timeout=10).raise_for_status()
    assert len(images(sandbox, "LOST")) == sum(expected(sandbox, listed).images.values()) - 1
    done = download(sandbox, listed, tmp_path / "out", "LOST", *quick())
    assert done.code == 0, done.err
    assert "1 new" in done.out
    assert_holds(sandbox, "LOST", expected(sandbox, listed))


def test_the_rest_of_a_broken_upload_is_not_archived(sandbox: Sandbox, tmp_path: Path) -> None:
    wanted = expected(sandbox, several(sandbox, tmp_path / "m.tcia"))
    small, large = sorted(of_session(wanted, SESSION), key=wanted.images.__getitem__)
    broken, other = manifest(tmp_path / "1.tcia", [large]), manifest(tmp_path / "2.tcia", [small])
    label = ("--session-label", SESSION)  # both are of one study, whichever manifest comes first
    sandbox.xnat_faults.add(Fault("services/import", faults.cut_upload(30_000), first=3, times=None))
    assert download(sandbox, broken, tmp_path / "out1", "RESTOFSERIES", *quick(*label)).code != 0
    sandbox.xnat_faults.lift()
    assert 0 < len(in_prearchive(sandbox, "RESTOFSERIES")) < wanted.images[large]
    done = download(sandbox, other, tmp_path / "out2", "RESTOFSERIES", *quick(*label))
    assert (done.code, done.states()) == (3, {small: "held"})
    assert large in done.out
    assert not images(sandbox, "RESTOFSERIES")
    done = download(sandbox, broken, tmp_path / "out1", "RESTOFSERIES", *quick(*label))
    assert done.code == 0, done.err + done.out
    assert download(sandbox, other, tmp_path / "out2", "RESTOFSERIES", *quick(*label)).code == 0
    found = {image.series_instance_uid for image in images(sandbox, "RESTOFSERIES")}
    assert found == {small, large}
    assert len(images(sandbox, "RESTOFSERIES")) == wanted.images[small] + wanted.images[large]
    assert not in_prearchive(sandbox, "RESTOFSERIES")


def copied(sandbox: Sandbox, project: str, uid: str, first: int = 0, **more: str) -> str:
    """Import a series as the tool does, or its `first` images; return where it waits in the prearchive."""
    row = sandbox.index.nbia_series(uid)
    assert row is not None
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        for number in range(1, (first or row["instanceCount"]) + 1):
            archive.writestr(f"{number}.dcm", sandbox.images.image(row, number))
    query = {"import-handler": "DICOM-zip", "inbody": "true", "rename": "true"}
    query |= {"project": project, "subject": row["PatientID"], "session": SESSION, **more}
    answer = requests.post(
        f"{sandbox.xnat.url}/data/services/import",
        zipped.getvalue(),
        params=query,
        headers={"Content-Type": "application/zip"},
        auth=ADMIN,
        timeout=30,
    )
    answer.raise_for_status()
    return answer.text.strip()


def test_a_series_that_xnat_has_not_counted_is_counted_and_made_whole(tmp_path: Path) -> None:
    with site(tmp_path, Settings(populate_stats=False)) as sandbox:
        wanted = expected(sandbox, several(sandbox, tmp_path / "m.tcia"))
        uid = max(wanted.images, key=wanted.images.__getitem__)
        subject = dict(zip(("subject", "session"), wanted.sessions[uid], strict=True))
        requests.put(f"{sandbox.xnat.url}/data/projects/UNCOUNTED", auth=ADMIN, timeout=10).raise_for_status()
        url = copied(sandbox, "UNCOUNTED", uid, 1, **subject)
        for path, query in ((url, {"action": "build"}), ("/data/services/archive", {"src": url[5:], **subject})):
            requests.post(sandbox.xnat.url + path, params=query, auth=ADMIN, timeout=30).raise_for_status()
        assert len(images(sandbox, "UNCOUNTED")) == 1
        listed = manifest(tmp_path / "one.tcia", [uid])
        done = download(sandbox, listed, tmp_path / "out", "UNCOUNTED", *quick())
        assert (done.code, done.states()) == (0, {uid: "archived"}), done.out
        assert len(images(sandbox, "UNCOUNTED")) == wanted.images[uid]


@pytest.mark.parametrize("ours", [True, False])
def test_a_copy_that_a_killed_run_left_is_tidied_up_and_nobody_else_s(
    sandbox: Sandbox,
    tmp_path: Path,
    ours: bool,  # noqa: FBT001  a parameter
) -> None:
    listed, name = several(sandbox, tmp_path / "m.tcia"), f"COPY_{ours}"
    wanted = expected(sandbox, listed)
    assert download(sandbox, listed, tmp_path / "out", name, *quick()).code == 0
    copied(sandbox, name, of_session(wanted, SESSION)[0], 0, **({"SOURCE": "tcia-xnat-dead"} if ours else {}))
    assert in_prearchive(sandbox, name)
    done = download(sandbox, listed, tmp_path / "out", name, *quick())
    assert (done.code, set(done.states().values())) == (0, {"present"})
    assert bool(in_prearchive(sandbox, name)) is not ours
    if ours:
        assert_holds(sandbox, name, wanted)


def test_a_copy_that_holds_more_than_the_archive_is_left(sandbox: Sandbox, tmp_path: Path) -> None:
    wanted = expected(sandbox, several(sandbox, tmp_path / "m.tcia"))
    one, other = of_session(wanted, SESSION)
    listed, label = manifest(tmp_path / "one.tcia", [one]), ("--session-label", SESSION)
    assert download(sandbox, listed, tmp_path / "out", "MORE", *quick(*label)).code == 0
    for uid in (one, other):
        copied(sandbox, "MORE", uid, 0, SOURCE="tcia-xnat-dead")
    before = in_prearchive(sandbox, "MORE")
    assert download(sandbox, listed, tmp_path / "out", "MORE", *quick(*label)).code == 0
    assert in_prearchive(sandbox, "MORE") == before


def test_later_series_of_an_archived_study_are_merged(sandbox: Sandbox, tmp_path: Path) -> None:
    listed = several(sandbox, tmp_path / "m.tcia")
    wanted = expected(sandbox, listed)
    first = manifest(
        tmp_path / "first.tcia", [of_session(wanted, "MSB-05702")[0], of_session(wanted, "MSB-05702_01")[0]]
    )
    assert download(sandbox, first, tmp_path / "out", "MERGE", *quick()).code == 0
    done = download(sandbox, listed, tmp_path / "out", "MERGE", *quick())
    assert done.code == 0, done.err
    assert_holds(sandbox, "MERGE", wanted)


def test_a_modality_conflict_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    settings = Settings()
    study = "1.3.6.1.4.1.14519.5.2.1.1.60888020669167716330155369873166915029"
    with site(tmp_path, settings, collections=["cmb_crc"]) as sandbox:
        rows = sandbox.index.nbia("SELECT * FROM nbia WHERE StudyInstanceUID = ?", [study])
        by_modality = {row["Modality"]: row["SeriesInstanceUID"] for row in rows}
        ct, both = (
            manifest(tmp_path / f"{n}.tcia", uids)
            for n, uids in (("ct", [by_modality["CT"]]), ("both", by_modality.values()))
        )
        assert download(sandbox, ct, tmp_path / "out", "CROSS", *quick()).code == 0
        done = download(sandbox, both, tmp_path / "out", "CROSS", *quick())
        assert (done.code, done.states()[by_modality["PT"]]) == (3, "failed")
        assert "invalid modification of session modality" in done.out
        assert "--split-session" in done.out
        assert not in_prearchive(sandbox, "CROSS")
        settings.prevent_cross_modality_merge = False
        done = download(sandbox, both, tmp_path / "out", "CROSS", *quick())
        assert done.code == 0, done.err + done.out
        assert_holds(sandbox, "CROSS", expected(sandbox, both))


def test_tokens_and_sessions_that_end_during_the_run(tmp_path: Path) -> None:
    settings = Settings(alias_token_timeout=6, session_timeout=2)
    with site(tmp_path, settings) as sandbox:
        listed = several(sandbox, tmp_path / "m.tcia")
        issued = requests.get(f"{sandbox.xnat.url}/data/services/tokens/issue", auth=ADMIN, timeout=10).json()
        sandbox.xnat_faults.add(Fault("services/import", faults.slow(0.7), times=None))
        over = threading.Event()
        sweeper = threading.Thread(target=_sweep, args=(sandbox, over))
        sweeper.start()
        done = download(
            sandbox, listed, tmp_path / "out", "TOKENS", *quick("--transfers", "1"),
            XNAT_USER=issued["alias"], XNAT_PASS=issued["secret"],
        )  # fmt: skip
        over.set()
        sweeper.join()
        assert done.code == 0, done.err
        assert_holds(sandbox, "TOKENS", expected(sandbox, listed))
        answer = requests.get(f"{sandbox.xnat.url}/data/auth", auth=(issued["alias"], issued["secret"]), timeout=10)
        assert answer.status_code == 401  # the token that the run began with is long gone
        assert not any(issued["secret"] in asked.path_with_query for asked in sandbox.xnat.requests)


def _sweep(sandbox: Sandbox, over: threading.Event) -> None:
    while not over.wait(0.2):
        sandbox.xnat.parts.accounts.sweep_tokens()


def test_an_archived_session_keeps_its_provenance(sandbox: Sandbox, tmp_path: Path) -> None:
    listed = several(sandbox, tmp_path / "m.tcia")
    wanted = expected(sandbox, listed)
    done = download(sandbox, listed, tmp_path / "out", "PROVENANCE", *quick())
    assert done.code == 0, done.err
    assert not any("provenance" in row["notes"] for row in done.rows)
    found: dict[str, int] = {}
    for row in ask(sandbox, "/data/projects/PROVENANCE/experiments", columns="ID,label,subject_label,UID"):
        path = f"{sandbox.xnat.url}/data/experiments/{row['ID']}/resources/TCIA_PROVENANCE/files/provenance.json"
        record = requests.get(path, auth=ADMIN, timeout=10).json()
        assert record["session"] == row["label"]
        assert record["subject"] == row["subject_label"] == record["patient_id"]
        assert record["study_instance_uid"] == row["UID"]
        found |= {one["series_instance_uid"]: len(one["sop_instance_uids"]) for one in record["series"]}
        assert all(one["archived_image_count"] == one["image_count"] for one in record["series"])
    assert found == wanted.images
