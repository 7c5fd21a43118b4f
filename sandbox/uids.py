"""Identifiers of instances, made from those of their series, and found again without a list of all."""

import hashlib
import re
import uuid

from sandbox.index import Row

_MANY = 8  # one series in so many has two acquisitions


def sop_instance_uid(row: Row, number: int) -> str:
    """Return the SOPInstanceUID of an instance: 2.25 and a number below 2 to the power of 128 (PS3.5 §B.2).

    Its last six digits are the number of the instance, so that a UID is found without a list of all.
    """
    high, low = halves(row["SeriesInstanceUID"])
    return f"2.25.2{low:020}{high % 10**12:012}{number:06}"


def instance_number(row: Row, sop: str) -> int | None:
    """Return which instance of a series has a SOPInstanceUID; None when none has."""
    number = int(sop[-6:]) if sop[-6:].isdecimal() else 0
    return number if 1 <= number <= row["instanceCount"] and sop_instance_uid(row, number) == sop else None


def series_half(sop: str) -> int | None:
    """Return the lower half of the MD5 of the SeriesInstanceUID, as a SOPInstanceUID of the sandbox tells it."""
    found = re.fullmatch(r"2\.25\.2(\d{20})\d{18}", sop)
    return int(found[1]) if found else None


def instance_uuid(row: Row, number: int) -> str:
    """Return the name of an instance in IDC's bucket; names are in no order, as IDC's are."""
    series = row["crdc_series_uuid"]
    mixed = hashlib.md5(f"{series}/{number}".encode(), usedforsecurity=False).hexdigest()[:20]
    return str(uuid.UUID(f"{mixed}{number ^ _mask(series):012x}"))


def numbered(row: Row, name: str) -> int | None:
    """Return which instance of a series has a name in IDC's bucket; None when none has."""
    tail = name[-12:]
    number = int(tail, 16) ^ _mask(row["crdc_series_uuid"]) if re.fullmatch("[0-9a-f]{12}", tail) else 0
    return number if 1 <= number <= row["instanceCount"] and instance_uuid(row, number) == name else None


def acquisition_number(row: Row, number: int) -> int:
    """Return the AcquisitionNumber: in some series the later half is a second acquisition."""
    twice = halves(row["SeriesInstanceUID"])[1] % _MANY == 0
    return 2 if twice and 2 * number > row["instanceCount"] > 1 else 1


def halves(uid: str) -> tuple[int, int]:
    """Return the MD5 of a UID as two numbers, the second being what DuckDB calls md5_number_lower."""
    digest = hashlib.md5(uid.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def _mask(crdc_series_uuid: str) -> int:
    return int(crdc_series_uuid.replace("-", "")[-12:], 16)
