"""Pages about the site itself: version, preferences, schemas, data types (xnat-http.md §2)."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from sandbox.xnat import answers
from sandbox.xnat.accounts import Accounts
from sandbox.xnat.modalities import all_session_types
from sandbox.xnat.rights import Rights
from sandbox.xnat.settings import Settings
from sandbox.xnat.store import Store

_SCHEMAS = Path(__file__).with_name("schema")
_ADMIN_ONLY = {
    "concurrentMaxSessions",
    "sessionTimeout",
    "sessionArchiveTimeoutInterval",
    "aliasTokenTimeout",
    "preventCrossModalityMerge",
    "passwordComplexityMessage",
    "requireLogin",
    "receivedFileUser",
    "useSopInstanceUidToUniquelyIdentifyDicom",
}
_COUNT = "SELECT xsi_type, COUNT(*) AS n FROM experiments GROUP BY xsi_type"
_REGISTERED = {
    "xnat:projectData",
    "xnat:subjectData",
    "xnat:ctSessionData",
    "xnat:mrSessionData",
    "xnat:petSessionData",
}
_FIELDS = ("LABEL", "PROJECT", "SUBJECT_ID", "DATE", "UID", "INSERT_DATE")


class SitePages:
    """What is asked about the site."""

    def __init__(self, settings: Settings, store: Store, rights: Rights, accounts: Accounts) -> None:
        self._settings, self._store, self._rights, self._accounts = settings, store, rights, accounts

    def preference(self, request: Request) -> Response:
        """Tell one site preference, to whom may know it (§2.2)."""
        name = request.path_params["name"]
        preferences = self._preferences()
        if name not in preferences:
            return answers.text(f"No site configuration property {name}", 404)
        if name in _ADMIN_ONLY and not request.user.is_admin:
            return answers.text("Forbidden", 403)
        value = preferences[name]
        return answers.as_json(value)

    def _preferences(self) -> dict[str, object]:
        site = self._settings
        return {
            "buildInfo": {"version": site.version, "buildNumber": "1", "commit": "0000000", "buildDate": "2024-01-15"},
            "siteHome": "/screens/QuickSearch.vm",
            "siteId": site.site_id,
            "siteLogoPath": "/images/logo.png",
            "siteUrl": site.site_url,
            "processingUrl": site.processing_url,
            "checksums": site.checksums,
            "defaultProjectAutoArchiveSetting": site.default_prearchive_code,
            "dicomFileNameTemplate": site.dicom_file_name_template,
            "enableSitewideAnonymizationScript": site.enable_sitewide_anonymization_script,
            "sitewideAnonymizationScript": site.sitewide_anonymization_script,
            "enableSitewideSeriesImportFilter": bool(site.series_import_filter or site.sitewide_series_import_filter),
            "sitewideSeriesImportFilter": site.sitewide_series_import_filter,
            "sitewideSeriesImportFilterMode": "blacklist",
            "failMergeOn": "",
            "projectAllowAutoArchive": site.project_allow_auto_archive,
            "sessionXmlRebuilderInterval": site.session_xml_rebuilder_interval,
            "sessionXmlRebuilderRepeat": int(site.session_xml_rebuilder_repeat * 1000),
            "uiAllowNonAdminProjectCreation": site.ui_allow_non_admin_project_creation,
            "uiDefaultCompressedUploaderImporter": site.ui_default_compressed_uploader_importer,
            "zipExtensions": "zip,jar,rar,ear,gar,xar",
            "concurrentMaxSessions": site.concurrent_max_sessions,
            "sessionTimeout": f"{int(site.session_timeout // 60)} minutes",
            "sessionArchiveTimeoutInterval": int(site.session_archive_timeout),
            "aliasTokenTimeout": f"{int(site.alias_token_timeout // 86400)} days",
            "preventCrossModalityMerge": site.prevent_cross_modality_merge,
            "passwordComplexityMessage": "Password is not sufficiently complex.",
            "requireLogin": site.require_login,
            "sitewidePetTracers": "PIB\nFDG",
            "receivedFileUser": "admin",
            "useSopInstanceUidToUniquelyIdentifyDicom": True,
        }

    def active_sessions(self, request: Request) -> Response:
        """List a user's open sessions, to that user and administrators (XNAT's UsersApi)."""
        name = request.path_params["name"]
        if name != request.user.name and not request.user.is_admin:
            return answers.text("Forbidden", 403)
        return answers.as_json(self._accounts.session_ids(name))

    def end_sessions(self, request: Request) -> Response:
        """End a user's open sessions and list them, for that user and administrators."""
        listed = self.active_sessions(request)
        if listed.status_code == 200:  # noqa: PLR2004  not forbidden
            for session in self._accounts.session_ids(request.path_params["name"]):
                self._accounts.end(session)
        return listed

    # schemas, §2.3

    def schemas(self, _request: Request) -> Response:
        """List the schemas."""
        return answers.as_json(sorted(path.stem for path in _SCHEMAS.glob("*.xsd")))

    def schema(self, request: Request) -> Response:
        """Send a schema."""
        path = _SCHEMAS / f"{Path(request.path_params['name']).name}.xsd"
        return FileResponse(path, media_type="application/xml") if path.is_file() else answers.empty(404)

    # data types, §2.4

    def elements(self, request: Request) -> Response:
        """List the data types of the site."""
        counts = {row["xsi_type"]: row["n"] for row in self._store.rows(_COUNT)}
        names = ["xnat:projectData", "xnat:subjectData", *all_session_types()]
        types = self._settings.session_types
        registered = _REGISTERED if types is None else {*names[:2], *types}
        rows = [
            {
                "ELEMENT_NAME": name,
                "SINGULAR": name.partition(":")[2],
                "PLURAL": f"{name.partition(':')[2]}s",
                "SECURED": "true",
                "COUNT": counts.get(name, 0),
            }
            for name in names
            if name in {*registered, *counts}
        ]
        return answers.table(request, rows)

    def element(self, request: Request) -> Response:
        """List the fields of a data type."""
        name = request.path_params["name"]
        rows = [
            {"FIELD_ID": field, "HEADER": field.title(), "SUMMARY": f"{name}.{field}", "TYPE": "string"}
            for field in _FIELDS
        ]
        return answers.table(request, rows)

    def access(self, request: Request) -> Response:
        """List the projects with the role that the user has in each."""
        projects = [row["id"] for row in self._store.rows("SELECT id FROM projects ORDER BY id")]
        rows = [
            {"ID": project, "role": self._rights.role(request.user, project)}
            for project in projects
            if self._rights.can_see(request.user, project)
        ]
        return answers.as_json(rows)
