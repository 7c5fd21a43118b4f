"""An index of a few series, in memory."""

from collections.abc import Mapping, Sequence

from tcia_xnat.core.errors import ManifestError
from tcia_xnat.core.model import Series


class FakeIndex:
    """Knows the series that it is given; of each, the folder is its `crdc_series_uuid`."""

    def __init__(self, *series: Series) -> None:
        self._series = {one.series_instance_uid: one for one in series}

    def find_series(self, series_instance_uids: Sequence[str]) -> Sequence[Series]:
        return [self._series[uid] for uid in series_instance_uids if uid in self._series]

    def find_studies(self, study_instance_uids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        return self._by("study_instance_uid", study_instance_uids)

    def find_folders(self, crdc_series_uuids: Sequence[str]) -> Mapping[str, str]:
        found = self._by("crdc_series_uuid", crdc_series_uuids)
        return {folder: series[0] for folder, series in found.items()}

    def find_patients(self, patient_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        found = self._by("patient_id", patient_ids)
        for patient, uids in found.items():
            if len({self._series[uid].collection_id for uid in uids}) > 1:
                raise ManifestError(f"patient {patient} is in two collections")
        return found

    def _by(self, attribute: str, values: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for one in self._series.values():
            value = getattr(one, attribute)
            if value and value in values:
                found.setdefault(value, []).append(one.series_instance_uid)
        return found
