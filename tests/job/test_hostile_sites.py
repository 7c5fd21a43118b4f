"""Kills and faults in XNATs that are set up against the tool: whatever happens on the way, the end is the same.

A member who may not write to the project, scripts that hash UIDs or reject images, a template that gives images one
name, counts that cannot be refreshed. `KILLS` and `SEED` are variables; `make soak` asks for more, at other instants.
"""

import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import requests

from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from sandbox.xnat import Settings
from tests.job.case import (
    Done,
    ask,
    assert_holds,
    assert_nothing_waits,
    command,
    download,
    environment,
    expected,
    images,
    manifest,
    quick,
    several,
)
from tests.job.test_xnat_faults import FAULTS
from tests.job.test_xnat_scripts import HASH_ALL, REJECT_SECOND, set_project_script

KILLS = int(os.environ.get("KILLS", "50"))
SEED = os.environ.get("SEED", "20261127")
EACH = KILLS // 25  # kills of each site
FAULTY = max(KILLS // 50, 1)  # faults of each site
REQUESTS = 60  # to XNAT, among which a run is killed; an undisturbed one has about as many
ADMIN, SECRET = ("admin", "admin"), "w0rd" + "-of-tests"
MET = sorted(name for name in FAULTS if name.startswith(("import", "build", "archive", "read back: 500")))
"""Faults of requests that every run makes, whoever the user is."""
PATIENTS = {"MSB-01723", "MSB-07839"}


@dataclass(frozen=True, slots=True)
class Site:
    """How an XNAT is set up, the exit code of an undisturbed run, and what its archive holds then."""

    settings: Callable[[], Settings] = Settings
    script: str = ""
    is_member: bool = False
    code: int = 0


SITES = {
    "a member": Site(is_member=True),
    "hashed UIDs": Site(script=HASH_ALL),
    "hashed UIDs, of a member": Site(script=HASH_ALL, is_member=True),
    "rejected images": Site(script=REJECT_SECOND, code=3),
    "a template without UIDs": Site(lambda: Settings(dicom_file_name_template="${StudyInstanceUID}-${SeriesNumber}")),
    "refresh refused": Site(lambda: Settings(populate_stats=False, refresh_refusal=403)),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A project of a site, and a manifest for it."""

    site: Site
    sandbox: Sandbox
    listed: Path
    folder: Path
    project: str = ""

    @property
    def output(self) -> Path:
        """The output folder of the project."""
        return self.folder / self.project

    @property
    def login(self) -> dict[str, str]:
        """Variables with the login of the user."""
        return {"XNAT_USER": self.project, "XNAT_PASS": SECRET} if self.site.is_member else {}

    def with_project(self, name: str) -> "Place":
        """Make a project as this site has them, and return the place in which it is the one."""
        url = f"{self.sandbox.xnat.url}/data/projects/{name}"
        requests.put(url, auth=ADMIN, timeout=30).raise_for_status()
        requests.put(f"{url}/prearchive_code/0", auth=ADMIN, timeout=30).raise_for_status()
        if self.site.script:
            set_project_script(self.sandbox, name, self.site.script)
        if self.site.is_member:
            self.sandbox.xnat.add_user(name, SECRET, {name: "Members"})
        return replace(self, project=name)

    def run(self, *options: str) -> Done:
        """Run the tool to its end; an end with 0 is proved at once."""
        done = download(self.sandbox, self.listed, self.output, self.project, *quick(*options), **self.login)
        if done.code == 0:
            self.assert_right(state_lost=True)
        return done

    def killed(self, dice: random.Random) -> bool:
        """Start the tool, and kill it when XNAT was asked so many things; return whether it had not ended yet."""
        ends = len(self.sandbox.xnat.requests) + dice.randrange(1, REQUESTS)
        line = command(self.listed, self.output, self.project, *quick())
        process = subprocess.Popen(
            line, env=environment(self.sandbox, **self.login), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while len(self.sandbox.xnat.requests) < ends and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        return process.wait() < 0

    def assert_right(self, *, state_lost: bool = False) -> None:
        """Assert that the archive holds each image that this site lets in, once, and that nothing waits."""
        wanted = expected(self.sandbox, self.listed)
        if not self.site.script:
            assert_holds(self.sandbox, self.project, wanted, state_lost=state_lost)
            return
        found = images(self.sandbox, self.project)
        rejects = self.site.script == REJECT_SECOND
        counts = [count - (rejects and count > 1) for count in wanted.images.values()]
        assert len({image.sop_instance_uid for image in found}) == len(found)
        assert Counter(counts) == Counter(Counter(image.series_instance_uid for image in found).values())
        rows = ask(self.sandbox, f"/data/projects/{self.project}/experiments", columns="ID,label,subject_label")
        assert {(row["subject_label"], row["label"]) for row in rows} == set(wanted.sessions.values())
        assert len(rows) == len(set(wanted.sessions.values()))
        assert_nothing_waits(self.sandbox, self.project, state_lost=state_lost)

    def assert_ends_well(self, *, state_lost: bool = False) -> None:
        """Assert that a run that nothing disturbs ends as it should, and that one more sends nothing."""
        done = self.run()
        assert done.code == self.site.code, done.err + done.out
        self.assert_right(state_lost=state_lost)
        before = len(self.sandbox.xnat.requests)
        again = self.run()
        assert again.code == self.site.code, again.err + again.out
        assert not [one for one in self.sandbox.xnat.requests[before:] if "services/import" in one.path_with_query]


@pytest.fixture(params=SITES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    site: Site = SITES[request.param]
    options: dict[str, object] = {"collections": ["cmb_aml"], "pixels": 16, "max_instances": 3}
    with Sandbox(tmp_path / "sandbox", xnat=site.settings(), **options) as sandbox:
        patients = expected(sandbox, several(sandbox, tmp_path / "all.tcia")).sessions
        uids = [uid for uid, (subject, _) in patients.items() if subject in PATIENTS]
        yield Place(site, sandbox, manifest(tmp_path / "m.tcia", uids), tmp_path)


def test_kills_in_a_hostile_site(place: Place, request: pytest.FixtureRequest) -> None:
    dice = random.Random(f"{SEED} {request.node.name}")  # noqa: S311  a die for tests
    here, hit, state_lost = place.with_project("KILLED"), 0, False
    for _ in range(EACH):
        hit += here.killed(dice)
        if dice.random() < 0.5:
            shutil.rmtree(here.output / "state", ignore_errors=True)
            state_lost = True
    print(f"{request.node.name}: seed {SEED}, {hit} of {EACH} runs killed before their end")  # noqa: T201  figures
    while (
        place.sandbox.xnat.under_way
    ):  # `--max-outage 1` says that XNAT ends within a second what a dead run asked for
        time.sleep(0.01)
    here.assert_ends_well(state_lost=state_lost)


def test_faults_in_a_hostile_site(place: Place, request: pytest.FixtureRequest) -> None:
    dice = random.Random(f"{SEED} {request.node.name}")  # noqa: S311  a die for tests
    names = dice.sample(MET, min(FAULTY, len(MET)))
    for number, name in enumerate(names):
        here, rule = place.with_project(f"FAULT{number}"), Fault(*FAULTS[name])
        place.sandbox.xnat_faults.add(rule)
        done = here.run()
        place.sandbox.xnat_faults.lift()
        assert done.code in {0, 3, 5}, name + done.err + done.out
        assert rule.hits, name
        here.assert_ends_well()
    print(f"{request.node.name}: seed {SEED}, {len(names)} faults met")  # noqa: T201  figures
