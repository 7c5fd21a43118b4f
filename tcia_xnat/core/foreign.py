"""What parsers raise over bytes from outside, as one error of ours.

pydicom, zipfile, csv, json, zlib, lzma and openpyxl have no common base. Over broken input they raise ValueError,
KeyError, TypeError, IndexError, EOFError, RuntimeError, RecursionError, MemoryError, UnicodeError, struct.error, errors
of their own, and OSError without a number. So the rule is: what is neither ours nor the disk's comes from the bytes.
"""

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from defusedxml import ElementTree

from tcia_xnat.core.errors import Error

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MEMBERS = 1_000_000  # files in one zip: ten times the images of the largest series


@contextmanager
def parsing(refusal: Callable[[str], Exception]) -> Iterator[None]:
    """Turn what a parser raises over bytes from outside into one error; those of ours and of the disk pass.

    Parameters
    ----------
    refusal
        Makes the error, told in one line what the parser said.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, Error) or is_of_disk(error):
            raise
        raise refusal(words(error)) from error


def parse_json(text: str | bytes | bytearray) -> object:
    """Parse JSON.

    Raises
    ------
    ValueError
        It is no JSON, is no UTF-8, or is nested deeper than any honest one.
    """
    with parsing(ValueError):
        found: object = json.loads(text)
    return found


def parse_xml(text: str | bytes, *, may_have_type: bool = False) -> "Element":
    """Parse XML without entities of its own, which could grow, and without anything that is outside of it.

    Parameters
    ----------
    may_have_type
        A document type is accepted: files that people keep may have one, answers of servers have none.

    Raises
    ------
    ValueError
        It is no XML, or has a document type or entities.
    """
    body = text.encode("utf-8", "replace") if isinstance(text, str) else text
    with parsing(lambda said: ValueError(f"it is no XML: {said}")):
        root: Element = ElementTree.fromstring(body, forbid_dtd=not may_have_type)
    return root


def is_of_disk(error: Exception) -> bool:
    """Whether the system said it: parsers raise OSError too, without a number."""
    return isinstance(error, OSError) and error.errno is not None


def words(error: Exception) -> str:
    """Return what an exception says, in one line; its name where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def files_of(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the members of a zip that are no folders.

    Raises
    ------
    ValueError
        It holds absurdly many: each costs memory before a byte of it is read.
    """
    infos = archive.infolist()
    if len(infos) > _MEMBERS:
        raise ValueError(f"it holds {len(infos)} files")
    return [info for info in infos if not info.filename.endswith("/")]  # is_dir() fails for an empty name
