"""What is missing, grouped by cause: the same at the terminal, in report.json and in report.html."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from tcia_xnat.core.errors import Error, SpaceError
from tcia_xnat.core.model import Label, Outcome, Series, State
from tcia_xnat.core.program import command_line
from tcia_xnat.jobs.disk_to_xnat import Upload
from tcia_xnat.report.causes import causes
from tcia_xnat.report.page import page
from tcia_xnat.report.summary import as_text, summary
from tests.report.case import by_id, outcome, parsed, report_json, run, series, text


def row(number: int, state: str = "failed", reason: str = "", hint: str = "", kind: str = "") -> dict[str, Any]:
    return {"SeriesInstanceUID": f"1.{number}", "state": state, "reason": reason, "hint": hint, "kind": kind}


def test_what_is_in_is_no_cause() -> None:
    assert causes([row(1, "archived"), row(2, "present")]) == ()


def test_reasons_that_differ_in_numbers_are_one_cause_the_most_frequent_first() -> None:
    found = causes(
        [
            row(1, reason="IDC answered 404: not there"),
            row(2, reason="97 of 133 images"),
            row(3, reason="4 of 5 images"),
            row(4, reason="IDC answered 503: later"),
        ]
    )
    assert [(cause.reason, cause.series_instance_uids) for cause in found] == [
        ("… images", ("1.2", "1.3")),
        ("IDC answered 404: not there", ("1.1",)),
        ("IDC answered 503: later", ("1.4",)),
    ]


def test_what_failed_comes_before_what_waits_for_it_and_each_has_a_way_out() -> None:
    found = causes(
        [row(1, "held"), row(2, "held"), row(3, kind="SourceUnreachable"), row(4, "unavailable", kind="Other")]
    )
    assert [(cause.state, cause.count) for cause in found] == [("failed", 1), ("unavailable", 1), ("held", 2)]
    assert all("again" in cause.hint for cause in found)


def test_every_error_of_a_series_has_a_way_out() -> None:
    def below(error: type[Error]) -> set[type[Error]]:
        return {error}.union(*map(below, error.__subclasses__()))

    ends_runs = {"UsageError", "ManifestError", "SpaceError", "LoginRefused", "RightsRefused"}
    public = {error.__name__ for error in below(Error) if not error.__name__.startswith("_")}
    for name in public - {"Error", "XnatError", *ends_runs}:
        (cause,) = causes([row(1, kind=name)])
        assert cause.hint != "run the same command again", name


def test_one_reason_is_told_in_full() -> None:
    (cause,) = causes([row(1, reason="97 of 133 images"), row(2, reason="97 of 133 images")])
    assert (cause.reason, cause.count) == ("97 of 133 images", 2)


def test_uids_and_hashes_vary_states_kinds_and_hints_do_not() -> None:
    one = row(1, reason=f"image 1.2.840.113619.2.55.3 has MD5 {'ab' * 16}", hint="a", kind="SeriesDamaged")
    two = one | {"SeriesInstanceUID": "1.2", "reason": f"image 1.2.840.113619.2.55.4 has MD5 {'cd' * 16}"}
    (cause,) = causes([one, two])
    assert cause.reason == "image … has MD5 …"
    for changed in ({"state": "held"}, {"kind": "SeriesIncomplete"}, {"hint": "b"}):
        assert len(causes([one, two | changed])) == 2


def given() -> list[tuple[Series, Outcome]]:
    failed = [
        (
            series(n),
            outcome(series(n), State.FAILED, reason=f"{n} of 99 images", hint="try again", kind="SeriesIncomplete"),
        )
        for n in range(4)
    ]
    return [*failed, (series(10), outcome(series(10)))]


def test_terminal_json_and_page_tell_the_same(tmp_path: Path) -> None:
    (cause,) = report_json(tmp_path, given())["causes"]
    assert (cause["count"], cause["reason"], cause["hint"]) == (4, "… images", "try again")
    shown = as_text(summary(run(tmp_path, given())))
    for words in (
        "4 series failed: … images",
        "what to do: try again",
        "patient P00000, session P00000_0, series 1.2.3.0.2: 2 of 99 images",
        "and 1 more in report.csv",
        f"download.py {tmp_path}/out/report/failed.tcia {tmp_path}/out PROJECT",
    ):
        assert words in shown
    missing = text(by_id(parsed(page(report_json(tmp_path, given()), {})), "missing"))
    for words in ("4 series failed", "… images", "What to do: try again", "1.2.3.0.3 3 of 99 images"):
        assert words in missing


def test_a_report_that_was_not_written_is_no_place_to_look_at(tmp_path: Path) -> None:
    shown = as_text(summary(replace(run(tmp_path, given()), unwritten=SpaceError("full"))))
    assert "The report could not be written" in shown
    assert "and 1 more\n" in shown
    assert "report.csv" not in shown


def test_a_narrow_terminal_has_fewer_columns_and_whole_names(tmp_path: Path) -> None:
    named = series(1, patient_id="MSB-01723")
    ended = outcome(named, label=Label("MSB-01723", "MSB-01723_01"))
    for width, heading in ((40, ["session", "series", "images"]), (80, ["subject", "session", "series", "new"])):
        console = Console(width=width, file=io.StringIO(), no_color=True)
        with console.capture() as captured:
            console.print(summary(run(tmp_path, [(named, ended)])))
        lines = captured.get().splitlines()
        assert lines[1].split()[: len(heading)] == heading
        assert "MSB-01723_01" in lines[3].split()
        assert all(len(line) <= width for line in lines)


def test_the_command_is_one_line_on_any_terminal(tmp_path: Path) -> None:
    console = Console(width=40, file=io.StringIO(), no_color=True)
    with console.capture() as captured:
        console.print(summary(run(tmp_path, given())), crop=False)
    command = f"download.py {tmp_path}/out/report/failed.tcia {tmp_path}/out PROJECT"
    assert captured.get().splitlines()[-1].endswith(command)


def test_an_upload_asks_for_its_tree_again(tmp_path: Path) -> None:
    asked = Upload(root=tmp_path / "tree", output_dir=tmp_path / "work", project="P")
    assert asked.next_command == command_line("upload.py", f"{tmp_path}/tree", "P")
    typed = replace(asked, typed=("tree", "P", "--exclude", "a b"))
    assert typed.next_command == command_line("upload.py", "tree", "P", "--exclude", "a b")


def test_files_that_are_no_series_are_told_as_files(tmp_path: Path) -> None:
    there = outcome(series(1))
    lost = replace(
        outcome(series(2), State.FAILED, reason="CD/IM3 is empty", hint="repair it", kind="SeriesDamaged"),
        series_instance_uid="CD/IM3",
        label=None,
    )
    shown = as_text(
        summary(run(tmp_path, [(series(1), there), (replace(series(2), series_instance_uid="CD/IM3"), lost)]))
    )
    for words in (
        "not sent: CD/IM3 is empty",
        "file CD/IM3",
        "1 of 1 series are in the archive; files that are, or may be, images were not sent.",
    ):
        assert words in shown
