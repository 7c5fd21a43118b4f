"""What XNAT's anonymization scripts and file name template may do to images (xnat-http.md §11.1, §5.7).

The site script runs when XNAT imports an image, the project script when it archives a session.
`dicomedit` reads them.
"""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ScriptEffect:
    """What an anonymization script may do to images.

    Attributes
    ----------
    is_on
        Whether XNAT applies it; None when XNAT does not tell.
    changed
        Elements that it may set or delete, as `0010,0020`, in the order of the script, each once.
    changed_uids
        Those of StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID that it may change.
    may_reject
        Whether it may reject images; None when unknown.
    unread
        Why its effect is unknown, or known in part only; empty when it was read whole.
    """

    is_on: bool | None = False
    changed: tuple[str, ...] = ()
    changed_uids: frozenset[str] = frozenset()
    may_reject: bool | None = False
    unread: str = ""

    @property
    def changes_uids(self) -> bool | None:
        """Whether it may change UIDs by which images are found again; None when unknown."""
        return True if self.changed_uids else None if self.unread else False


OFF = ScriptEffect()


def unknown_script(why: str) -> ScriptEffect:
    """Return the effect of a script that XNAT does not show."""
    return ScriptEffect(is_on=None, may_reject=None, unread=why)


@dataclass(frozen=True, slots=True)
class NameTemplate:
    """The site's template of file names, as `${StudyInstanceUID}-${SOPInstanceUID}`; empty when it is unknown."""

    text: str = ""

    @property
    def is_unique(self) -> bool | None:
        """Whether images of one scan get different names; None when unknown.

        Only SOPInstanceUID, or a hash with it, tells all images apart. With another template XNAT keeps one file per
        name: images are lost.
        """
        if not self.text:
            return None
        return any("SOPInstanceUID" in name for name in re.findall(r"\$\{([^}]*)\}", self.text))


@dataclass(frozen=True, slots=True)
class Scripts:
    """What XNAT does with images on their way into the archive."""

    site: ScriptEffect = OFF
    project: ScriptEffect = OFF
    template: NameTemplate = field(default_factory=NameTemplate)

    @property
    def changes_uids(self) -> bool | None:
        """Whether UIDs in the archive may differ from those sent; None when unknown."""
        return _any(self.site.changes_uids, self.project.changes_uids)

    @property
    def changes_series_uids(self) -> bool:
        """Whether SeriesInstanceUIDs in the archive differ from those sent, as far as the scripts could be read."""
        return any("SeriesInstanceUID" in one.changed_uids for one in (self.site, self.project))

    @property
    def may_reject(self) -> bool | None:
        """Whether images may be rejected; None when unknown."""
        return _any(self.site.may_reject, self.project.may_reject)


def may_rename(scripts: Scripts) -> bool:
    """Return whether XNAT may name the files of an import by its template.

    That makes a second sending harmless. With a template that is not unique XNAT would keep one file per name; the
    names in our zips are the SOPInstanceUIDs, and then stay. Where the site script changes SOPInstanceUIDs, a second
    sending under the names of the zip would be kept beside the first, and XNAT would refuse to archive both.
    """
    return scripts.template.is_unique is not False or bool(scripts.site.changes_uids)


_NOT_ASKED = unknown_script("nobody asked")
UNKNOWN = Scripts(_NOT_ASKED, _NOT_ASKED)


def _any(*answers: bool | None) -> bool | None:
    return True if True in answers else None if None in answers else False
