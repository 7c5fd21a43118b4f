"""What is in the image, and what is not."""

import json
from typing import Any

import pytest

from tests.container.engine import IMAGE, ROOT, Container, Engine
from tests.container.pip_settings import SIGN, PipSettings
from tests.container.service import COMMAND
from tests.job.case import WHOLE

PYTHON = "/app/.venv/bin/python"
UNCOMPILED = """
import importlib.util, pathlib
for path in pathlib.Path("/app").rglob("*.py"):
    if not pathlib.Path(importlib.util.cache_from_source(str(path))).exists():
        print(path)
"""


def inside(engine: Engine, program: str, *arguments: str) -> str:
    """Run another program in the image, without network; return what it says."""
    options = ("--network", "none", "--entrypoint", program)
    ended = engine.run(Container(arguments, options=options))
    assert ended.code == 0, ended.err
    return ended.out


@pytest.fixture(scope="module")
def config(engine: Engine) -> dict[str, Any]:
    (found,) = json.loads(engine.ask("image", "inspect", IMAGE))
    made: dict[str, Any] = found["Config"]
    return made


def test_labels(config: dict[str, Any]) -> None:
    labels = config["Labels"]
    assert json.loads(labels["org.nrg.commands"]) == [COMMAND]
    assert labels["org.opencontainers.image.version"] == COMMAND["version"]
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert {"org.opencontainers.image.title", "org.opencontainers.image.source"} <= set(labels)


def test_entry_point_and_user(config: dict[str, Any]) -> None:
    assert config["Entrypoint"] == ["/app/run.sh"]
    assert not config.get("Cmd") or config["Cmd"][0] != "/bin/sh"
    assert not config.get("User")


def test_only_what_runs(engine: Engine) -> None:
    scripts = {name for name in ("download.py", "query.py", "upload.py", "tciaclient.py") if (ROOT / name).exists()}
    wanted = {".venv", "LICENSE", "__pycache__", "requirements.txt", "resources", "run.sh", "tcia_xnat"} | scripts
    assert set(inside(engine, "/bin/ls", "-A", "/app").split()) == wanted
    assert set(inside(engine, "/bin/ls", "-A", "/app/resources").split()) == {"TCIA"}
    assert not inside(
        engine, "/bin/sh", "-c", "ls -d /app/.venv/lib/*/site-packages/* | grep -E '/(pip|pytest|ruff)$' || :"
    )
    assert not inside(engine, "/bin/sh", "-c", "command -v cc gcc g++ make || :")


def test_bytecode_is_complete(engine: Engine) -> None:
    assert not inside(engine, PYTHON, "-c", UNCOMPILED)


def test_pip_settings_stay_outside(engine: Engine) -> None:
    search = f"grep -rlF -e '{SIGN}' / --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev || :"
    assert not inside(engine, "/bin/sh", "-c", search)
    recorded = engine.ask("history", "--no-trunc", "--format", "{{.CreatedBy}}", IMAGE)
    recorded += engine.ask("image", "inspect", IMAGE)
    assert "run.sh" in recorded
    values = PipSettings.of_this_machine().values
    for name in (name for name in values if name.endswith(("url", "links", "proxy"))):
        assert not [word for word in values[name].split() if word in recorded]


@pytest.mark.parametrize("user", ["0", "12345:12345"])
def test_a_plan_needs_neither_network_nor_a_writable_root(engine: Engine, user: str) -> None:
    options = ("--network", "none", "--read-only", "--tmpfs", "/tmp:mode=1777", "--user", user)  # noqa: S108  of the container
    ended = engine.run(Container((f"resources/TCIA/{WHOLE.name}", "--dry-run"), options=options))
    assert ended.code == 0, ended.err
    assert "52 series" in ended.out


@pytest.mark.parametrize("word", ["query", "upload", "tciaclient"])
def test_scripts_by_their_first_word(engine: Engine, word: str) -> None:
    ended = engine.run(Container((word, "--help"), options=("--network", "none")))
    if (ROOT / f"{word}.py").exists():
        assert ended.code == 0, ended.err
    else:
        assert (ended.code, ended.out, len(ended.err.splitlines())) == (2, "", 1)
