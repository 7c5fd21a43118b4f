"""What the tests of last screens share: faults with what a screen must say of them, and the screen taken apart."""

import re
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from sandbox import faults
from sandbox.faults import Action
from sandbox.sandbox import Sandbox
from tests.job import test_source_faults as sources
from tests.job import test_xnat_faults as xnat
from tests.job.case import ONE_PATIENT, Done, command, environment, quick

AGAIN = "run the same command again"
OPTIONS = quick("--retries", "2", "--source-timeout", "1", "--transfers", "16", "--thumbnails", "off", "--quiet")
NOBODY = "1.3.6.1.4.1.14519.5.2.1.99.1"
TWO_IMAGES = sources.GET_IMAGE, sources.rezipped(lambda entries: entries[:3])
SINGLE_FAILS = sources.SINGLES, faults.answer(500, "no")
SINGLE_DIFFERS = sources.SINGLES, faults.edited(lambda body: body[:-1] + bytes([body[-1] ^ 1]))


@dataclass(frozen=True, slots=True)
class Told:
    """What a screen says of one series."""

    reason: str
    to_do: str
    where: str


@dataclass(frozen=True, slots=True)
class Screen:
    """A run in which each fault hit a series of its own: name of the fault → SeriesInstanceUID."""

    done: Done
    hit: Mapping[str, str]
    sessions: Mapping[str, tuple[str, str]]
    next_done: Done

    def told(self, name: str) -> Told:
        """Return what the last screen says of the series that a fault hit."""
        lines = self.done.out.splitlines()
        (at,) = (number for number, line in enumerate(lines) if self.hit[name] in line)
        heading = max(number for number in range(at) if re.match(r"\d+ series [a-z ]+: ", lines[number]))
        own = lines[at].partition(self.hit[name] + ": ")[2]
        return Told(own or lines[heading], lines[heading + 1].removeprefix("  what to do: "), lines[at])


NBIA_WORDS = {
    "a name with ..": "NBIA's zip holds '../",
    "an absolute name": "NBIA's zip holds '/etc/",
    "a name twice": "twice",
    "cut cleanly": "bytes that are no whole zip",
    "reset": "closed without an answer",
    "stall": "no answer in time",
    "500": "answered 500: Server was not able to process your request",
    "502": "answered 502: Bad Gateway",
    "429": "answered 429: Too Many Requests",
    "a web page": "no whole zip (File is not a zip file): 502 Bad Gateway",
    "a text": "sorry",
    "nothing": "0 bytes that are no whole zip",
    "redirect": "answered 302: Found",
}
NBIA: Mapping[str, tuple[str, str, Sequence[tuple[str, Action]]]] = {
    **{name: (words, AGAIN, [sources.NBIA[name]]) for name, words in NBIA_WORDS.items()},
    "503": ("answered 503: Service Unavailable", AGAIN, [(sources.GET_IMAGE, faults.answer(503))]),
    "401": ("answered 401: Unauthorized", "--source", [(sources.GET_IMAGE, faults.answer(401))]),
    "404": ("answered 404: Not Found", "--source", [(sources.GET_IMAGE, faults.answer(404))]),
    "images missing": ("0 of ", AGAIN, [TWO_IMAGES, SINGLE_FAILS]),
    "wrong MD5": ("its MD5 is", AGAIN, [sources.NBIA["last image cut"], SINGLE_DIFFERS]),
    "wrong series": (" images (", AGAIN, [sources.NBIA["an image of another series"], SINGLE_FAILS]),
    "controlled access": (
        "NBIA does not offer this series to the public",
        "--source",
        [(sources.GET_IMAGE, faults.answer(400, "No image with given SeriesInstanceUID, or no right to it"))],
    ),
}
IDC = {
    "no such key": ("answered 404: NoSuchKey", "leave --source out"),
    "access denied": ("answered 403", "leave --source out"),
    "slow down": ("answered 503", AGAIN),
    "500": ("answered 500", AGAIN),
    "cut by a reset": ("ended too early", AGAIN),
    "cut cleanly": ("ended after", AGAIN),
    "other bytes": ("arrived with MD5", AGAIN),
    "more bytes": ("is longer than", AGAIN),
    "a web page": ("ended after", AGAIN),
    "reset": ("closed without an answer", AGAIN),
    "stall": ("no answer in time", AGAIN),
    "redirect": ("answered 307: Temporary Redirect", AGAIN),
    "a list of nothing": ("no longer holds it", "leave --source out"),
    "a short list": (" images are there", AGAIN),
    "a list that is no XML": ("in the place of a list of objects", AGAIN),
    "a list cut": ("ended too early", AGAIN),
    "no list": ("answered 503", AGAIN),
    "a list refused": ("answered 403", "leave --source out"),
}
COUNT_FEWER = faults.edited(lambda body: re.sub(rb'"file_count": ?"?\d+"?', b'"file_count": "0"', body))
PROXY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"
XNAT: Mapping[str, tuple[str, str, str, Action]] = {
    "import: reset": ("closed without an answer", AGAIN, *xnat.FAULTS["import: reset"]),
    "import: cut": ("broke off", AGAIN, *xnat.FAULTS["import: cut"]),
    "import: 500": ("500: The server encountered an unexpected", AGAIN, *xnat.FAULTS["import: 500"]),
    "import: 502": ("answered 502: Bad Gateway nginx", AGAIN, xnat.IMPORT, faults.answer(502, PROXY)),
    "import: 503": ("answered 503: Service Unavailable", AGAIN, xnat.IMPORT, faults.answer(503)),
    "import: 404": ("answered 404: Not Found", AGAIN, xnat.IMPORT, faults.answer(404)),
    "import: locked": ("session is locked", AGAIN, *xnat.FAULTS["import: locked"]),
    "import: login page": ("answers with a web page", AGAIN, *xnat.FAULTS["import: login page"]),
    "import: too large": ("answered 413", "client_max_body_size 0", *xnat.LAST["import: too large"][:2]),
    "import: nothing stored": ("stored none of them", "download.py --check", *xnat.LAST["import: nothing stored"][:2]),
    "import: unreadable": ("unable to read DICOM object", AGAIN, *xnat.LAST["import: unreadable"][:2]),
    "build: locked": ("session document locked", AGAIN, *xnat.FAULTS["build: locked"]),
    "build: 500": ("answered 500: oops", AGAIN, *xnat.FAULTS["build: 500"]),
    "archive: conflict": ("answered 409: Conflict", AGAIN, xnat.ARCHIVE, faults.answer(409)),
    "archive: refused": ("No space left", AGAIN, *xnat.LAST["archive: refused"][:2]),
    "archive: in progress": ("already in progress", AGAIN, *xnat.FAULTS["archive: in progress"]),
    "images lost": ("XNAT holds 0 of its ", AGAIN, rf"/data/prearchive/.*/{xnat.SESSION}/scans/", COUNT_FEWER),
}


def one_of_each_session(sandbox: Sandbox, least: int) -> list[str]:
    """Return a small series of every session, those of at least so many images first."""
    query = """
        SELECT first(SeriesInstanceUID ORDER BY instanceCount < ?, instanceCount) FROM read_parquet(?)
        WHERE collection_id = 'cmb_aml' GROUP BY StudyInstanceUID
        ORDER BY min(CASE WHEN instanceCount >= ? THEN instanceCount ELSE 999 END), 1"""
    with duckdb.connect() as database:
        return [uid for (uid,) in database.execute(query, [least, str(sandbox.index.parquet), least]).fetchall()]


def next_words(done: Done) -> list[str]:
    """Return the arguments of the command that the last screen says to type."""
    (line,) = (line for line in done.out.splitlines() if line.startswith("To ask for the rest again: "))
    python, script, *words = shlex.split(line.partition(": ")[2])
    assert Path(python).name.startswith("python")
    assert Path(script).name == "download.py"
    return words


def assert_tidy(*lines: str) -> None:
    """Assert that nothing is said twice on end, and nothing left open where a server said nothing."""
    for line in lines:
        assert not re.search(r"\b(\w[\w .]{3,}\w)[ :;,]+\1\b", line), line
        assert not re.search(r":\s*(;|\)|$)", line), line


def assert_ended(done: Done, code: int, reason: str, to_do: str) -> None:
    """Assert what the end of a run says, on both streams: the error, whom it leaves out, and what continues."""
    error, hint = done.err.splitlines()[-2:]
    assert done.code == code
    assert error.startswith("error: ")
    assert reason in error
    assert to_do in hint.removeprefix("hint: ")
    assert next_words(done)[0] == str(done.report_dir / "failed.tcia")
    left = [row for row in done.rows if row["state"] in {"held", "failed", "not_started"}]
    assert f"patient {left[0]['PatientID']}, session {left[0]['session']}, series " in done.out
    assert_tidy(error, hint, *(line for line in done.out.splitlines() if str(done.report_dir) not in line))


def begun(
    sandbox: Sandbox, output: Path, *options: str, before: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    """Start a run, and return while it runs; `before` is called in its process first."""
    return subprocess.Popen(
        command(ONE_PATIENT, output, output.name, *OPTIONS, *options),
        env=environment(sandbox),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,  # noqa: PLW1509  nothing else runs in this process yet
    )


def ended(process: subprocess.Popen[str], output: Path) -> Done:
    out, err = process.communicate(timeout=60)
    return Done(process.returncode, out, err, output / "report")
