"""TCIA's NBIA server: REST v4, v1 and v2 as far as they go the same way, DownloadServlet (tcia-nbia-and-idc.md §10)."""

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from sandbox.dicom import Images
from sandbox.index import Index, Row
from sandbox.nbia_queries import Queries
from sandbox.nbia_servlet import Servlet
from sandbox.nbia_tables import POLICY, UNABLE, answer
from sandbox.nbia_zip import Entry, Variant, coded, entries
from sandbox.uids import instance_number, series_half, sop_instance_uid

Asked = Mapping[str, str]
"""Parameters of a request; one that is repeated in a form is joined by commas."""
Wrap = Callable[[str, Iterator[Entry]], Iterator[Entry]]
"""What may change the entries of the zip of a SeriesInstanceUID."""

_UID, _SOP, _FORM = "SeriesInstanceUID", "SOPInstanceUID", "format"
_FORM_TYPE = "application/x-www-form-urlencoded"
_LARGEST_BODY = 10 << 20  # nginx: client_max_body_size
_GUEST = "nbia_guest"
_NEEDS_UID = "A parameter, SeriesInstanceUID, is required for this API call."
_NEEDS_UID_TOO = "A parameter, SeriesInstanceUID is required for this API call."
_NEEDS_BOTH = "A parameter, SeriesInstanceUID and SOPInstanceUID, are required for this API call."
_NEEDS_LIST = "A form parameter, list, containing at least one SeriesInstanceUID is required."
_NEEDS_DATE = "A parameter, Collection and Date are required for this API call."
_NOT_GRANTED = (
    "The user has not been granted the access to image with given SeriesInstanceUID,{}."
    " Please contact System Admin to resolve this issue."
)
_NOT_PUBLIC = "Image with given SeriesInstanceUID,{}, is not in public domain."


class Endpoint(NamedTuple):
    """How one endpoint answers, the parameters that v4 allows, and what it says without those it needs.

    An endpoint with a refusal needs the parameters in `needed`. `allowed` is None where v4 takes any parameter.
    """

    answer: Callable[[Asked, str], Response]
    allowed: tuple[str, ...] | None
    needed: tuple[str, ...] = ()
    refusal: str = ""
    method: str = "GET"
    versions: tuple[str, ...] = ("v1", "v2", "v4")


class Nbia:
    """The application; `application` is served.

    Parameters
    ----------
    index, images
        What is served.
    level
        Deflate level of the zips; Java's default is 6.
    wrap
        May change the entries of every zip and tar; None leaves them as they are.
    """

    def __init__(self, index: Index, images: Images, *, level: int = 6, wrap: Wrap | None = None) -> None:
        self._index, self._images, self._level = index, images, level
        self.wrap = wrap
        self._tokens: set[str] = set()
        self._endpoints = self._image_endpoints() | _query_endpoints(Queries(index))
        every = ["GET", "POST", "PUT", "DELETE"]
        self.application = Starlette(
            routes=[
                Route("/nbia-api/up", _up),
                Route("/nbia-api/oauth/token", self._token, methods=["POST"]),
                Route("/nbia-api/services/{version}/{name}", self._answer, methods=every),
                Route("/nbia-api/{version}/{name}", self._answer, methods=every),
                *Servlet(index, images, self._wrapped).routes,
            ],
            exception_handlers={HTTPException: _unable, Exception: _unable},
        )

    def _image_endpoints(self) -> dict[str, Endpoint]:
        return {
            "getImage": Endpoint(self._get_image, (_UID, "NewFileNames", "IncludeMD5"), (_UID,), _NEEDS_UID),
            "getImageWithMD5Hash": Endpoint(self._get_image_with_md5_hash, (_UID,), (_UID,), _NEEDS_UID),
            "getDCMImage": Endpoint(
                self._get_dcm_image, (_UID, "IncludeAnnotation", "MD5Verification"), (_UID,), _NEEDS_UID
            ),
            "getSingleImage": Endpoint(self._get_single_image, (_UID, _SOP), (_UID, _SOP), _NEEDS_BOTH),
            "getMD5HashForImage": Endpoint(self._get_md5_hash, (_SOP,), versions=("v4",)),
            "getM5HashForImage": Endpoint(self._get_md5_hash, (_SOP,), versions=("v1", "v2")),
            "getSOPInstanceUIDs": Endpoint(self._get_sop_instance_uids, (_UID, _FORM), (_UID,), _NEEDS_UID_TOO),
            "getUserAgreementTxt": Endpoint(lambda _asked, _version: PlainTextResponse(POLICY), None),
        }

    async def _answer(self, request: Request) -> Response:
        version, name = request.path_params["version"], request.path_params["name"]
        endpoint = self._endpoints.get(name)
        if endpoint is None or version not in endpoint.versions:
            raise HTTPException(404)
        if request.method.replace("HEAD", "GET") != endpoint.method:
            raise HTTPException(405)
        asked = await _form(request) if endpoint.method == "POST" else request.query_params
        refused = self._refused(request, endpoint, asked)
        if refused is not None:
            return _with_cors(refused)
        if request.method == "HEAD" and name in {"getImage", "getImageWithMD5Hash", "getDCMImage"}:
            return _with_cors(await run_in_threadpool(self._head_of_zip, asked, version))
        try:
            return _with_cors(await run_in_threadpool(endpoint.answer, asked, version))
        except ValueError as error:  # a date that is none
            raise HTTPException(500, str(error)) from error

    def _refused(self, request: Request, endpoint: Endpoint, asked: Asked) -> Response | None:
        """Return what is said to a request that is not answered; None when it is (§2.2, §2.3)."""
        version, sent = request.path_params["version"], request.headers.get("Authorization")
        kind = "query" if endpoint.method == "GET" else "form"
        if version == "v4" and endpoint.allowed is not None:
            for name in asked:
                if name not in endpoint.allowed:
                    listed = ", ".join(endpoint.allowed)
                    return Response(f"Invalid {kind} parameter: '{name}'. Allowed parameters are: [{listed}]", 400)
        if version == "v2" and sent is None:
            return PlainTextResponse(f"{UNABLE}\nnull", 500)
        if version != "v1" and sent and sent.lower() != "bearer undefined" and sent[7:] not in self._tokens:
            return Response(b"", 401)
        if any(name not in asked for name in endpoint.needed):
            return _bad(endpoint.refusal)
        return None

    def _get_image(self, asked: Asked, version: str) -> Response:
        new_names = asked.get("NewFileNames", "").lower() == "yes"
        with_md5 = version == "v4" and asked.get("IncludeMD5", "").lower() == "yes"
        return self._zip(asked, version, Variant(new_names=new_names, with_license=True, with_md5=with_md5))

    def _get_image_with_md5_hash(self, asked: Asked, version: str) -> Response:
        return self._zip(asked, version, Variant(new_names=False, with_license=False, with_md5=True))

    def _get_dcm_image(self, asked: Asked, version: str) -> Response:
        return self._zip(asked, version, Variant(new_names=True, with_license=False, with_md5=True))

    def _zip(self, asked: Asked, version: str, variant: Variant) -> Response:
        row = self._index.nbia_series(asked[_UID])
        if row is None:
            return _unknown(asked[_UID], version)
        files = self._wrapped(asked[_UID], entries(row, self._index, self._images, variant))
        return _streamed(asked[_UID], coded(files, self._level))

    def _wrapped(self, uid: str, files: Iterator[Entry]) -> Iterator[Entry]:
        return self.wrap(uid, files) if self.wrap else files

    def _head_of_zip(self, asked: Asked, version: str) -> Response:
        known = self._index.nbia_series(asked[_UID])
        return _streamed(asked[_UID], iter(())) if known else _unknown(asked[_UID], version)

    def _get_single_image(self, asked: Asked, _version: str) -> Response:
        row = self._index.nbia_series(asked[_UID])
        number = instance_number(row, asked[_SOP]) if row else None
        if row is None or number is None:
            raise HTTPException(500, "null")
        headers = {"Content-Disposition": f"attachment; filename={asked[_SOP]}.dcm"}
        return Response(self._images.image(row, number), headers=headers, media_type="application/dicom")

    def _get_md5_hash(self, asked: Asked, _version: str) -> Response:
        sop = asked.get(_SOP, "")
        for row in self._series_of(sop):
            number = instance_number(row, sop)
            if number is not None:
                return PlainTextResponse(self._images.md5(row, number))
        return PlainTextResponse("")

    def _series_of(self, sop: str) -> Sequence[Row]:
        half = series_half(sop)
        query = "SELECT * FROM nbia WHERE md5_number_lower(SeriesInstanceUID) = ?"
        return self._index.nbia(query, [half]) if half is not None else ()

    def _get_sop_instance_uids(self, asked: Asked, _version: str) -> Response:
        row = self._index.nbia_series(asked[_UID])
        numbers = range(1, row["instanceCount"] + 1) if row else range(0)
        return answer([{_SOP: sop_instance_uid(row, number)} for number in numbers if row], asked.get(_FORM))

    async def _token(self, request: Request) -> Response:
        """Answer as Keycloak does: the guest gets a token, nobody else has an account (§2.2)."""
        asked = await _form(request)
        if asked.get("username") != _GUEST:
            return JSONResponse({"error": "invalid_grant", "error_description": "Invalid user credentials"}, 401)
        token = secrets.token_hex(16)
        self._tokens.add(token)
        return JSONResponse({"access_token": token, "expires_in": 7200, "refresh_token": "", "token_type": "Bearer"})


def _query_endpoints(queries: Queries) -> dict[str, Endpoint]:
    series = ("Collection", "PatientID", "StudyInstanceUID", "Modality", "BodyPartExamined", "ManufacturerModelName",
              "Manufacturer", _UID, _FORM)  # fmt: skip
    since, v4, posted = ("Collection", "fromDate"), ("v4",), "POST"
    return {
        "getCollectionValues": Endpoint(queries.collections, (_FORM,)),
        "getModalityValues": Endpoint(queries.modalities, ("Collection", "BodyPartExamined", _FORM)),
        "getBodyPartValues": Endpoint(queries.body_parts, ("Collection", "Modality", _FORM)),
        "getManufacturerValues": Endpoint(queries.manufacturers, ("Collection", "Modality", "BodyPartExamined", _FORM)),
        "getPatient": Endpoint(queries.patients, ("Collection", "PatientId", _FORM)),
        "getPatientByCollectionAndModality": Endpoint(queries.patients, ("Collection", "Modality", _FORM)),
        "NewPatientsInCollection": Endpoint(queries.patients, (*since, _FORM), since, _NEEDS_DATE),
        "getPatientStudy": Endpoint(queries.studies, ("Collection", "PatientID", "StudyInstanceUID", _FORM)),
        "NewStudiesInPatientCollection": Endpoint(
            queries.studies, ("Collection", "PatientID", "fromDate", _FORM), since, _NEEDS_DATE
        ),
        "getSeries": Endpoint(queries.series, series),
        "getUpdatedSeries": Endpoint(queries.series, ("fromDate", _FORM)),
        "getSeriesSize": Endpoint(queries.size, (_UID, _FORM), (_UID,), _NEEDS_UID_TOO),
        "getSeriesMetaData": Endpoint(queries.metadata_v1, None, (_UID,), _NEEDS_UID, versions=("v1", "v2")),
        "getSeriesMetadata": Endpoint(queries.metadata, None, ("list",), _NEEDS_LIST, posted, v4),
        "getManifestText": Endpoint(
            queries.manifest, ("list", "includeAnnotation"), ("list",), _NEEDS_LIST, posted, v4
        ),
        "getManifestForCollection": Endpoint(
            queries.manifest, ("collection", "visibility", "includeAnnotation"), method=posted, versions=v4
        ),
        "getManifestFromPatientStudySeries": Endpoint(
            queries.manifest,
            ("patientIDs", "studyUIDs", "seriesUIDs", "anyOrAll", "includeAnnotation"),
            method=posted,
            versions=v4,
        ),
    }


async def _form(request: Request) -> Asked:
    """Return the fields of a form.

    Raises
    ------
    HTTPException
        413 for what nginx does not let through, 415 for what is no form.
    """
    if not request.headers.get("Content-Type", _FORM_TYPE).startswith(_FORM_TYPE):
        raise HTTPException(415)
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_BODY:
            raise HTTPException(413)
    asked: dict[str, str] = {}
    for name, value in parse_qsl(body.decode(), keep_blank_values=True):
        asked[name] = f"{asked[name]},{value}" if name in asked else value
    return asked


def _streamed(uid: str, pieces: Iterator[bytes]) -> Response:
    """Return an answer of unknown length, sent in chunks (§3.1)."""
    headers = {"Content-Disposition": f'attachment; filename="{uid}.zip"'}
    return StreamingResponse(pieces, headers=headers, media_type="application/octet-stream")


def _unknown(uid: str, version: str) -> Response:
    return _bad((_NOT_PUBLIC if version == "v1" else _NOT_GRANTED).format(uid))


def _bad(text: str) -> Response:
    """Return a refusal; NBIA calls its plain text JSON (§2.3)."""
    return Response(text, 400, media_type="application/json")


def _unable(_request: Request, error: Exception) -> Response:
    """Return what NBIA says to all that it does not expect, wrong paths included (§2.3 no. 4)."""
    if isinstance(error, HTTPException) and error.status_code == 413:  # noqa: PLR2004  nginx answers, not NBIA
        page = "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n<center><h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"  # fmt: skip  # noqa: E501  nginx's words
        return Response(page, 413, media_type="text/html")
    said = str(error)
    if isinstance(error, HTTPException):
        said = error.detail if error.status_code == 500 else f"HTTP {error.status_code} {error.detail}"  # noqa: PLR2004  thrown inside
    return _with_cors(PlainTextResponse(re.sub(r"\r", "", f"{UNABLE}\n{said}"), 500))


def _with_cors(response: Response) -> Response:
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _up(_request: Request) -> Response:
    return _with_cors(PlainTextResponse("up"))
