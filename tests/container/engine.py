"""Docker or Podman, whichever works on this machine; where neither does, Podman is installed (on Debian, as root)."""

import functools
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.container.pip_settings import PipSettings

ROOT = Path(__file__).resolve().parents[2]
IMAGE, BASE = "xnat-tcia-download-test", "xnat-tcia-download-test-base"
_PUBLISHED_BASE = "python:3.12-slim"  # what the Dockerfile says
_SUITE, _PACKAGES = "bookworm", "python3,python3-venv,ca-certificates"
_NEEDED = ("podman", "runc", "debootstrap")
# Podman asks for more than some machines grant; the tool needs no more than this.
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a container ended, and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder or file of this machine inside of a container."""

    source: Path
    target: str
    writable: bool = False

    def option(self) -> str:
        """Return it as the option of `run`."""
        return f"--mount=type=bind,source={self.source},target={self.target}{'' if self.writable else ',readonly'}"


@dataclass(frozen=True, slots=True)
class Container:
    """What a container is started with; `variables` are passed by name, so that no command line has their values."""

    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    options: tuple[str, ...] = ("--network", "host")
    image: str = IMAGE


@dataclass(frozen=True, slots=True)
class Running:
    """A container that runs."""

    engine: "Engine"
    name: str
    process: subprocess.Popen[str]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its first process."""
        self.engine.ask("kill", "--signal", number.name, self.name)

    def first_command_line(self) -> str:
        """Return what its first process is called with, as anybody on this machine may read it."""
        return " ".join(self._read("cmdline"))

    def first_environment(self) -> dict[str, str]:
        """Return the variables that its first process began with."""
        return dict(line.split("=", 1) for line in self._read("environ"))

    def _read(self, name: str) -> list[str]:
        pid = self.engine.ask("inspect", "--format", "{{.State.Pid}}", self.name)
        return Path("/proc", pid, name).read_bytes().decode().rstrip("\0").split("\0")

    def end(self, seconds: float) -> Ended:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=seconds)
        return Ended(self.process.returncode, out, err)


@dataclass(frozen=True, slots=True)
class Engine:
    """The program that builds and runs."""

    program: str

    @property
    def is_podman(self) -> bool:
        """Whether it is Podman, which knows more options for builds."""
        return Path(self.program).name == "podman"

    @property
    def run_options(self) -> tuple[str, ...]:
        """What `run` needs on this machine."""
        return (*(("--runtime", "runc") if self.is_podman and shutil.which("runc") else ()), *_LIMITS)

    def ask(self, *arguments: str, seconds: float = 600) -> str:
        """Run the program and return what it says; its own words if it fails."""
        done = subprocess.run(
            [self.program, *arguments], capture_output=True, text=True, check=False, timeout=seconds, cwd=ROOT
        )
        assert done.returncode == 0, f"{self.program} {arguments[0]}: {done.stderr[-4000:]}"
        return done.stdout.strip()

    def works(self, *arguments: str) -> bool:
        """Whether it does this."""
        return not subprocess.run([self.program, *arguments], capture_output=True, check=False).returncode

    def build(self, image: str, base: str, pip: PipSettings) -> None:
        """Build the image of this checkout."""
        with tempfile.TemporaryDirectory() as folder:
            secret = pip.write(Path(folder) / "pip.conf")
            options = ["--network", "host", "--build-arg", f"BASE_IMAGE={base}", "--secret", f"id=pip,src={secret}"]
            if self.is_podman:
                options += ["--isolation", "chroot", *(f"--volume={path}:{path}:ro" for path in pip.local)]
            before = self.image_id(image)
            self.ask("build", *options, "--tag", image, ".", seconds=1800)
        if before not in {"", self.image_id(image)}:
            self.works("image", "rm", before)

    def image_id(self, image: str) -> str:
        """Return the ID of an image; nothing if there is none."""
        listed = self.ask("images", "--quiet", "--no-trunc", image)
        return listed.partition("\n")[0]

    @contextmanager
    def started(self, container: Container) -> Iterator[Running]:
        """Start a container; it is gone afterwards."""
        name = f"test-{uuid.uuid4()}"
        command = [self.program, "run", "--name", name, *self.run_options, *container.options]
        command += [f"--env={variable}" for variable in container.variables]
        command += [mount.option() for mount in container.mounts]
        process = subprocess.Popen(
            [*command, container.image, *container.arguments],
            env=os.environ | container.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Running(self, name, process)
        finally:
            self.ask("rm", "--force", name)
            process.communicate()

    def run(self, container: Container, seconds: float = 180) -> Ended:
        """Run a container to its end."""
        with self.started(container) as running:
            return running.end(seconds)


@functools.cache
def engine() -> Engine:
    """Return what works here; install it if nothing does."""
    pip = PipSettings.of_this_machine()
    for name in ("docker", "podman"):
        found = Engine(shutil.which(name) or "")
        # A build of Docker cannot see folders that pip's settings may name.
        if found.program and (found.is_podman or not pip.local) and found.works("info"):
            return found
    _install(_NEEDED)
    return Engine(_program("podman"))


def base_image(chosen: Engine) -> str:
    """Return BASE_IMAGE if it is set, the base of the Dockerfile if it can be had, else Debian 12, made here once."""
    if os.environ.get("BASE_IMAGE"):
        return os.environ["BASE_IMAGE"]
    if chosen.works("pull", "--quiet", _PUBLISHED_BASE):
        return _PUBLISHED_BASE
    if not chosen.works("image", "inspect", BASE):
        _bootstrap(chosen)
    return BASE


def _bootstrap(chosen: Engine) -> None:
    if not shutil.which("debootstrap"):
        _install(_NEEDED)
    with tempfile.TemporaryDirectory() as folder:
        tree, archive = Path(folder) / "root", Path(folder) / "root.tar"
        options = ["--variant=minbase", f"--include={_PACKAGES}", _SUITE, str(tree), *_mirror()]
        _run([_program("debootstrap"), *options])
        skipped = ("--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*", "--exclude=./dev/*")
        _run([_program("tar"), *skipped, "-C", str(tree), "-cf", str(archive), "."])
        chosen.ask("import", str(archive), BASE)


def _mirror() -> list[str]:
    """Return where this machine takes the suite from; nothing, for debootstrap's own choice, if it does not."""
    form = "$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)"
    lines = _run([_program("apt-get"), "indextargets", "--format", form, "Created-By: Packages"]).splitlines()
    mirrors = (line.split()[3] for line in lines if line.startswith(f"Debian {_SUITE} main "))
    return list(mirrors)[:1]


def _install(packages: Iterable[str]) -> None:
    apt = _program("apt-get")
    _run([apt, "update"])
    _run([apt, "install", "--yes", "--no-install-recommends", *packages])


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"there is no {name}: install Docker or Podman"
    return found


def _run(command: list[str]) -> str:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-4000:]}"
    return done.stdout
