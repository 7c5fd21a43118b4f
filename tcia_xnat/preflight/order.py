"""All checks in order; one that needs what another found wrong is left out."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from tcia_xnat.core.cancellation import Stop
from tcia_xnat.core.errors import Error, SourceUnreachable, XnatUnreachable
from tcia_xnat.core.model import SourceName
from tcia_xnat.core.retry import Patience, RetryPolicy
from tcia_xnat.jobs.tcia_to_xnat import Job, Login, read_manifest
from tcia_xnat.preflight import anonymisation, machine, project, server, site, sources
from tcia_xnat.preflight.finding import Finding, Verdict, failed, ok, warning
from tcia_xnat.preflight.machine import Index
from tcia_xnat.preflight.server import Seen
from tcia_xnat.sources.registry import SOURCES
from tcia_xnat.xnat.connection import XnatConnection
from tcia_xnat.xnat.preferences import read_scripts
from tcia_xnat.xnat.scripts import Scripts

_TRIES = RetryPolicy(attempts=2, base=1.0)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be checked.

    Parameters
    ----------
    job
        Its project and manifest may be empty: then what needs them is not looked at.
    login
        Where XNAT is; None leaves it out; an error says why nobody can log in.
    """

    job: Job
    login: Login | Error | None


def check_up(asked: Asked) -> Iterator[Finding]:
    """Yield what each check found, as soon as it did."""
    job = asked.job
    environment = machine.environment(_urls(asked))
    yield environment
    has_network = environment.state is not Verdict.WRONG
    if job.manifest and has_network:
        yield _manifest(job)
    found = machine.read_index(job.idc_index)
    yield machine.index(found) if isinstance(found, Index) else found
    yield machine.spool(job.spool_dir, job.transfers, job.spool_limit)
    yield machine.output(job.output_dir)
    if has_network:
        yield from _servers(asked, found if isinstance(found, Index) else None)
    else:
        yield warning("network", "no server was asked", "correct the environment, and check again")


def _urls(asked: Asked) -> list[str]:
    """Return the addresses of the servers that a run would ask."""
    job = asked.job
    urls = {SourceName.IDC: job.idc_url, SourceName.NBIA: job.nbia_url}
    return [
        *(url for name, url in urls.items() if name in SOURCES[job.source]),
        *([asked.login.host] if isinstance(asked.login, Login) else []),
    ]


def _servers(asked: Asked, index: Index | None) -> Iterator[Finding]:
    servers: list[Seen] = []
    yield from _sources(asked.job, index, servers)
    yield from _xnat(asked, servers)
    yield server.clock(servers)


def _manifest(job: Job) -> Finding:
    try:
        read = read_manifest(job, Patience(_TRIES, Stop().wait))
    except Error as error:
        return failed("manifest", error)
    count = len(read.series_instance_uids)
    if read.rejected:
        told = f"{count} series, {len(read.rejected)} lines that are none"
        return warning("manifest", told, f"line {read.rejected[0].line} is the first of them")
    return ok(
        "manifest", f"{count} series; {'; '.join(one.text for one in read.read)}" if read.read else f"{count} series"
    )


def _sources(job: Job, index: Index | None, servers: list[Seen]) -> Iterator[Finding]:
    for name, url in ((SourceName.IDC, job.idc_url), (SourceName.NBIA, job.nbia_url)):
        if name not in SOURCES[job.source]:
            continue
        seen = server.look(name.upper(), url)
        servers.append(seen)
        yield server.connection(seen, SourceUnreachable.exit_code)
        if seen.problem:
            continue
        if name is SourceName.NBIA:
            yield sources.nbia(url, index)
        elif index:
            yield sources.idc(url, index, job.idc_index)


def _xnat(asked: Asked, servers: list[Seen]) -> Iterator[Finding]:
    if asked.login is None:
        yield warning("XNAT", "not looked at", "name it after PROJECT, or set XNAT_HOST, XNAT_USER and XNAT_PASS")
        return
    if isinstance(asked.login, Error):
        yield failed("login", asked.login)
        return
    login = asked.login
    seen = server.look("XNAT", login.host)
    servers.append(seen)
    yield server.connection(seen, XnatUnreachable.exit_code)
    if seen.problem:
        return
    try:
        opened = XnatConnection(login.host, login.user, login.password, Patience(_TRIES, Stop().wait), 0)
    except Error as error:
        yield failed("login", error)
        return
    with closing(opened) as xnat:
        try:
            yield from _inside(xnat, asked.job)
        except Error as error:
            yield failed("XNAT", error)


def _inside(xnat: XnatConnection, job: Job) -> Iterator[Finding]:
    user = site.user_name(xnat)
    yield ok("login", f"as {user}" if user else "accepted")
    yield site.version(xnat)
    yield site.session_cap(xnat, user)
    yield site.import_filter(xnat)
    found, there = project.is_there(xnat, job.project, may_create=job.create_project) if job.project else ("", None)
    scripts = read_scripts(xnat, found)
    yield from anonymisation.of_site(scripts)
    if there:
        yield there
    if found:
        yield from _project(xnat, found, scripts)


def _project(xnat: XnatConnection, found: str, scripts: Scripts) -> Iterator[Finding]:
    yield project.rights(xnat, found)
    yield project.auto_archive(xnat, found)
    yield project.import_filter(xnat, found)
    yield anonymisation.of_project(scripts)
