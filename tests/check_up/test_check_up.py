"""Each check in each of its states, against servers that are set up so."""

from dataclasses import replace
from pathlib import Path

import pytest
import requests

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from sandbox.xnat import Settings
from tcia_xnat.core.errors import UsageError
from tcia_xnat.preflight import anonymisation
from tcia_xnat.preflight.finding import Verdict, exit_code
from tcia_xnat.xnat.dicomedit import read_script
from tests.check_up.case import ADMIN, SECRET, asked, findings, put, without_xnat

NOWHERE = "http://127.0.0.1:9"


def test_all_is_well(sandbox: Sandbox, settings: Settings, tmp_path: Path) -> None:
    settings.enable_sitewide_anonymization_script = False
    found = findings(asked(sandbox, tmp_path, "OPEN"))
    assert {finding.name for finding in found.values() if finding.state is not Verdict.OK} == set()
    assert set(found) == {
        "environment", "index", "spool", "output",
        "connection to IDC", "IDC", "connection to NBIA", "NBIA", "connection to XNAT",
        "login", "XNAT version", "sessions", "series-import filter, site", "anonymisation, site", "file names",
        "project", "rights", "auto-archive", "series-import filter, project", "anonymisation, project", "clock",
    }  # fmt: skip
    assert not any(finding.to_do for finding in found.values())
    assert exit_code(found.values()) == 0


def test_the_check_leaves_nothing_behind(sandbox: Sandbox, tmp_path: Path) -> None:
    logged_in = sandbox.xnat.parts.accounts.open_sessions("admin")
    findings(asked(sandbox, tmp_path / "not-there", "OPEN"))
    assert sandbox.xnat.parts.accounts.open_sessions("admin") == logged_in
    listed = requests.get(
        f"{sandbox.xnat.url}/data/projects/OPEN/resources/TCIA_INGEST/files", {"format": "json"}, auth=ADMIN, timeout=10
    )
    assert listed.json()["ResultSet"]["Result"] == []
    assert not (tmp_path / "not-there").exists()


# who may see what


def test_a_member_who_is_no_administrator(sandbox: Sandbox, tmp_path: Path) -> None:
    found = findings(asked(sandbox, tmp_path, "OPEN", ("member", SECRET)))
    assert found["sessions"].state is Verdict.WARNING
    assert "could not look: XNAT does not tell this user" in found["sessions"].seen
    assert found["rights"].state is Verdict.WARNING
    assert found["rights"].seen == "this user may bring images into OPEN"
    assert "only owners may write to the project" in found["rights"].to_do
    assert found["login"].seen == "as member"
    assert exit_code(found.values()) == 0


def test_a_user_who_may_only_read(sandbox: Sandbox, tmp_path: Path) -> None:
    found = findings(asked(sandbox, tmp_path, "OPEN", ("reader", SECRET)))
    assert found["rights"].state is Verdict.WRONG
    assert "(role: collaborator), but may not add to it" in found["rights"].seen
    assert "a member or owner" in found["rights"].to_do
    assert exit_code(found.values()) == 5


def test_an_xnat_that_tells_no_rights(sandbox: Sandbox, tmp_path: Path) -> None:
    for page in (r"data/projects\?permissions", "xapi/access/projects"):
        sandbox.xnat_faults.add(Fault(f"GET /{page}", faults.answer(404, "<html>no</html>"), times=None))
    found = findings(asked(sandbox, tmp_path, "OPEN", ("member", SECRET)))
    assert (found["rights"].state, "could not look" in found["rights"].seen) == (Verdict.WARNING, True)
    assert exit_code(found.values()) == 0


def test_a_project_by_its_alias(sandbox: Sandbox, tmp_path: Path) -> None:
    put(sandbox, "/data/projects/OPEN", alias="NICK")
    put(sandbox, "/xapi/anonymize/projects/OPEN", "-(0010,0030)")
    found = findings(asked(sandbox, tmp_path, "NICK"))
    put(sandbox, "/xapi/anonymize/projects/OPEN/enabled", enable="false")
    assert found["project"].seen == "OPEN (given as NICK) is there"
    assert found["anonymisation, project"].seen == "on, changes (0010,0030)"
    assert found["rights"].state is Verdict.OK


def test_a_template_that_gives_several_images_one_name(sandbox: Sandbox, tmp_path: Path) -> None:
    rule = Fault("GET /xapi/siteConfig/dicomFileNameTemplate", faults.answer(200, '"${StudyInstanceUID}"'), times=None)
    sandbox.xnat_faults.add(rule)
    found = findings(asked(sandbox, tmp_path))["file names"]
    assert (found.state, found.seen) == (Verdict.WARNING, "${StudyInstanceUID} gives several images one name")


def test_a_project_that_is_not_there(sandbox: Sandbox, settings: Settings, tmp_path: Path) -> None:
    request = asked(sandbox, tmp_path, "NEW", ("member", SECRET))
    assert findings(request)["project"].state is Verdict.WARNING
    kept = replace(request, job=replace(request.job, create_project=False))
    assert exit_code(findings(kept).values()) == 5
    settings.ui_allow_non_admin_project_creation = False
    assert exit_code(findings(request).values()) == 5
    assert findings(asked(sandbox, tmp_path, "NEW"))["project"].state is Verdict.WARNING  # administrators may


# login and site


def test_a_login_that_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    found = findings(asked(sandbox, tmp_path, "OPEN", ("admin", "wrong")))
    assert (found["login"].state, exit_code(found.values())) == (Verdict.WRONG, 5)
    assert "rights" not in found
    assert not any("wrong" in finding.seen for finding in found.values())


def test_an_alias_token_shows_its_user_and_not_itself(sandbox: Sandbox, tmp_path: Path) -> None:
    token = sandbox.xnat.parts.accounts.issue_token(sandbox.xnat.parts.accounts.user("owner"))  # type: ignore[arg-type]
    found = findings(asked(sandbox, tmp_path, "OPEN", (str(token["alias"]), str(token["secret"]))))
    assert found["login"].seen == "as owner"
    assert not any(str(token["alias"]) in finding.seen for finding in found.values())


def test_no_user_for_xnat(sandbox: Sandbox, tmp_path: Path) -> None:
    found = findings(without_xnat(asked(sandbox, tmp_path), UsageError("no user", "give one")))
    assert (found["login"].to_do, exit_code(found.values())) == ("give one", 2)


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("1.8.9", Verdict.OK),
        ("1.8.11-SNAPSHOT", Verdict.OK),
        ("1.10.0", Verdict.OK),
        ("1.8.4.1", Verdict.WARNING),
        ("1.7.6", Verdict.WRONG),
        ("new", Verdict.WARNING),
    ],
)
def test_versions(sandbox: Sandbox, settings: Settings, tmp_path: Path, version: str, state: Verdict) -> None:
    settings.version = version
    assert findings(asked(sandbox, tmp_path))["XNAT version"].state is state


def test_a_session_cap_that_is_nearly_used_up(sandbox: Sandbox, settings: Settings, tmp_path: Path) -> None:
    settings.concurrent_max_sessions = sandbox.xnat.parts.accounts.open_sessions("admin") + 2
    found = findings(asked(sandbox, tmp_path))["sessions"]
    assert (found.state, "of" in found.seen) == (Verdict.WARNING, True)


def test_filter_and_scripts_of_site_and_project(sandbox: Sandbox, settings: Settings, tmp_path: Path) -> None:
    settings.sitewide_series_import_filter = "LOCALIZER\nSCOUT"
    put(sandbox, "/data/projects/OVER/config/seriesImportFilter/config", '{"mode":"blacklist","list":"T1.*"}')
    put(sandbox, "/xapi/anonymize/projects/OVER", '(0010,0030) := ""\n-(0032,1032)\n')
    found = findings(asked(sandbox, tmp_path, "OVER"))
    seen = {name: (finding.state, finding.seen) for name, finding in found.items()}
    assert seen["series-import filter, site"] == (Verdict.WARNING, "on: LOCALIZER SCOUT")
    assert seen["series-import filter, project"] == (Verdict.WARNING, "on: blacklist T1.*")
    assert seen["anonymisation, project"] == (Verdict.WARNING, "on, changes (0010,0030), (0032,1032)")
    told = "on, changes StudyDescription, PatientName, PatientID"
    assert seen["anonymisation, site"] == (Verdict.WARNING, told)
    put(sandbox, "/data/projects/OVER/config/seriesImportFilter/config", status="disabled")
    put(sandbox, "/xapi/anonymize/projects/OVER/enabled", enable="false")
    found = findings(asked(sandbox, tmp_path, "OVER"))
    assert found["series-import filter, project"].state is Verdict.OK
    assert found["anonymisation, project"].state is Verdict.OK


@pytest.mark.parametrize(("project", "words"), [("AUTO", "code 4"), ("OVER", "over what is there")])
def test_auto_archiving(sandbox: Sandbox, tmp_path: Path, project: str, words: str) -> None:
    found = findings(asked(sandbox, tmp_path, project))["auto-archive"]
    assert found.state is Verdict.WARNING
    assert words in found.seen


def test_what_an_xnat_does_not_tell_is_a_warning(sandbox: Sandbox, tmp_path: Path) -> None:
    rule = "GET /(xapi|data/projects/OPEN/(config|prearchive_code))"
    sandbox.xnat_faults.add(Fault(rule, faults.answer(403, "<html>no</html>"), times=None))
    found = findings(asked(sandbox, tmp_path, "OPEN"))
    unseen = {name for name, finding in found.items() if "could not look" in finding.seen}
    assert unseen == {
        "XNAT version", "sessions", "series-import filter, site", "anonymisation, site", "file names",
        "auto-archive", "series-import filter, project", "anonymisation, project",
    }  # fmt: skip
    assert all(found[name].state is Verdict.WARNING for name in unseen)
    assert exit_code(found.values()) == 0


def test_an_xnat_that_breaks_down_meanwhile(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.xnat_faults.add(Fault("GET /data/projects/OPEN", faults.answer(502, "bad gateway"), times=None))
    found = findings(asked(sandbox, tmp_path, "OPEN"))
    assert exit_code(found.values()) == 5
    assert "clock" in found


SCRIPTS = {
    "(0010,0010) := subject": ("on, changes PatientName", "no image is lost"),
    "(0020,000d) := hashUID[(0020,000d)]": ("on, changes StudyInstanceUID", "archived under changed UIDs"),
    'hashUIDList["(0020,000D)", "(0020,000E)"]': (
        "on, changes SeriesInstanceUID, StudyInstanceUID",
        "archived under changed UIDs",
    ),
    '(0008,0060) = "SR" ? reject': (
        "on, changes headers and may reject images",
        "exit code 3, unless --accept-rejected",
    ),
    'describe p "x"': ("on, changes headers", "no image is lost"),
    "frobnicate[]": ("on, changes headers and cannot be read whole (line 2 cannot be read: frobnicate)", "is unknown"),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_a_script_means(script: str) -> None:
    seen, follows = SCRIPTS[script]
    found = anonymisation.judged("x", read_script(f'version "6.1"\n{script}\n'))
    assert (found.state, found.seen, found.exit_code) == (Verdict.WARNING, seen, 0)
    assert follows in found.to_do


# sources
