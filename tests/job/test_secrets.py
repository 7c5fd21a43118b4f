"""Credentials appear nowhere but in the requests that need them."""

import base64
import subprocess
import time
from pathlib import Path

import pytest
import requests

from sandbox import faults
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from tests.job.case import Done, command, download, environment, quick, run, several

USER, PASSWORD = "sentinel-user-7f3a", "sentinel-" + "pass-91bc"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return Sandbox(tmp_path_factory.mktemp("own"), collections=["cmb_aml"], pixels=16)


def assert_nowhere(secret: str, sandbox: Sandbox, done: Done, folder: Path) -> None:
    """Look for a secret in both streams, in all files, and in the addresses that the servers saw."""
    hidden = {secret, base64.b64encode(f"{USER}:{secret}".encode()).decode()}
    seen = [done.out, done.err]
    seen += [path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()]
    seen += [asked.path_with_query for asked in (*sandbox.xnat.requests, *sandbox.nbia.requests, *sandbox.s3.requests)]
    assert not any(word in text for word in hidden for text in seen)


def test_no_credential_is_told(own: Sandbox, tmp_path: Path) -> None:
    with own as sandbox:
        sandbox.xnat.add_user(USER, PASSWORD)
        listed, output = several(sandbox, tmp_path / "m.tcia"), tmp_path / "out"
        secrets = {"XNAT_USER": USER, "XNAT_PASS": PASSWORD}
        sandbox.xnat_faults.add(
            Fault("services/import", faults.reset(), times=None, share=0.3),
            Fault("services/archive", faults.answer(500, "<h3>FAILED: no</h3>")),
            Fault("", faults.answer(401), first=60),
        )
        process = subprocess.Popen(
            command(listed, output, "SECRET", *quick("--debug")),
            env=environment(sandbox, **secrets),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while process.poll() is None:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    assert PASSWORD not in path.read_bytes().decode("latin-1")
                except OSError:
                    continue  # it has ended
            time.sleep(0.05)
        out, err = process.communicate()
        assert_nowhere(PASSWORD, sandbox, Done(process.returncode, out, err, output / "report"), output)

        issued = requests.get(
            f"{sandbox.xnat.url}/data/services/tokens/issue", auth=(USER, PASSWORD), timeout=10
        ).json()
        secrets = {"XNAT_USER": issued["alias"], "XNAT_PASS": issued["secret"]}
        sandbox.xnat_faults.lift()
        done = download(sandbox, listed, output, "SECRET", *quick("--debug"), **secrets)
        assert done.code == 0, done.err
        assert_nowhere(issued["secret"], sandbox, done, output)

        wrong = {"XNAT_USER": USER, "XNAT_PASS": PASSWORD + "-no"}
        done = download(sandbox, listed, output, "SECRET", "--debug", **wrong)
        assert done.code == 5
        assert_nowhere(PASSWORD, sandbox, done, output)


def test_credentials_in_the_address_are_refused_and_not_repeated(sandbox: Sandbox, tmp_path: Path) -> None:
    address = sandbox.xnat.url.replace("http://", f"http://{USER}:{PASSWORD}@")
    done = run(sandbox, tmp_path / "out", "m.tcia", tmp_path / "out", "P", XNAT_HOST=address)
    assert done.code == 2
    assert PASSWORD not in done.out + done.err


def test_what_holds_state_is_the_user_s_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    listed = several(sandbox, tmp_path / "m.tcia")
    assert download(sandbox, listed, tmp_path / "out", "OWN", "--limit", "1", *quick()).code == 0
    state = tmp_path / "out" / "state"
    assert state.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in state.iterdir())


def test_a_manifest_sends_nobody_anywhere(sandbox: Sandbox, tmp_path: Path) -> None:
    listed = several(sandbox, tmp_path / "m.tcia")
    text = listed.read_text().replace("https://nbia.cancerimagingarchive.net", "http://127.0.0.1:9")
    assert "127.0.0.1:9" in text
    listed.write_text(text)
    done = download(sandbox, listed, tmp_path / "out", "SERVER", "--limit", "2", *quick("--source", "nbia"))
    assert done.code == 0, done.err
