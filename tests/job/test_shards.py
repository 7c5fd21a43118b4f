"""One manifest cut by patient: parts that run at once, started as schedulers start them, leave what one run leaves."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from sandbox.sandbox import Sandbox
from tcia_xnat.cli.options import parsed_shard
from tcia_xnat.core.errors import UsageError
from tests.job.case import ONE_PATIENT, ROOT, WHOLE, assert_holds, command, environment, expected, run, several

SLURM = ROOT / "deploy" / "slurm" / "tcia.sbatch"
KUBERNETES = ROOT / "deploy" / "kubernetes" / "job.yaml"


def started(sandbox: Sandbox, folder: Path, words: list[str], variables: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words,
        cwd=folder,
        env=environment(sandbox, **variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def assert_all_end_well(processes: list[subprocess.Popen[str]]) -> None:
    said = [process.communicate(timeout=180)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(said)


def slurm(task: str, **limits: str) -> dict[str, str]:
    """Return the variables of a task; `limits` are COUNT, MIN and MAX of the array as it was submitted."""
    return {"SLURM_ARRAY_TASK_ID": task} | {f"SLURM_ARRAY_TASK_{name}": value for name, value in limits.items()}


def test_the_slurm_file_submits_as_many_tasks_as_it_cuts() -> None:
    text = SLURM.read_text()
    (last,) = re.findall(r"^#SBATCH --array=0-(\d+)", text, re.MULTILINE)
    (parts,) = re.findall(r"^parts=\$\{PARTS:-(\d+)\}", text, re.MULTILINE)
    assert int(parts) == int(last) + 1


def test_four_tasks_of_a_slurm_array_that_was_submitted_in_two_halves(sandbox: Sandbox, tmp_path: Path) -> None:
    array = {"PARTS": "4", "TCIA_XNAT_CHECKOUT": str(ROOT), "PYTHON": sys.executable}
    words = ["bash", str(SLURM), str(WHOLE), "SLURM"]
    submitted = {(0, 2): {"COUNT": "2", "MIN": "0", "MAX": "2"}, (1, 3): {"COUNT": "2", "MIN": "1", "MAX": "3"}}
    assert_all_end_well(
        [
            started(sandbox, tmp_path, words, array | slurm(str(task), **limits))
            for tasks, limits in submitted.items()
            for task in tasks
        ]
    )
    assert_holds(sandbox, "SLURM", expected(sandbox, WHOLE), may_strand=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"tcia-{task}" for task in range(4)]


def test_four_pods_of_an_indexed_job(sandbox: Sandbox, tmp_path: Path) -> None:
    manifest = several(sandbox, tmp_path / "m.tcia")
    processes = [
        started(
            sandbox,
            tmp_path,
            command(manifest, tmp_path / str(index), "PODS", "--shard", "auto/4"),
            {"JOB_COMPLETION_INDEX": str(index)},
        )
        for index in range(4)
    ]
    assert_all_end_well(processes)
    assert_holds(sandbox, "PODS", expected(sandbox, manifest), may_strand=True)


def test_the_job_runs_as_many_parts_as_it_cuts() -> None:
    job = yaml.safe_load(KUBERNETES.read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert job["spec"]["completionMode"] == "Indexed"
    assert f"auto/{job['spec']['completions']}" in container["args"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert job["spec"]["template"]["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "--from-literal" not in KUBERNETES.read_text()  # a password in argv
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted == {"/input", "/output", "/tmp"}  # noqa: S108  folders of the container


@pytest.mark.parametrize(
    ("text", "variables", "part"),
    [
        ("1/3", {}, (1, 3)),
        ("auto/3", {"JOB_COMPLETION_INDEX": "2"}, (2, 3)),
        ("auto/3", slurm("0"), (0, 3)),
        ("auto", slurm("3", MIN="0", MAX="4", COUNT="5"), (3, 5)),
        ("auto/4", slurm("1", MIN="1", MAX="3", COUNT="2"), (1, 4)),
        ("auto/4", slurm("3", MIN="1", MAX="3", COUNT="2"), (3, 4)),
        ("auto/8", slurm("2", MIN="2", MAX="2", COUNT="1"), (2, 8)),
    ],
)
def test_which_part(text: str, variables: dict[str, str], part: tuple[int, int]) -> None:
    assert parsed_shard(text, variables) == part


@pytest.mark.parametrize("text", ["auto", "auto/4", "auto/", "4/4", "-1/4", "1", "/", "1/x", "auto/x", "0/0"])
def test_no_part(text: str) -> None:
    with pytest.raises(UsageError):
        parsed_shard(text, {})


@pytest.mark.parametrize(
    "limits",
    [
        {"MIN": "1", "MAX": "3", "COUNT": "2"},
        {"MIN": "2", "MAX": "2", "COUNT": "1"},
        {"MIN": "1", "MAX": "4", "COUNT": "4"},
        {"MIN": "0", "MAX": "14", "COUNT": "8"},
        {"COUNT": "4"},
    ],
)
def test_an_array_that_is_not_whole_does_not_say_how_many_parts_there_are(limits: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="number of parts") as refused:
        parsed_shard("auto", slurm("2", **limits))
    assert "--shard auto/8" in refused.value.hint


def test_a_task_beyond_the_last_part_is_told_how_tasks_are_numbered() -> None:
    with pytest.raises(UsageError, match="shard 8 of 8 does not exist") as refused:
        parsed_shard("auto/8", slurm("8"))
    assert refused.value.hint == "shards are numbered from 0 to 7"


def test_a_part_that_no_scheduler_names(sandbox: Sandbox, tmp_path: Path) -> None:
    done = run(sandbox, tmp_path / "out", ONE_PATIENT, tmp_path / "out", "NOBODY", "--shard", "auto/4")
    assert done.code == 2
    assert done.err.startswith("error: no scheduler says which part this is\nhint: ")
