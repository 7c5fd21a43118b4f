"""TCIA's NBIA server: REST v4, v1 and v2 as far as they go the same way, DownloadServlet (tcia-nbia-and-idc.md §10)."""

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from sandbox.dicom import Images
from sandbox.index import Index, Row
from sandbox.nbia.endpoints import FORM, NEEDS_UID, NEEDS_UID_TOO, UID, Asked, Endpoint, query_endpoints
from sandbox.nbia.queries import Queries
from sandbox.nbia.servlet import Servlet
from sandbox.nbia.tables import NOT_GRANTED, POLICY, UNABLE, answer, refused
from sandbox.nbia.tags import tags, uid_names
from sandbox.nbia.zip import Entry, Variant, coded, entries
from sandbox.uids import instance_number, series_half, sop_instance_uid

Wrap = Callable[[str, Iterator[Entry]], Iterator[Entry]]
"""What may change the entries of the zip of a SeriesInstanceUID."""

_SOP, _TAGS_OF = "SOPInstanceUID", "SeriesUID"
_BYTES = "application/octet-stream"
_FORM_TYPE = "application/x-www-form-urlencoded"
_LARGEST_BODY = 10 << 20  # nginx: client_max_body_size
_GUEST = "nbia_guest"
_NEEDS_BOTH = "A parameter, SeriesInstanceUID and SOPInstanceUID, are required for this API call."
_NOT_PUBLIC = "Image with given SeriesInstanceUID,{}, is not in public domain."
_ZIPS = {"getImage", "getImageWithMD5Hash", "getDCMImage"}


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

    Attributes
    ----------
    shared_carts
        SeriesInstanceUIDs of the carts that somebody shared, by the name of the cart.
    """

    def __init__(self, index: Index, images: Images, *, level: int = 6, wrap: Wrap | None = None) -> None:
        self._index, self._images, self._level = index, images, level
        self.wrap = wrap
        self.shared_carts: dict[str, Sequence[str]] = {}
        self._tokens: set[str] = set()
        self._endpoints = self._image_endpoints() | query_endpoints(Queries(index, self.shared_carts))
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
            "getImage": Endpoint(self._get_image, (UID, "NewFileNames", "IncludeMD5"), (UID,), NEEDS_UID),
            "getImageWithMD5Hash": Endpoint(self._get_image_with_md5_hash, (UID,), (UID,), NEEDS_UID),
            "getDCMImage": Endpoint(
                self._get_dcm_image, (UID, "IncludeAnnotation", "MD5Verification"), (UID,), NEEDS_UID
            ),
            "getSingleImage": Endpoint(self._get_single_image, (UID, _SOP), (UID, _SOP), _NEEDS_BOTH),
            "getMD5HashForImage": Endpoint(self._get_md5_hash, (_SOP,), versions=("v4",)),
            "getM5HashForImage": Endpoint(self._get_md5_hash, (_SOP,), versions=("v1", "v2")),
            "getSOPInstanceUIDs": Endpoint(self._get_sop_instance_uids, (UID, FORM), (UID,), NEEDS_UID_TOO),
            "getImageOther": Endpoint(self._get_image_other, (UID,), (UID,), NEEDS_UID, versions=("v1", "v4")),
            "getDicomTags": Endpoint(
                self._get_dicom_tags, (_TAGS_OF,), (_TAGS_OF,), NOT_GRANTED.format("null"), versions=("v4",)
            ),
            "getUserAgreementTxt": Endpoint(lambda *_asked: _file("userAgreement.txt", POLICY), None, versions=("v1",)),
            "getAllSOPClassDefinition": Endpoint(
                lambda *_asked: _file("UIDNames.properties", uid_names()), None, versions=("v1",)
            ),
        }

    async def _answer(self, request: Request) -> Response:
        version, name = request.path_params["version"], request.path_params["name"]
        endpoint = self._endpoints.get(name)
        if endpoint is None or version not in endpoint.versions:
            raise HTTPException(404)
        if request.method.replace("HEAD", "GET") != endpoint.method:
            raise HTTPException(405)
        asked = await _form(request) if endpoint.method == "POST" else request.query_params
        refusal = self._refusal(request, endpoint, asked)
        if refusal is not None:
            return _with_cors(refusal)
        if request.method == "HEAD" and name in _ZIPS:
            return _with_cors(await run_in_threadpool(self._head_of_zip, asked, version))
        try:
            return _with_cors(await run_in_threadpool(endpoint.answer, asked, version))
        except ValueError as error:  # a date that is none
            raise HTTPException(500, str(error)) from error

    def _refusal(self, request: Request, endpoint: Endpoint, asked: Asked) -> Response | None:
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
            return refused(endpoint.refusal)
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
        row = self._index.nbia_series(asked[UID])
        if row is None:
            return _unknown(asked[UID], version)
        files = self._wrapped(asked[UID], entries(row, self._index, self._images, variant))
        return _streamed(asked[UID], coded(files, self._level))

    def _get_image_other(self, asked: Asked, _version: str) -> Response:
        """Answer as NBIA does where it has nothing that is no DICOM: with a zip of no files."""
        return _streamed(asked[UID], coded((), self._level))

    def _wrapped(self, uid: str, files: Iterator[Entry]) -> Iterator[Entry]:
        return self.wrap(uid, files) if self.wrap else files

    def _head_of_zip(self, asked: Asked, version: str) -> Response:
        """Answer with the head that the zip would have, at once."""
        if self._index.nbia_series(asked[UID]) is None:
            return _unknown(asked[UID], version)
        head = Response(headers=_name_of_zip(asked[UID]), media_type=_BYTES)
        del head.headers["Content-Length"]
        return head

    def _get_single_image(self, asked: Asked, _version: str) -> Response:
        row = self._index.nbia_series(asked[UID])
        number = instance_number(row, asked[_SOP]) if row else None
        if row is None or number is None:
            raise HTTPException(500, "null")
        headers = {"Content-Disposition": f"attachment; filename={asked[_SOP]}.dcm"}
        return Response(self._images.image(row, number), headers=headers, media_type="application/dicom")

    def _get_dicom_tags(self, asked: Asked, version: str) -> Response:
        row = self._index.nbia_series(asked[_TAGS_OF])
        return JSONResponse(tags(self._images.image(row, 1))) if row else _unknown(asked[_TAGS_OF], version)

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
        row = self._index.nbia_series(asked[UID])
        numbers = range(1, row["instanceCount"] + 1) if row else range(0)
        return answer([{_SOP: sop_instance_uid(row, number)} for number in numbers if row], asked.get(FORM))

    async def _token(self, request: Request) -> Response:
        """Answer as Keycloak does: the guest gets a token, nobody else has an account (§2.2)."""
        asked = await _form(request)
        if asked.get("username") != _GUEST:
            return JSONResponse({"error": "invalid_grant", "error_description": "Invalid user credentials"}, 401)
        token = secrets.token_hex(16)
        self._tokens.add(token)
        return JSONResponse({"access_token": token, "expires_in": 7200, "refresh_token": "", "token_type": "Bearer"})


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
    return StreamingResponse(pieces, headers=_name_of_zip(uid), media_type=_BYTES)


def _name_of_zip(uid: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{uid}.zip"'}


def _file(name: str, text: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(iter([text.encode()]), headers=headers, media_type=_BYTES)


def _unknown(uid: str, version: str) -> Response:
    return refused((_NOT_PUBLIC if version == "v1" else NOT_GRANTED).format(uid))


def _unable(_request: Request, error: Exception) -> Response:
    """Return what NBIA says to all that it does not expect, wrong paths included (§2.3.4)."""
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
