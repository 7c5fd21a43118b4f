"""What is known of each series that is asked for, before it moves. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tcia_xnat.core.errors import Error
from tcia_xnat.core.model import Series, SourceName, StudyFacts
from tcia_xnat.planning.completeness import Wanted

ASK_BOTH = "leave --source out: the other archive is asked then, too"
"""What to do about one that the only archive which was asked does not offer."""


def unknown_images(_series_instance_uid: str) -> frozenset[str] | None:
    """Return None: nobody knows the SOPInstanceUIDs of a series before it is fetched."""
    return None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The series of a manifest, in its order: those that are known, and why the others are not.

    `idc_version` is the version of IDC that lists them, as `v25`; empty when IDC was not asked. `listed` is the order
    of the list, of those that are known and of the others; empty when it has none. `notes` are what people should know
    of the answers. `studies` are the facts of whole studies by StudyInstanceUID, as far as an index knows them.
    `images_of` tells the SOPInstanceUIDs of a series, None where nobody knows them before it is fetched. `left_out` is
    a sentence about what was found and is not asked for; `unwanted` has by StudyInstanceUID the series of which an
    option leaves out all images, or some.
    """

    series: Mapping[str, Series]
    missing: Mapping[str, Error]
    idc_version: str = ""
    listed: Sequence[str] = ()
    notes: tuple[str, ...] = ()
    studies: Mapping[str, StudyFacts] = field(default_factory=dict)
    left_out: str = ""
    unwanted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    images_of: Callable[[str], frozenset[str] | None] = field(default=unknown_images, compare=False)

    def wanted(self, series_instance_uid: str) -> Wanted:
        """Return what a series is to have."""
        return Wanted(self.series[series_instance_uid].image_count, self.images_of(series_instance_uid))

    def facts(self) -> dict[str, StudyFacts]:
        """Return the facts of every study: of the index, and of the series that are here."""
        found = dict(self.studies)
        for one in self.series.values():
            said = StudyFacts(one.study_date, frozenset({one.modality}) - {""}, frozenset({one.patient_id}))
            before = found.get(one.study_instance_uid)
            found[one.study_instance_uid] = before.and_also(said) if before else said
        return found

    @property
    def order(self) -> Sequence[str]:
        """Every series in the order of the list; without one, those that are known come first."""
        return self.listed or (*self.series, *self.missing)


def offered_by(series: Series, sources: Sequence[SourceName]) -> list[SourceName]:
    """Return the sources to try for a series, in order."""
    return [name for name in sources if name is not SourceName.IDC or series.is_in_idc]
