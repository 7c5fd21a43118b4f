"""TCIA's NBIA server, REST v4 (tcia-nbia-and-idc.md §2 and §3)."""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import requests

from tcia_xnat.clients import web
from tcia_xnat.errors import SeriesUnavailable, SourceError, SourceUnreachable

NBIA_URL = "https://services.cancerimagingarchive.net/nbia-api/services"
METADATA_BATCH = 500  # series per request: NBIA counts the images of each (peers-and-conventions.md §4.3)

_CHUNK = 1 << 18
_OTHERS = "NBIA answers the same for a series it does not know and for one that is not public"

Row = dict[str, Any]


class TCIAClient:
    """What NBIA offers to everybody; no login is sent.

    Parameters
    ----------
    url
        The part of the address before `/v4/`.
    silent_seconds
        How long NBIA may say nothing.
    """

    def __init__(self, url: str = NBIA_URL, silent_seconds: float = web.SILENT_SECONDS) -> None:
        self._timeout = (web.CONNECT_SECONDS, silent_seconds)
        self.url = url.rstrip("/")
        self._session = web.session()

    def get_series_metadata(self, series_instance_uids: Sequence[str]) -> list[Row]:
        """Return one row of 40 columns for each series that is public (§2.8); the others are left out silently.

        Raises
        ------
        SourceUnreachable, SourceError
        """
        rows: list[Row] = []
        for start in range(0, len(series_instance_uids), METADATA_BATCH):
            batch = ",".join(series_instance_uids[start : start + METADATA_BATCH])
            rows += self._rows("POST", "getSeriesMetadata", data={"list": batch, "format": "json"})
        return rows

    def get_sop_instance_uids(self, series_instance_uid: str) -> list[str]:
        """Return the SOPInstanceUID of every image that NBIA lists for a series; empty for an unknown one."""
        rows = self._rows("GET", "getSOPInstanceUIDs", params={"SeriesInstanceUID": series_instance_uid})
        return [str(row["SOPInstanceUID"]) for row in rows]

    def get_md5_hash_for_image(self, sop_instance_uid: str) -> str:
        """Return the MD5 that NBIA keeps for one image, in lower case; empty when it keeps none."""
        with closing(self._answer("GET", "getMD5HashForImage", params={"SOPInstanceUID": sop_instance_uid})) as answer:
            return answer.text.strip().lower()

    def get_single_image(self, series_instance_uid: str, sop_instance_uid: str) -> bytes:
        """Return one image as a DICOM file."""
        uids = {"SeriesInstanceUID": series_instance_uid, "SOPInstanceUID": sop_instance_uid}
        with closing(self._answer("GET", "getSingleImage", params=uids)) as answer:
            return answer.content

    def get_image(self, series_instance_uid: str, write: Callable[[bytes], None]) -> None:
        """Pass the zip of a series to `write`, chunk by chunk: LICENSE, images, and md5hashes.csv at its end.

        That this returns proves nothing: NBIA ends a short zip as cleanly as a whole one (§3.5).

        Raises
        ------
        SeriesUnavailable
            NBIA does not know the series or does not show it to the public.
        SourceUnreachable, SourceError
        """
        # exactly these names: any other parameter is answered with 400 (§11.5)
        params = {"SeriesInstanceUID": series_instance_uid, "NewFileNames": "Yes"}
        try:
            answer = self._answer("GET", "getImage", params=params | {"IncludeMD5": "Yes"}, stream=True)
        except SourceError as error:
            if "Invalid query parameter" not in str(error):
                raise
            answer = self._answer("GET", "getImage", params=params, stream=True)  # an older server
        with closing(answer):
            try:
                for chunk in answer.iter_content(_CHUNK):
                    write(chunk)
            except requests.RequestException as error:
                raise web.unreachable("NBIA", error) from error

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _rows(self, method: str, endpoint: str, **options: Any) -> list[Row]:  # noqa: ANN401  as requests takes them
        with closing(self._answer(method, endpoint, **options)) as answer:
            if not answer.content.strip():
                return []  # no rows are an empty body, not an empty list (§2.3)
            try:
                rows = answer.json()
            except requests.JSONDecodeError as error:
                raise SourceUnreachable(f"NBIA's {endpoint} sent no JSON: {web.shown(answer.text)}") from error
        if not isinstance(rows, list):
            raise SourceError(f"NBIA's {endpoint} sent no list: {web.shown(str(rows))}")
        return rows

    def _answer(self, method: str, endpoint: str, **options: Any) -> requests.Response:  # noqa: ANN401  as above
        url = requests.Request(method, f"{self.url}/v4/{endpoint}", params=options.pop("params", None)).prepare().url
        try:
            answer = self._followed(method, str(url), **options)
            if answer.status_code == requests.codes.ok:
                return answer
            with closing(answer):
                raise _refusal(endpoint, answer)
        except requests.RequestException as error:
            raise web.unreachable("NBIA", error) from error

    def _followed(self, method: str, url: str, left: int = web.REDIRECTS, **options: Any) -> requests.Response:  # noqa: ANN401  as above
        answer = self._session.request(method, url, timeout=self._timeout, allow_redirects=False, **options)
        target = web.redirected(url, answer.status_code, answer.headers.get("Location"))
        if not target or not left:
            return answer
        answer.close()
        return self._followed(method, target, left - 1, **options)


def _refusal(endpoint: str, answer: requests.Response) -> SourceError:
    status, text = answer.status_code, web.shown(answer.text)
    if web.is_later(status):
        wait = web.retry_after(answer.headers.get("Retry-After"))
        return SourceUnreachable(f"NBIA's {endpoint} answered {status}: {text}", retry_after=wait)
    if "SeriesInstanceUID," in text:  # the 400 text of §2.3 no. 3, for unknown and forbidden alike
        return SeriesUnavailable("NBIA does not offer this series to the public", _OTHERS)
    return SourceError(f"NBIA's {endpoint} answered {status}: {text}")
