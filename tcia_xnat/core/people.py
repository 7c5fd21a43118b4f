"""Whom images are of, as they say beside PatientID, in a form that can be compared leniently.

A name is kept as a digest of itself, so that no memory and no report has it.
"""

import hashlib
import re
import unicodedata

from tcia_xnat.core.model import Person

_DIGITS = 12  # of the digest of a name
_SEXES = {"M", "F"}  # O, and what others write there, says nothing
_BETWEEN = re.compile(r"[\W_]+")


def person(name: str, birth_date: str, sex: str) -> Person:
    """Return who is meant by PatientName, PatientBirthDate and PatientSex.

    Case, order, accents as they are typed, and what stands between the parts of a name do not count; of several ways to
    write a name (DICOM PS3.5 §6.2.1) the first does.
    """
    written = next((one for one in name.split("=") if one.strip("^ ")), "")
    parts = sorted(filter(None, _BETWEEN.split(unicodedata.normalize("NFKC", written).casefold())))
    digits = "".join(letter for letter in birth_date if letter.isdigit())
    letter = sex.strip().upper()[:1]
    return Person(_digest(" ".join(parts)), digits, letter if letter in _SEXES else "")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:_DIGITS] if text else ""
