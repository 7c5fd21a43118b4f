"""Which option belongs to which job: what cannot have an effect is refused by name."""

import click
import pytest

import download
import upload
from tcia_xnat.core.errors import UsageError
from tcia_xnat.jobs import effect
from tcia_xnat.jobs.effect import Destination, Mode, refuse_idle

DISK, XNAT, OPEN = (Mode(destination=destination) for destination in Destination)
RUNS = {
    "disk": DISK,
    "zips": Mode(destination=Destination.DISK, zipped=True),
    "xnat": XNAT,
    "idc": Mode(destination=Destination.XNAT, source="idc"),
    "nbia": Mode(destination=Destination.XNAT, source="nbia"),
    "plan": Mode(destination=Destination.OPEN, dry_run=True),
    "check": Mode(destination=Destination.OPEN, check=True),
    "verify disk": Mode(destination=Destination.DISK, verify=True),
    "verify xnat": Mode(destination=Destination.XNAT, verify=True),
}
ALL = set(RUNS)
TO_XNAT = {"xnat", "idc", "nbia", "verify xnat"}
TO_DISK = {"disk", "zips", "verify disk"}
REFUSED = {
    "uploads": TO_DISK,
    "archive": TO_DISK,
    "create_project": TO_DISK,
    "accept_rejected": TO_DISK,
    "same_patient": TO_DISK,
    "split_session": TO_DISK,
    "subject_label": TO_DISK,
    "session_label": TO_DISK,
    "layout": TO_XNAT,
    "dir_template": TO_XNAT,
    "check_geometry": ALL - {"verify disk"},
    "one_way": ALL - {"verify disk", "verify xnat"},
    "format": ALL - {"plan", "check"},
    "all": ALL - {"plan"},
    "rate": ALL - {"plan"},
    "nbia_url": {"idc"},
    "idc_url": {"nbia"},
    "spool_limit": {"zips"},
}
EVERYWHERE = {
    "dry_run", "check", "verify", "source", "query", "transfers", "retries", "existing", "limit", "shard", "spool_dir",
    "max_outage", "retry_wait", "licence_filter", "bwlimit", "source_timeout", "thumbnails", "idc_index", "quiet",
    "debug", "log_json", "version", "allow_private_hosts", "column",
}  # fmt: skip


def options_of(command: click.Command) -> set[str]:
    return {str(option.name) for option in command.params if isinstance(option, click.Option)}


def test_the_table_names_every_option() -> None:
    assert options_of(download.download) == set(REFUSED) | EVERYWHERE
    assert not set(REFUSED) & EVERYWHERE


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("option", [*REFUSED, *sorted(EVERYWHERE)])
def test_an_option_of_a_job(option: str, run: str) -> None:
    if run not in REFUSED.get(option, ()):
        refuse_idle({option, "given"}, RUNS[run])
        return
    with pytest.raises(UsageError, match=f"^--{option.replace('_', '-')} ") as refused:
        refuse_idle({option, "given"}, RUNS[run])
    assert refused.value.hint


@pytest.mark.parametrize(
    "mode",
    [
        Mode(destination=Destination.DISK, dry_run=True, verify=True),
        Mode(destination=Destination.DISK, check=True, verify=True),
        Mode(destination=Destination.DISK, check=True, dry_run=True),
    ],
)
def test_modes_exclude_each_other(mode: Mode) -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        refuse_idle((), mode)


def test_rules_name_options_that_exist() -> None:
    named = {name for rule in effect._RULES for name in rule.options.split()}
    assert named <= options_of(download.download) | options_of(upload.upload)
