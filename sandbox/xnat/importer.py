"""POST /data/services/import: which handler, which parameters, what comes back (xnat-http.md §5)."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sandbox.xnat import answers
from sandbox.xnat.accounts import User
from sandbox.xnat.answers import Refused
from sandbox.xnat.dicomzip import DicomZip
from sandbox.xnat.receiver import Receiver
from sandbox.xnat.session_importer import SessionImporter
from sandbox.xnat.settings import Settings
from sandbox.xnat.store import Store
from sandbox.xnat.uploads import Body, Upload, received, refuse_unknown_length

_HANDLERS_ELSEWHERE = {"inbox", "XAR", "automation"}
_DICOM_TYPES = {"application/dicom", "application/x-mirc", "application/x-mirc-dicom"}
_DEST = re.compile(
    r"(?:/data|/REST)?/(?P<where>archive|prearchive)"
    r"(?:/projects/(?P<project>[^/]+)"
    r"(?:/subjects/(?P<subject>[^/]+))?(?:/experiments/(?P<session>[^/]+)|/(?P<timestamp>[\d_]+)(?:/(?P<folder>[^/]+))?)?)?/?"
)
_ALIASES = {"PROJECT_ID": "project", "SUBJECT_ID": "subject", "EXPT_LABEL": "session"}


@dataclass
class Status:
    """What is told to `GET /data/status/ID` (§5.11)."""

    messages: list[dict[str, object]] = field(default_factory=list)

    def add(self, status: str, message: str) -> None:
        """Add the last message."""
        self.messages.append({"status": status, "msg": message, "terminal": True})


class ImportPages:
    """What is asked about imports."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        receiver: Receiver,
        dicom_zip: DicomZip,
        session_importer: SessionImporter,
    ) -> None:
        self._settings, self._store, self._receiver = settings, store, receiver
        self._dicom_zip, self._session_importer = dicom_zip, session_importer
        self._statuses: dict[str, Status] = {}

    async def post(self, request: Request) -> Response:
        """Take an upload apart and store its objects."""
        refuse_unknown_length(request, 400)
        name = request.path_params.get("name", "")
        async with received(request, self._store, any_type=False, name=name) as body:
            try:
                return await run_in_threadpool(self._imported, request, body)
            except Refused as error:
                if request.query_params.get("format") != "html":
                    raise
                return HTMLResponse(f"<html><body>{html.escape(error.message)}</body></html>")  # a 200, §5.5

    def status(self, request: Request) -> Response:
        """Tell how an import with a listener went (§5.11)."""
        found = self._statuses.get(request.path_params["id"])
        if found is None:
            raise Refused(404, "Unable to find the specified status.")
        return answers.as_json({"msgs": [found.messages]})

    def _imported(self, request: Request, body: Body) -> Response:
        parameters = body.fields | dict(request.query_params.items())
        handler = parameters.pop("import-handler", "") or self._default_handler(request)
        parameters = _escaped(parameters)
        _refuse_odd(parameters)
        is_named = "import-handler" in request.query_params or "import-handler" in body.fields
        upload = _single(body, has_handler=is_named)
        uris = self._handled(handler, upload, parameters, request.user)
        if listener := parameters.get("http-session-listener"):
            self._statuses.setdefault(listener, Status()).add("COMPLETED", ", ".join(uris))
        return _answer(request, uris)

    def _default_handler(self, request: Request) -> str:
        content_type = request.headers.get("Content-Type", "").partition(";")[0]
        return "gradual-DICOM" if content_type in _DICOM_TYPES else self._settings.default_handler

    def _handled(self, handler: str, upload: Upload, parameters: dict[str, str], user: User) -> list[str]:
        if handler == "DICOM-zip":
            known = self._known(parameters)
            return self._dicom_zip.run(upload, known, user)
        if handler == "gradual-DICOM":
            stored = self._receiver.store(upload.name, upload.file, _named(parameters, new_names=False), user)
            return [stored.uri] if stored else []
        if handler == "SI":
            return self._session_importer.run(upload, _with_dest(_named(parameters, new_names=True)), user)
        if handler in _HANDLERS_ELSEWHERE:
            raise Refused(500, f"The importer {handler} is not part of this server.")
        raise Refused(404, f"Unknown importer implementation specified: {handler}")

    def _known(self, parameters: dict[str, str]) -> dict[str, str]:
        """Return what this version's DICOM-zip reads (§0.1, §5.4)."""
        if self._settings.importer_knows_dest:
            named = _with_dest(_named(parameters, new_names=True))
            if parameters.get("action", "").lower() == "commit":
                named.setdefault("Ignore-Unparsable", "true")  # §5.1
            return named
        project = _with_dest(parameters).get("project", "") if "dest" in parameters else ""
        unread = {"action", "AA", "auto-archive", "overwrite", "dest"}
        named = _named({key: value for key, value in parameters.items() if key not in unread}, new_names=False)
        return {"project": project} | named if project else named


def _single(body: Body, *, has_handler: bool) -> Upload:
    if not body.uploads:
        raise Refused(400 if has_handler else 500, "Unable to identify upload format.")
    if len(body.uploads) > 1:
        raise Refused(400, "Importer is limited to one uploaded resource at a time.")
    return body.uploads[0]


def _refuse_odd(parameters: Mapping[str, str]) -> None:
    if "src" in parameters:
        raise Refused(404, "Unknown src file.")
    if parameters.get("http-session-listener") == "":
        raise Refused(400, "'http-session-listener' is required.")
    if parameters.get("prearchive_code") == "1" and "overwrite" in parameters:  # §5.1, a wrong condition in XNAT
        raise Refused(400, "Overwrite flag was not set to a valid option. ('append' or 'delete')")


def _escaped(parameters: Mapping[str, str]) -> dict[str, str]:
    """Escape values as TurbineUtils does (§0.4)."""
    return {key: html.escape(value).replace("&#x27;", "&apos;") for key, value in parameters.items()}


def _named(parameters: Mapping[str, str], *, new_names: bool) -> dict[str, str]:
    """Bring both spellings of the labels together; the newer one wins where it is known (§5.4)."""
    named = dict(parameters)
    for old, new in _ALIASES.items():
        value = (named.pop(new, "") if new_names else "") or named.get(old, "")
        named.pop(new, None)
        if value:
            named[new] = value
    return named


def _with_dest(parameters: dict[str, str]) -> dict[str, str]:
    """Read labels and action out of `dest` (§5.8)."""
    if "dest" not in parameters:
        return parameters
    found = _DEST.fullmatch(parameters["dest"])
    if not found:
        raise Refused(400, "Parameter dest format error")
    archives = str(found["where"] == "archive").lower()
    labels = {key: found[key] for key in ("project", "subject", "session") if found[key]}
    if found["folder"]:
        labels |= {"PREARC_TIMESTAMP": found["timestamp"], "PREARC_SESSION_FOLDER": found["folder"]}
    return parameters | labels | {"action": "commit", "AA": archives, "auto-archive": archives}


def _answer(request: Request, uris: list[str]) -> Response:
    prefixed = [uri if uri.startswith("/xapi/") else f"/data{uri}" for uri in dict.fromkeys(uris)]
    wanted = request.query_params.get("format", "")
    if wanted == "html":
        return HTMLResponse("<html><body>" + "<br>".join(prefixed) + "</body></html>")
    is_text = wanted == "txt" or request.headers.get("Accept") == "text/plain"
    if is_text and len(prefixed) == 1:
        return answers.text(prefixed[0])
    return answers.uri_list(prefixed) if prefixed else answers.empty()
