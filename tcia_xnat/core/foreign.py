"""What parsers raise over bytes from outside, as one error of ours.

pydicom, zipfile, csv, json, zlib, lzma and openpyxl have no common base. Over broken input they raise ValueError,
KeyError, TypeError, IndexError, EOFError, RuntimeError, RecursionError, MemoryError, UnicodeError, struct.error, errors
of their own, and OSError without a number. So the rule is: what is neither ours nor the disk's comes from the bytes.
"""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tcia_xnat.errors import Error

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
