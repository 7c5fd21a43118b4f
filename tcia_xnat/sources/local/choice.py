"""What of a tree is wanted, and under which names: exclude lists, patterns, modalities, zips."""

import fnmatch
import unicodedata
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.foreign import parse_json
from tcia_xnat.core.model import Label
from tcia_xnat.sources.local.layout import Layout, below_session, downloaded_series, folder_label
from tcia_xnat.sources.local.mapping import mapped, parts_of
from tcia_xnat.sources.local.model import Image, Passed, Weight, is_zip, shown
from tcia_xnat.sources.local.read import NO_IMAGES

_UNMATCHED = "correct it, or say --allow-unmatched where filters are for many trees"
_CONFIGURED = "Exclude"  # of a configuration
_SHOWN = 5  # folders
_HINT = 'write it as {"Exclude": ["Localizers", "AAHEAD"]}'
IN_NO_SESSION = "lies in no session folder"
UNMAPPED = "not in the mapping: name it there, or leave it out with --partial"
_ZIP = Passed("a zip; --zipmode process or asis opens it")
IN_ZIP = "lies in a zip: --zipmode process opens it, --zipmode nozip leaves it out"


class ZipMode(StrEnum):
    """What becomes of zips."""

    NOZIP = "nozip"  # left out
    ASIS = "asis"  # everything in them is sent, whatever is excluded
    PROCESS = "process"  # opened, and filtered as other files are


@dataclass(frozen=True, slots=True)
class Filters:
    """What is left out, all of it without regard to case.

    Attributes
    ----------
    folders
        Names of folders below the session. Where folders name sessions, parts of such names count, too.
    exclude, include
        Patterns with `*`, `?` and `[…]`, or literal texts, of a path below the root, of one of its folders or its file,
        or of a SeriesDescription. Where patterns of `include` are given, one of them must fit.
    modalities
        Where some are given, one of them must be the image's.
    """

    folders: Sequence[str] = ()
    exclude: Sequence[str] = ()
    include: Sequence[str] = ()
    modalities: Sequence[str] = ()

    def folder_refusal(self, below: Sequence[str], *, takes_parts: bool) -> Passed | None:
        """Return why folders are not wanted: one has a name of `folders`, or holds one in its name."""
        if not (hits := self.folder_hits(below, takes_parts=takes_parts)):
            return None
        name, part = hits[0]
        said = f"excluded by the configuration: {shown(name)}"
        return Passed(said if is_whole(name, part) else f"{said}, a part of {shown(part)}")

    def folder_hits(self, below: Sequence[str], *, takes_parts: bool) -> list[tuple[str, str]]:
        """Return which name of `folders` fits which folder: the whole names, else the parts of names where they count.

        Parameters
        ----------
        below
            Folders below the session.
        """
        hits = [(name, part) for name in self.folders for part in map(shown, below) if _plain(name) in _plain(part)]
        whole = [hit for hit in hits if is_whole(*hit)]
        return whole or (hits if takes_parts else [])

    def refusal(self, path: str, thing: Image | Passed) -> Passed | None:
        """Return why something is not wanted; what `path` says also counts for what is no image."""
        if not (self.exclude or self.include or self.modalities):
            return None
        names = names_of(path, thing)
        if found := _fitting(self.exclude, names):
            return Passed(f"excluded: {shown(found)}")
        if isinstance(thing, Image) and self.include and not _fitting(self.include, names):
            return Passed("not included")
        if isinstance(thing, Image) and self.modalities and thing.modality.upper() not in self.modalities:
            return Passed(f"not asked for: modality {thing.modality or '(none)'}")
        return None


@dataclass(frozen=True, slots=True)
class Chooser:
    """Decides of each file whether it is sent, and what its folders call it."""

    layout: Layout
    zip_mode: ZipMode
    filters: Filters
    mapping: Mapping[tuple[str, ...], Label] = field(default_factory=dict)
    is_zip_mode_given: bool = False
    is_partial: bool = False
    unmatched: "Unmatched" = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "unmatched", Unmatched(self.filters))

    def __call__(self, path: str, thing: Image | Passed) -> Label | Passed | None:
        """Return the names that folders ask for, None where headers name it, or why it is passed over.

        Parameters
        ----------
        path
            Below the root.
        """
        below, takes_parts = self._folders(path, thing), self.layout is Layout.FOLDERS
        self.unmatched.see(path, thing, self.filters.folder_hits(below, takes_parts=takes_parts))
        if refused := self._refusal(path, thing):
            return refused
        if self._stays_shut(path) and isinstance(thing, Image):
            return Passed(IN_ZIP, Weight.LOST)
        if isinstance(thing, Passed):
            return replace(thing, weight=Weight.LOST) if self._lacks_series(path, thing) else thing
        return self._named(path)

    def _refusal(self, path: str, thing: Image | Passed) -> Passed | None:
        if is_zip(path) and self.zip_mode is ZipMode.ASIS:
            return None
        if is_zip(path) and self.zip_mode is ZipMode.NOZIP and self.is_zip_mode_given:
            self.unmatched.see_shut_zip()
            return self._unwanted(path, below_session(self.layout, path.split("/")), Passed("")) or _ZIP
        return self._unwanted(whole_path(path, thing), self._folders(path, thing), thing)

    def _folders(self, path: str, thing: Image | Passed) -> list[str]:
        """Return the folders below the session in which something lies, those in its archive included."""
        return [*below_session(self.layout, path.split("/")), *thing.member.split("/")[:-1]]

    def _unwanted(self, path: str, below: Sequence[str], thing: Image | Passed) -> Passed | None:
        by_folder = self.filters.folder_refusal(below, takes_parts=self.layout is Layout.FOLDERS)
        return by_folder or self.filters.refusal(path, thing)

    def _stays_shut(self, path: str) -> bool:
        """Whether a zip is not opened although nobody asked for that: one that a mapping names is opened."""
        return is_zip(path) and self.zip_mode is ZipMode.NOZIP and parts_of(path) not in self.mapping

    def _lacks_series(self, path: str, thing: Passed) -> bool:
        """Whether a zip should hold a series and has no images: NBIA sends such for what it does not offer."""
        return self.layout is Layout.ZIPS and thing.reason == NO_IMAGES and bool(downloaded_series(path))

    def _named(self, path: str) -> Label | Passed | None:
        if self.layout is Layout.MAPPING:
            weight = Weight.LEFT_OUT if self.is_partial else Weight.LOST
            return mapped(self.mapping, path) or Passed(UNMAPPED, weight)
        if self.layout is not Layout.FOLDERS:
            return None
        return folder_label(path.split("/")) or Passed(IN_NO_SESSION, Weight.LOST)


def read_excluded_folders(config: Path) -> tuple[str, ...]:
    """Return the names of `{"Exclude": […]}`.

    Raises
    ------
    UsageError
        The file cannot be read, or says something else.
    """
    try:
        content = parse_json(config.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{config} cannot be read as JSON: {error}", _HINT) from error
    if not isinstance(content, dict) or [key.lower() for key in content] != ["exclude"]:
        raise UsageError(f"{config} does not say what to exclude, and that alone", _HINT)
    (names,) = content.values()
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise UsageError(f"{config} has no list of names under Exclude", _HINT)
    return tuple(name.strip() for name in names)


def _fitting(patterns: Sequence[str], names: Sequence[str]) -> str:
    """Return the first pattern that fits one of the names; empty when none does."""
    plain = list(map(_plain, names))
    return next((one for one in patterns if _fits(_plain(one).rstrip("/") or "/", plain)), "")


def _fits(pattern: str, names: Sequence[str]) -> bool:
    """Whether a pattern is, or fits, a name: `[C+]` of a description is no class of letters when it stands there so."""
    return pattern in names or any(fnmatch.fnmatchcase(name, pattern) for name in names)


def whole_path(path: str, thing: Image | Passed) -> str:
    """Return the path of something below the root, and in its archive."""
    return f"{path}/{thing.member}" if thing.member else path


def names_of(path: str, thing: Image | Passed) -> list[str]:
    """Return what a pattern may fit: the path, each folder that it lies in, the parts of both, a SeriesDescription.

    Each is there as it is on disk, as a shell completes it, and as it is shown where some of its bytes are no text.
    """
    forms = (form.split("/") for form in dict.fromkeys((path, shown(path))))
    named = [name for parts in forms for name in (*_folders(parts), *parts)]
    return [*named, thing.series_description] if isinstance(thing, Image) else named


def _folders(parts: Sequence[str]) -> list[str]:
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


class Unmatched:
    """What the filters fit in a tree as far as it was seen: which of them nothing, which a part of a folder's name."""

    def __init__(self, filters: Filters) -> None:
        given = {"--exclude": filters.exclude, "--include": filters.include}
        given |= {"--modality": filters.modalities, _CONFIGURED: filters.folders}
        self._left = dict.fromkeys((option, one) for option, those in given.items() for one in those)
        self._modalities: dict[str, None] = {}
        self._parts: dict[str, dict[str, None]] = {}

    def see(self, path: str, thing: Image | Passed, folders: Sequence[tuple[str, str]]) -> None:
        """Take in something of the tree.

        Parameters
        ----------
        folders
            Which names of a configuration fit which of its folders, see `Filters.folder_hits`.
        """
        for name, part in folders:
            if not is_whole(name, part):
                self._parts.setdefault(name, {})[part] = None
        if not self._left:
            return
        if isinstance(thing, Image):
            self._modalities[thing.modality.upper()] = None
        names, hit = names_of(whole_path(path, thing), thing), {name for name, _ in folders}
        self._left = {one: None for one in self._left if not self._has_fitted(*one, names, hit)}

    def see_shut_zip(self) -> None:
        """Take in that a zip is not opened: a name of the configuration may be that of a folder in it."""
        self._left = {one: None for one in self._left if one[0] != _CONFIGURED}

    def named(self) -> str:
        """Return the filters that are left, as they were given."""
        return ", ".join(f"{option} {shown(one)!r}" for option, one in self._left)

    def hint(self) -> str:
        """Return what to do about those that are left."""
        is_of_modality = any(option == "--modality" for option, _ in self._left)
        there = ", ".join(sorted(filter(None, self._modalities)))
        return f"the images are of {there}; {_UNMATCHED}" if is_of_modality and there else _UNMATCHED

    def notes(self) -> tuple[str, ...]:
        """Return which folders are left out because a name of the configuration is a part of theirs."""
        return tuple(
            f"the configuration's {shown(name)!r} leaves out folders of which it is a part: {_some(list(parts))};"
            " write whole names"
            for name, parts in self._parts.items()
        )

    def _has_fitted(self, option: str, one: str, names: Sequence[str], folders: AbstractSet[str]) -> bool:
        if option == _CONFIGURED:
            return one in folders
        return one in self._modalities if option == "--modality" else bool(_fitting([one], names))


def is_whole(name: str, part: str) -> bool:
    """Whether a name of a configuration is all of a folder's name."""
    return _plain(name) == _plain(part)


def _plain(name: str) -> str:
    """Return a name as it is compared: without case, and with its accents in one form, since systems differ in both."""
    return unicodedata.normalize("NFC", name).lower()


def _some(parts: Sequence[str]) -> str:
    more = f" and {len(parts) - _SHOWN:,} more" if len(parts) > _SHOWN else ""
    return ", ".join(map(shown, parts[:_SHOWN])) + more
