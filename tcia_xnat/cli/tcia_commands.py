"""The commands of tciaclient.py as a table: which question of `TCIAClient` each asks, its options and columns."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click

_SEVERAL = {"multiple": True, "help": "May be repeated."}
OPTIONS: Mapping[str, Callable[..., Any]] = {
    name: partial(click.option, flag, name, **more)
    for name, flag, more in (
        ("collection", "--collection", {"metavar": "NAME", "help": "As TCIA writes it: CMB-CRC."}),
        ("patient_id", "--patient-id", {"metavar": "ID"}),
        ("patient_ids", "--patient-id", {"metavar": "ID", **_SEVERAL}),
        ("study_instance_uid", "--study-instance-uid", {"metavar": "UID"}),
        ("study_instance_uids", "--study-instance-uid", {"metavar": "UID", **_SEVERAL}),
        ("series_instance_uid", "--series-instance-uid", {"metavar": "UID"}),
        ("series_instance_uids", "--series-instance-uid", {"metavar": "UID", **_SEVERAL}),
        ("sop_instance_uid", "--sop-instance-uid", {"metavar": "UID"}),
        ("modality", "--modality", {"metavar": "CODE", "help": "CT, MR, PT, …"}),
        ("body_part_examined", "--body-part-examined", {"metavar": "NAME", "help": "As NBIA writes it: CHEST."}),
        ("manufacturer", "--manufacturer", {"metavar": "NAME", "help": "As NBIA writes it."}),
        ("manufacturer_model_name", "--manufacturer-model-name", {"metavar": "NAME", "help": "As NBIA writes it."}),
        ("from_date", "--from-date", {"type": click.DateTime(["%Y-%m-%d"]), "help": "First day that counts."}),
        ("name", "--name", {"metavar": "NAME", "help": "Of the cart, as nbia-49121659384603347."}),
        ("doi", "--doi", {"metavar": "URL", "help": "As https://doi.org/10.7937/…"}),
        (
            "include_annotation",
            "--include-annotation/--no-include-annotation",
            {"default": True, "help": "With annotation files, or without."},
        ),
        (
            "download_path",
            "--download-path",
            {"type": click.Path(file_okay=False, path_type=Path), "default": ".", "help": "Folder; it is made."},
        ),
        ("file_name", "--file-name", {"metavar": "NAME", "help": "[default: the UID and .zip or .dcm]"}),
    )
}
"""Options by the name of the parameter that they give; each takes `required`."""


class Query(NamedTuple):
    """A command that shows rows, or text where there are no columns.

    `needed` and `may` are parameters of the client's method of the same name; `columns` come first, and are all
    that a table for people shows.
    """

    help: str
    needed: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


_PATIENT = ("PatientId", "PatientSex", "EthnicGroup", "SpeciesDescription", "Collection")
_STUDY = ("PatientID", "StudyDate", "PatientAge", "StudyDescription", "SeriesCount", "Collection", "StudyInstanceUID")
_SERIES = (
    "Collection", "PatientID", "Modality", "SeriesNumber", "SeriesDescription", "SeriesDate", "ImageCount", "FileSize",
    "SeriesInstanceUID",
)  # fmt: skip
_SHARED = tuple(column for column in _SERIES if column != "FileSize")
_SERIES_FILTERS = (
    "collection", "patient_id", "study_instance_uid", "series_instance_uid", "modality", "body_part_examined",
    "manufacturer", "manufacturer_model_name",
)  # fmt: skip
QUERIES: Mapping[str, Query] = {
    "get-collection-values": Query("Names of all collections.", columns=("Collection",)),
    "get-modality-values": Query(
        "Modalities of a collection or a body part.", may=("collection", "body_part_examined"), columns=("Modality",)
    ),
    "get-body-part-values": Query(
        "Body parts of a collection or a modality.", may=("collection", "modality"), columns=("BodyPartExamined",)
    ),
    "get-manufacturer-values": Query(
        "Manufacturers of the scanners of a collection, a modality or a body part.",
        may=("collection", "modality", "body_part_examined"),
        columns=("Manufacturer",),
    ),
    "get-patient": Query("Patients.", may=("collection", "patient_id"), columns=_PATIENT),
    "get-patient-by-collection-and-modality": Query(
        "PatientIDs of a collection with series of a modality.", ("collection", "modality"), columns=("PatientId",)
    ),
    "get-new-patients-in-collection": Query(
        "Patients of a collection with something released since a day.", ("collection", "from_date"), columns=_PATIENT
    ),
    "get-patient-study": Query("Studies.", may=("collection", "patient_id", "study_instance_uid"), columns=_STUDY),
    "get-new-studies-in-patient-collection": Query(
        "Studies of a collection with something released since a day.",
        ("collection", "from_date"),
        ("patient_id",),
        _STUDY,
    ),
    "get-series": Query("Series that fit everything given.", may=_SERIES_FILTERS, columns=_SERIES),
    "get-updated-series": Query("Series released since a day.", ("from_date",), columns=_SERIES),
    "get-series-size": Query(
        "Size and number of images of a series.", ("series_instance_uid",), columns=("TotalSizeInBytes", "ObjectCount")
    ),
    "get-series-metadata": Query(
        "All that NBIA knows of single series, in 40 columns.", ("series_instance_uids",), columns=_SERIES
    ),
    "contents-by-name": Query("Series of a shared cart.", ("name",), columns=_SHARED),
    "get-denied-series": Query(
        "Those of some series that the public may not have.", ("series_instance_uids",), columns=("SeriesInstanceUID",)
    ),
    "get-collections-for-doi": Query(
        "Collections that a DOI stands for.", ("doi",), columns=("collection", "thirdPartyAnanlysis")
    ),
    "get-series-for-doi": Query(
        "Series that a DOI stands for.",
        ("doi",),
        columns=("collection", "thirdPartyAnanlysis", "seriesInstanceUID"),
    ),
    "get-sop-instance-uids": Query(
        "SOPInstanceUIDs of a series.", ("series_instance_uid",), columns=("SOPInstanceUID",)
    ),
    "get-dicom-tags": Query(
        "Elements of the first image of a series.", ("series_instance_uid",), columns=("element", "name", "data")
    ),
    "get-all-sop-class-definition": Query("Names of DICOM's UIDs.", columns=("UID", "Name")),
    "get-md5-hash-for-image": Query("MD5 that NBIA keeps for an image.", ("sop_instance_uid",)),
    "get-manifest-text": Query("Manifest of some series.", ("series_instance_uids",), ("include_annotation",)),
    "get-manifest-for-collection": Query("Manifest of a collection.", ("collection",), ("include_annotation",)),
    "get-manifest-from-patient-study-series": Query(
        "Manifest of patients, studies and single series.",
        may=("patient_ids", "study_instance_uids", "series_instance_uids", "include_annotation"),
    ),
    "get-user-agreement-txt": Query("TCIA's data usage policy."),
}
"""Commands that show something; `get-series` asks `get_series`."""


class Download(NamedTuple):
    """A command that saves a file called after the last of `needed`; `function` is one of `series_zip`."""

    help: str
    function: str
    needed: tuple[str, ...] = ("series_instance_uid",)
    may: tuple[str, ...] = ()


_RAW = "Nothing is proved but that the zip can be read."
DOWNLOADS: Mapping[str, Download] = {
    "get-image": Download("Save a series as zip: every image proved, missing ones fetched one by one.", "save_series"),
    "get-single-image": Download("Save one image.", "save_image", ("series_instance_uid", "sop_instance_uid")),
    "get-image-with-md5-hash": Download(f"Save the zip with md5hashes.csv as NBIA sends it. {_RAW}", "save_zip"),
    "get-dcm-image": Download(
        f"Save the zip with annotation files as NBIA sends it. {_RAW}", "save_zip", may=("include_annotation",)
    ),
    "get-image-other": Download(f"Save what is no DICOM as NBIA sends it. {_RAW}", "save_zip"),
}
"""Commands that save a file."""


def not_there(name: str, asked: Mapping[str, Any], found: Any) -> str:  # noqa: ANN401  what a method returns
    """Return what was named and is not in an answer, in a line; empty when all of it is there.

    Parameters
    ----------
    name
        The command.
    asked
        Its parameters.
    found
        What NBIA answered: rows, or a manifest, which may be empty.
    """
    if isinstance(found, str):
        listed = found.partition("ListOfSeriesToDownload=")[2].split()
        return f"NBIA lists no series of {_named(asked)}" if name.startswith("get-manifest") and not listed else ""
    if name != "get-series-metadata":
        return ""
    known = {row["SeriesInstanceUID"] for row in found}
    lost = [uid for uid in asked["series_instance_uids"] if uid not in known]
    return f"NBIA does not offer {', '.join(lost)}" if lost else ""


def _named(asked: Mapping[str, Any]) -> str:
    values = (value for name, value in asked.items() if name != "include_annotation")
    return ", ".join(one for value in values for one in ([value] if isinstance(value, str) else value))
