"""One manifest cut by patient: parts that run at once, started as schedulers start them, leave what one run leaves."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from sandbox.sandbox import Sandbox
from tcia_xnat.errors import UsageError
from tcia_xnat.options import parsed_shard
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


def test_four_tasks_of_a_slurm_array(sandbox: Sandbox, tmp_path: Path) -> None:
    array = {"SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "1", "TCIA_XNAT_CHECKOUT": str(ROOT)}
    words = ["bash", str(SLURM), str(WHOLE), "SLURM"]
    assert_all_end_well(
        [started(sandbox, tmp_path, words, array | {"SLURM_ARRAY_TASK_ID": str(task)}) for task in range(1, 5)]
    )
    assert_holds(sandbox, "SLURM", expected(sandbox, WHOLE), may_strand=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"tcia-{task}" for task in range(1, 5)]


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
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted == {"/input", "/output", "/tmp"}  # noqa: S108  folders of the container


@pytest.mark.parametrize(
    ("text", "variables", "part"),
    [
        ("1/3", {}, (1, 3)),
        ("auto/3", {"JOB_COMPLETION_INDEX": "2"}, (2, 3)),
        ("auto/3", {"SLURM_ARRAY_TASK_ID": "0"}, (0, 3)),
        ("auto", {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_COUNT": "5"}, (0, 5)),
        ("auto/5", {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "3"}, (4, 5)),
    ],
)
def test_which_part(
    monkeypatch: pytest.MonkeyPatch, text: str, variables: dict[str, str], part: tuple[int, int]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert parsed_shard(text) == part


@pytest.mark.parametrize("text", ["auto", "auto/4", "auto/", "4/4", "-1/4", "1", "/", "1/x", "auto/x"])
def test_no_part(text: str) -> None:
    with pytest.raises(UsageError):
        parsed_shard(text)


def test_a_part_that_no_scheduler_names(sandbox: Sandbox, tmp_path: Path) -> None:
    done = run(sandbox, tmp_path / "out", ONE_PATIENT, tmp_path / "out", "NOBODY", "--shard", "auto/4")
    assert done.code == 2
    assert done.err.startswith("error: no scheduler says which part this is\nhint: ")
