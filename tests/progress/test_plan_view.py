"""The plan: what people read, what programs read, and that both agree with what a run then does."""

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from sandbox.sandbox import Sandbox
from tcia_xnat import plan_view
from tcia_xnat.console import terminal
from tcia_xnat.core.errors import SeriesUnavailable
from tcia_xnat.core.model import Label, Series
from tcia_xnat.jobs.tcia_to_xnat import Job
from tcia_xnat.manifest import Manifest
from tcia_xnat.planning import plan
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.completeness import Holding
from tcia_xnat.planning.held import Held, Imported
from tcia_xnat.planning.identity import identify
from tcia_xnat.transfer.work import Prepared
from tests.job.case import ONE_PATIENT, WHOLE, command, download, environment, manifest, run
from tests.progress.screen import on_terminal

GB = 10**9


def one(patient: str, study: int, number: int, **more: str) -> Series:
    uid = f"1.{patient[1:]}.{study}"
    values = {"collection_id": "lung", "licence": "CC BY 4.0", "source_doi": "10.1/a", "study_date": "2000-01-02"}
    return Series(f"{uid}.{number}", uid, patient, image_count=10, byte_count=GB, **(values | more))  # type: ignore[arg-type]  # texts all


def prepared(members: list[Series], held: Held | None = None, missing: int = 0) -> Prepared:
    gone = {f"9.{n}": SeriesUnavailable("nobody has it", "ask") for n in range(missing)}
    catalogue = Catalogue({member.series_instance_uid: member for member in members}, gone)
    names = identify(catalogue, held or Held()).labels
    made = plan.make(catalogue, held or Held(), names)
    return Prepared(Manifest("m.tcia", tuple(catalogue.series)), catalogue, names, made)


def job(folder: Path) -> Job:
    return Job(manifest="m.tcia", output_dir=folder, project="P", transfers=4)


def text(shown: Prepared, folder: Path, width: int = 200, *, whole: bool = False, rate: float | None = None) -> str:
    console = terminal.console(folder.joinpath("shown").open("w+", encoding="utf-8"), width=width)
    with console.capture() as captured:
        console.print(plan_view.as_tables(shown, job(folder), "project P", whole=whole, rate=rate))
    console.file.close()
    return captured.get()


def rows(shown: str) -> list[list[str]]:
    return [line.split() for line in shown.splitlines()]


MIXED = [
    *(one("P1", 1, n) for n in (1, 2)),  # new
    *(one("P1", 2, n) for n in (1, 2)),  # half there
    one("P2", 1, 1),  # there
    one("P3", 1, 1),  # waits in the prearchive
    one("P4", 1, 1, collection_id="brain", licence="CC BY-NC 3.0"),
]
HELD = Held(
    labels={"1.1.2": [Label("P1", "Old")], "1.2.1": [Label("P2", "P2")]},
    holdings={"1.1.2.1": Holding(10), "1.2.1.1": Holding(10)},
    imported={"1.3.1.1": Imported("1.3.1.1", "1.3.1", "/prearchive/x", "idc", 10, GB)},
)


def test_what_is_new_there_waiting_and_not_available(tmp_path: Path) -> None:
    shown = text(prepared(MIXED, HELD, missing=2), tmp_path)
    found = rows(shown)
    assert ["brain", "1", "1", "1", "1", "0", "10", "1.0", "GB", "CC", "BY-NC", "3.0", "10.1/a"] in found
    assert ["lung", "3", "4", "6", "3", "2", "30", "3.0", "GB", "CC", "BY", "4.0", "10.1/a"] in found
    assert ["P1", "P1", "2000-01-02", "new", "2", "0", "0", "20", "2.0", "GB"] in found
    assert ["P1", "Old", "2000-01-02", "completed", "1", "0", "1", "10", "1.0", "GB"] in found
    assert ["P2", "P2", "2000-01-02", "there", "0", "0", "1", "0", "0", "B"] in found
    assert ["P3", "P3", "2000-01-02", "to", "archive", "0", "1", "0", "0", "0", "B"] in found
    assert "2 series not available: nobody has it\n  ask\n  9.0\n  9.1\n" in shown
    assert "To send: 4 series, 40 images, 4.0 GB in 3 sessions to project P." in shown
    assert "There already: 2 series. Sent before, to be archived: 1 series. Not available: 2 series." in shown


def test_a_collection_of_several_publications_is_one_line(tmp_path: Path) -> None:
    both = prepared([one("P1", 1, 1), one("P1", 1, 2, source_doi="10.1/b")])
    assert ["lung", "1", "1", "2", "2", "20", "2.0", "GB", "CC", "BY", "4.0", "10.1/a", "10.1/b"] in rows(
        text(both, tmp_path)
    )
    found = json.loads(plan_view.as_json(both, job(tmp_path), asked_xnat=True))
    assert [row["source_DOIs"] for row in found["collections"]] == [["10.1/a", "10.1/b"]]


def test_columns_that_would_say_nothing_are_left_out(tmp_path: Path) -> None:
    heads = [row for row in rows(text(prepared([one("P1", 1, 1)]), tmp_path)) if "new" in row and "images" in row]
    assert ["there" in row for row in heads] == [False, False]
    heads = [row for row in rows(text(prepared(MIXED, HELD), tmp_path)) if "new" in row and "images" in row]
    assert ["there" in row for row in heads] == [True, True]


def test_large_numbers_can_be_read(tmp_path: Path) -> None:
    shown = text(prepared([one(f"P{n}", 1, 1) for n in range(1200)]), tmp_path)
    assert "To send: 1,200 series, 12,000 images, 1.20 TB in 1,200 sessions" in shown
    assert ["lung", "1,200", "1,200", "1,200", "1,200", "12,000", "1.20", "TB", "CC", "BY", "4.0", "10.1/a"] in rows(
        shown
    )


def test_the_same_as_json(tmp_path: Path) -> None:
    found = json.loads(plan_view.as_json(prepared(MIXED, HELD, missing=2), job(tmp_path), asked_xnat=True))
    assert found["totals"] == {
        "patients": 4, "sessions": 5, "series": 7, "new": 4, "waiting": 1, "there": 2, "images": 40,
        "bytes": 4 * GB, "unavailable": 2,
        "filtered": 0,
    }  # fmt: skip
    assert {row["session"]: row["action"] for row in found["sessions"]} == {
        "P1": "make", "Old": "complete", "P2": "leave", "P3": "archive", "P4": "make",
    }  # fmt: skip
    for part in ("collections", "sessions"):
        for name in ("series", "new", "waiting", "there", "images", "bytes"):
            assert sum(row[name] for row in found[part]) == found["totals"][name]
    assert [row["state"] for row in found["series"]] == ["new", "new", "there", "new", "there", "waiting", "new"]
    assert found["unavailable"][0] == {"SeriesInstanceUID": "9.0", "reason": "nobody has it", "hint": "ask"}


def test_many_patients_are_cut_to_a_readable_number(tmp_path: Path) -> None:
    many = prepared([one(f"P{n:04}", study, 1) for n in range(1000) for study in (1, 2)])
    shown = text(many, tmp_path)
    assert "… and 980 more patients with 1,960 sessions; --all shows them" in shown
    assert "P0019_01" in shown
    assert "P0020" not in shown
    assert "P0999_01" in text(many, tmp_path, whole=True)


@pytest.mark.parametrize(("rate", "told"), [(None, "20.0 MB/s (assumed"), (2e6, "2.0 MB/s (as given by --rate)")])
def test_the_time_says_what_it_is_made_of(tmp_path: Path, rate: float | None, told: str) -> None:
    shown = text(prepared(MIXED), tmp_path, rate=rate)
    assert told in shown
    assert f"Takes about {'6 min' if rate is None else '58 min'} at" in shown


def test_the_time_is_that_of_the_last_run(tmp_path: Path) -> None:
    series = [{"state": "archived", "bytes": 6 * GB}, {"state": "present", "bytes": 900 * GB}]
    ran = {"started": "2026-01-01T10:00:00+00:00", "ended": "2026-01-01T10:10:00+00:00", "series": series}
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.json").write_text(json.dumps(ran))
    shown = text(prepared(MIXED), tmp_path)
    assert "Takes about 12 min at 10.0 MB/s (as the last run into this folder had)." in shown
    for broken in ("", "[]", "{", '{"started": 1}'):
        (tmp_path / "report" / "report.json").write_text(broken)
        assert "(assumed" in text(prepared(MIXED), tmp_path)


def test_columns_are_left_out_rather_than_cells_broken(tmp_path: Path) -> None:
    long = one("P5", 1, 1, collection_id="breast_cancer_screening_dbt", licence="CC BY-NC 4.0")
    counted = set()
    for width in range(56, 140, 3):
        shown = text(prepared([*MIXED, long], HELD), tmp_path, width)
        assert all(cell_len(line) <= width for line in shown.splitlines())
        for words in ("breast_cancer_screening_dbt", "CC BY-NC 4.0", "Old", "5.0 GB"):
            assert words in shown, width
        counted.add(len(next(row for row in rows(shown) if "collection" in row)))
    assert len(counted) > 4


def test_a_plan_of_any_letters(tmp_path: Path) -> None:
    odd = one("P1", 1, 1, collection_id="[/x] \x1b[31m", licence="")
    shown = text(prepared([odd]), tmp_path)
    assert "[/x] [31m" in shown
    assert "\x1b" not in shown
    assert "not told" in shown


def test_a_plan_agrees_with_the_run_after_it(sandbox: Sandbox, tmp_path: Path) -> None:
    assert download(sandbox, ONE_PATIENT, tmp_path / "out", "PLANNED").code == 0
    asked = manifest(tmp_path / "m.tcia", [*_uids(WHOLE), "1.2.3"])
    planned = run(sandbox, tmp_path / "out", asked, tmp_path / "out", "PLANNED", "-n", "--format", "json")
    assert planned.code == 3
    found = json.loads(planned.out)
    done = download(sandbox, asked, tmp_path / "out", "PLANNED")
    states = {row["SeriesInstanceUID"]: row["state"] for row in found["series"]}
    became = {"new": "archived", "there": "present"}
    assert done.states() == {uid: became[state] for uid, state in states.items()} | {"1.2.3": "unavailable"}
    labels = {row["SeriesInstanceUID"]: row["session"] for row in found["series"]}
    assert {row["SeriesInstanceUID"]: row["session"] for row in done.rows if row["session"]} == labels
    assert sum(row["bytes"] for row in done.report["series"] if row["state"] == "archived") == found["totals"]["bytes"]


def _uids(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line[:1].isdigit()]


def test_a_plan_on_a_terminal_without_utf8(sandbox: Sandbox, tmp_path: Path) -> None:
    variables = environment(sandbox, TERM="xterm", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    shown = on_terminal(command(WHOLE, "-n"), 80, variables, lines=60, cwd=tmp_path)
    assert shown.code == 0
    assert shown.raw.isascii()
    assert "MSB-01723_04" in shown.text()
    assert "|" not in shown.text()
