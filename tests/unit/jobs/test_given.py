"""Every setting of a job comes from an option, or is one of those that no option has."""

from dataclasses import fields

from tcia_xnat.cli.given import RunSettings, SourceSettings
from tcia_xnat.jobs.disk_to_xnat import Upload
from tcia_xnat.jobs.tcia_to_disk import FolderJob
from tcia_xnat.jobs.tcia_to_xnat import Job

OF_ARGUMENTS = {"output_dir", "project", "typed", "given_project"}  # the last when XNAT has told the ID
OF_THE_XNAT_COMMAND = {"run_name", "workflow_id"}
OF_TREES = {
    "partial",
    "allow_unmatched",
    "keep_paths",
    "root",
    "layout",
    "zip_mode",
    "mapping",
    "filters",
    "follow_links",
}
NEVER_OF_AN_UPLOAD = {"source", "report_resource", "bwlimit", "licence_filter"}


def names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def test_every_setting_of_a_job_has_its_option() -> None:
    given = set(SourceSettings.__annotations__) | OF_ARGUMENTS | OF_THE_XNAT_COMMAND
    assert names(Job) - {"report_resource"} == given | {"manifest", "query"}
    assert names(FolderJob) - {"report_resource"} == given | {"manifest", "query", "layout"}


def test_every_setting_of_an_upload_has_its_option() -> None:
    given = set(RunSettings.__annotations__) | OF_ARGUMENTS | OF_THE_XNAT_COMMAND | OF_TREES
    assert names(Upload) == given | NEVER_OF_AN_UPLOAD
