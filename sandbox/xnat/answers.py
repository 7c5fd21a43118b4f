"""How XNAT answers: Restlet's error pages, uri-lists, JSON tables and items."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

_RESTLET_PAGE = """<html>
<head>
   <title>Status page</title>
</head>
<body>
<h3>{message}</h3><p>You can get technical details <a href="http://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html#sec10.\
{section}">here</a>.<br>
Please continue your visit at our <a href="/">home page</a>.
</p>
</body>
</html>
"""
_TOMCAT_PAGE = (
    '<!doctype html><html lang="en"><head><title>HTTP Status {status}</title></head>'
    "<body><h1>HTTP Status {status}</h1><p><b>Message</b> {message}</p></body></html>"
)
_PAGE_ROWS = 100
Cells = Mapping[str, Any]


class Refused(Exception):
    """A request that XNAT answers with a status of 400 or more.

    Parameters
    ----------
    status, message
        Of the answer; the message stands in the error page as it is (xnat-http.md §0.3).
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def restlet_page(status: int, message: str) -> Response:
    """Return Restlet's status page (xnat-http.md §0.3)."""
    section = f"{status // 100}.{status % 100 + 1}"
    return Response(_RESTLET_PAGE.format(message=message, section=section), status, media_type="text/html")


def tomcat_page(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return Tomcat's error page, as filters before Restlet send it (xnat-http.md §0.3)."""
    return Response(_TOMCAT_PAGE.format(status=status, message=message), status, headers, media_type="text/html")


def empty(status: int = 200) -> Response:
    """Return an answer without a body."""
    return Response(b"", status)


def text(body: str, status: int = 200) -> Response:
    """Return plain text."""
    return PlainTextResponse(body, status)


def uri_list(uris: Iterable[str]) -> Response:
    """Return one URI per line, every line ended by CRLF (xnat-http.md §5.5)."""
    return Response("".join(f"{uri}\r\n" for uri in uris), media_type="text/uri-list")


def table(request: Request, rows: Sequence[Cells], columns: Sequence[str] = (), title: str = "") -> Response:
    """Return rows as JSON table, or as CSV when asked for; all values are texts, null is empty (xnat-http.md §0.5)."""
    texts = [{name: _cell(value) for name, value in row.items()} for row in rows]
    if request.query_params.get("format") == "csv":
        return Response(_csv(texts, columns), media_type="text/csv")
    result: dict[str, Any] = {"Result": texts, "totalRecords": str(len(texts))}
    if title:
        result["title"] = title
    return as_json({"ResultSet": result})


def page(request: Request, rows: Sequence[Cells]) -> Response:
    """Return a table; with `limit` or `offset` only a part of it, which does not tell how many there are (§10.2)."""
    query = request.query_params
    if not {"limit", "offset"} & set(query):
        return table(request, rows)
    start, count = (int(query.get(name, "")) if query.get(name, "").isdecimal() else default
                    for name, default in (("offset", 0), ("limit", _PAGE_ROWS)))  # fmt: skip
    part = [{name: _cell(value) for name, value in row.items()} for row in rows[start : start + count]]
    return as_json({"ResultSet": {"Result": part}})


def item(xsi_type: str, fields: Cells, children: Iterable[Cells] = ()) -> dict[str, Any]:
    """Return an item of XNAT's model as JSON has it (xnat-http.md §0.5)."""
    return {
        "children": list(children),
        "meta": {
            "create_event_id": 0,
            "xsi:type": xsi_type,
            "isHistory": False,
            "start_date": "Mon Jan 15 10:00:00 UTC 2024",
        },
        "data_fields": {name: value for name, value in fields.items() if value not in (None, "")},
    }


def items(found: Mapping[str, Any]) -> Response:
    """Return the JSON document of one item."""
    return as_json({"items": [found]})


def item_as_xml(element: str, fields: Cells) -> Response:
    """Return the XML document of one item, as far as clients of this server read it."""
    attributes = {name: str(value) for name, value in fields.items() if name in {"ID", "project", "label", "UID"}}
    root = ET.Element(f"xnat:{element}", attributes | {"xmlns:xnat": "http://nrg.wustl.edu/xnat"})
    for name, value in fields.items():
        if name not in attributes and value not in (None, ""):
            ET.SubElement(root, f"xnat:{name}").text = str(value)
    return Response(ET.tostring(root, "utf-8", xml_declaration=True), media_type="text/xml")


def as_json(content: object, status: int = 200) -> Response:
    """Return a JSON document."""
    return Response(json.dumps(content), status, media_type="application/json")


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _csv(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]) if rows else list(columns), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
