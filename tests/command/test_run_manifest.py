"""run_manifest.sh checks each answer when it is given; docker is a stub that shows its arguments."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKER = """#!/bin/sh
case $* in
    info*) exit 0 ;;
    *"--entrypoint /bin/ls"*) echo built-in.tcia ;;
    *) echo "XNAT_HOST=$XNAT_HOST XNAT_USER=$XNAT_USER XNAT_PASS=$XNAT_PASS $*" ;;
esac
"""
GOOD = ("1", "https://xnat.example.org", "PROJECT", "me", "secret", "out")
WRONG = {
    "a number that is too high": (0, "9", "there is no file 9"),
    "no such file": (0, "none.tcia", "there is no file none.tcia"),
    "no scheme": (1, "xnat.example.org", "is not an address of XNAT: write it as https://"),
    "another scheme": (1, "ftp://xnat", "is not an address of XNAT"),
    "a password in the address": (1, "https://me:secret@xnat", "without blanks, user and password"),
    "a blank in the address": (1, "https://xnat example", "without blanks"),
    "a project with a dot": (2, "a.b", "XNAT accepts no project ID a.b"),
    "no user": (3, "", "nothing was given"),
    "no password": (4, "", "nothing was given"),
    "a file as the folder": (5, "list.tcia", "is not a folder that can be written to"),
}


def talk(folder: Path, answers: tuple[str, ...], **variables: str) -> subprocess.CompletedProcess[str]:
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    docker = bin_folder / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    (folder / "list.tcia").write_text("1.2.3\n")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TCIA_XNAT_", "XNAT_")) and name not in {"REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}
    }
    return subprocess.run(
        [str(ROOT / "run_manifest.sh")],
        cwd=folder,
        env=inherited | {"PATH": f"{bin_folder}:{os.environ['PATH']}"} | variables,
        input="".join(f"{answer}\n" for answer in answers),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_answers_reach_the_container(tmp_path: Path) -> None:
    done = talk(tmp_path, GOOD)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("XNAT_HOST=https://xnat.example.org XNAT_USER=me XNAT_PASS=secret run ")
    assert done.stdout.rstrip().endswith("/input/list.tcia /output PROJECT")
    assert "secret" not in done.stdout.partition(" run ")[2]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_asked_for_again_at_once(tmp_path: Path, name: str) -> None:
    place, wrong, words = WRONG[name]
    done = talk(tmp_path, (*GOOD[:place], wrong, *GOOD[place:]))
    assert done.returncode == 0, done.stderr
    assert words in done.stderr
    assert done.stdout.rstrip().endswith("/input/list.tcia /output PROJECT")


def test_a_wrong_variable_is_not_offered_again(tmp_path: Path) -> None:
    done = talk(tmp_path, (GOOD[0], "", *GOOD[1:]), XNAT_HOST="xnat.example.org")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("[xnat.example.org]") == 1
    assert "XNAT_HOST=https://xnat.example.org" in done.stdout


def test_an_end_of_the_answers_is_an_error(tmp_path: Path) -> None:
    done = talk(tmp_path, GOOD[:2])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("error: no answer\n")
