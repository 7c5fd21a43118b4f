"""Addresses of IDC's viewers: OHIF for radiology, Slim for slides."""

from collections.abc import Collection
from urllib.parse import quote, urlencode

_SITE = "https://viewer.imaging.datacommons.cancer.gov"
_SLIDES = "SM"
_OF_SLIDES = "ANN"  # DICOM has these annotations for slides only
_DERIVED = frozenset({"SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "SR", "KO", "PR", "REG", "FID", "RWV", "M3D", "ANN"})
"""Modalities of series that show nothing without the series to which they refer."""


def viewer_link(
    study_instance_uid: str, modalities: Collection[str], series_instance_uid: str = "", modality: str = ""
) -> str:
    """Return where IDC shows a study, or one series of it.

    Parameters
    ----------
    modalities
        Those of all series of the study, as far as they are known: they tell to what a derived series refers.
    modality
        That of the series. A derived series opens its study at the series: alone it would be an empty viewer.
    """
    images = set(modalities) - _DERIVED
    is_slide = modality in {_SLIDES, _OF_SLIDES} or ((not modality or modality in _DERIVED) and images == {_SLIDES})
    if is_slide:
        of_series = f"/series/{quote(series_instance_uid)}" if series_instance_uid else ""
        return f"{_SITE}/slim/studies/{quote(study_instance_uid)}{of_series}"
    asked = {"StudyInstanceUIDs": study_instance_uid}
    if series_instance_uid:
        asked["initialSeriesInstanceUID" if modality in _DERIVED else "SeriesInstanceUIDs"] = series_instance_uid
    return f"{_SITE}/v3/viewer/?{urlencode(asked)}"
