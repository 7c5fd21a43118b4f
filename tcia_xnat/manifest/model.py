"""What a list of series is, once it is read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that was passed over, and why; `file` is the manifest it stands in, with the sheet of a workbook."""

    line: int
    text: str
    reason: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class Original:
    """A manifest as it was given."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """A list of series.

    Attributes
    ----------
    name
        File name.
    series_instance_uids
        In the order of the list, each once.
    header
        Lines of a .tcia up to and with `ListOfSeriesToDownload=`; empty for other forms.
    rejected
        Harmless lines that were passed over.
    duplicates
        How many lines named a series that an earlier line had.
    originals
        The file as given; of several manifests, each.
    crdc_series_uuids
        Folders of an s5cmd list, whose series the index knows.
    study_instance_uids
        Studies of a list that names no series; the index knows those, too.
    addresses
        Where the manifests are that an XML wrapper points at.
    """

    name: str
    series_instance_uids: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    duplicates: int = 0
    originals: tuple[Original, ...] = ()
    crdc_series_uuids: tuple[str, ...] = ()
    study_instance_uids: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
