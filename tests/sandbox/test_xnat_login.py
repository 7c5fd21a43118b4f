"""Logging in to the sandbox's XNAT (xnat-http.md §1, §15.1 to §15.6)."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.xnat import Settings, XnatServer
from tests.sandbox.xnat_case import PROJECT, RECOMMENDED, Site, dicom, message, zipped

ADMIN = ("admin", "admin")
LOGIN_FAILURE = "invalid or your user already has the maximum number of user sessions open"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[XnatServer]:
    with XnatServer(tmp_path) as server:
        yield server


def get(server: XnatServer, path: str = "/data/auth", **options: Any) -> requests.Response:  # noqa: ANN401  as requests takes them
    return requests.get(server.url + path, allow_redirects=False, timeout=30, **options)


def test_basic_opens_a_session_that_its_cookie_continues(server: XnatServer) -> None:
    first = get(server, auth=ADMIN)
    cookie = first.cookies["JSESSIONID"]
    assert (first.status_code, first.text) == (200, "User 'admin' is logged in")
    assert re.fullmatch(r"[0-9A-F]{32}", cookie)
    assert "HttpOnly" in first.headers["Set-Cookie"]
    again = get(server, cookies={"JSESSIONID": cookie})
    assert again.text == "User 'admin' is logged in"
    assert "JSESSIONID" not in again.cookies


def test_basic_of_the_cookies_user_is_not_checked_again(server: XnatServer) -> None:
    cookies = {"JSESSIONID": get(server, auth=ADMIN).cookies["JSESSIONID"]}
    assert get(server, auth=("admin", "wrong"), cookies=cookies).status_code == 200
    assert get(server, auth=("somebody", "wrong"), cookies=cookies).status_code == 401


def test_wrong_password_is_401_with_tomcats_page(server: XnatServer) -> None:
    answer = get(server, auth=("admin", "wrong"))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="XNAT"'
    assert LOGIN_FAILURE in answer.text
    assert get(server, "/data/JSESSION", auth=("admin", "wrong")).status_code == 401


def test_without_a_login_programs_get_401_and_browsers_the_login_page(server: XnatServer) -> None:
    answer = get(server, cookies={"JSESSIONID": "0" * 32})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="XNAT"')
    sent_on = get(server, headers={"User-Agent": "Mozilla/5.0 (X11)"})
    assert (sent_on.status_code, sent_on.headers["Location"]) == (302, "/app/template/Login.vm")
    page = get(server, sent_on.headers["Location"])
    assert page.status_code == 200
    assert page.text.startswith("<!DOCTYPE html>")


def test_jsession_is_no_check_of_a_login(server: XnatServer) -> None:
    answer = get(server, "/data/JSESSION", cookies={"JSESSIONID": "0" * 32})
    assert answer.status_code == 200
    assert answer.text == answer.cookies["JSESSIONID"] != "0" * 32
    assert get(server, cookies={"JSESSIONID": answer.text}).status_code == 401
    assert "; XNAT_CSRF=" in get(server, "/data/JSESSION?CSRF=true").text


def test_delete_jsession_ends_the_session(server: XnatServer) -> None:
    cookies = {"JSESSIONID": get(server, auth=ADMIN).cookies["JSESSIONID"]}
    ended = requests.delete(f"{server.url}/data/JSESSION", cookies=cookies, timeout=30)
    assert (ended.status_code, ended.text) == (200, "")
    assert get(server, cookies=cookies).status_code == 401


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_services_auth_takes_a_form(server: XnatServer, method: str) -> None:
    form = {"username": "admin", "password": "admin"}
    answer = requests.request(method, f"{server.url}/data/services/auth", data=form, timeout=30)
    assert answer.status_code == 200
    assert re.fullmatch(r"[0-9A-F]{32}", answer.text)
    assert answer.cookies["JSESSIONID"] == answer.text
    assert get(server, cookies={"JSESSIONID": answer.text}).status_code == 200


def test_services_auth_refuses(server: XnatServer) -> None:
    url = f"{server.url}/data/services/auth"
    wrong = requests.put(url, data={"username": "admin", "password": "no"}, timeout=30)
    assert (wrong.status_code, message(wrong)) == (401, "Authentication failed.")
    unknown = requests.put(url, data={"username": "admin", "password": "admin", "provider": "ldap1"}, timeout=30)
    assert unknown.status_code == 400
    assert message(unknown).startswith("Authentication failed: ")
    assert get(server, "/data/services/auth", auth=ADMIN).status_code == 404


def test_alias_token_logs_in_until_it_is_invalidated(server: XnatServer) -> None:
    token = get(server, "/data/services/tokens/issue", auth=ADMIN).json()
    credentials = (token["alias"], token["secret"])
    assert re.fullmatch(r"[0-9a-f-]{36}", token["alias"])
    assert re.fullmatch(r"[A-Za-z0-9]{64}", token["secret"])
    ends = token["estimatedExpirationTime"] / 1000 - server.settings.clock.now()
    assert abs(ends - 2 * 24 * 3600) < 60
    opened = get(server, auth=credentials)
    assert opened.text == "User 'admin' is logged in"
    path = f"/data/services/tokens/validate/{token['alias']}/{token['secret']}"
    assert get(server, path, auth=ADMIN).json() == {"valid": "admin"}
    path = path.replace("validate", "invalidate")
    assert get(server, path, auth=ADMIN).json() == {"result": "OK"}
    assert get(server, path, auth=ADMIN).status_code == 404
    assert get(server, auth=credentials).status_code == 401
    assert get(server, cookies={"JSESSIONID": opened.cookies["JSESSIONID"]}).status_code == 200


def test_token_pages_refuse(server: XnatServer) -> None:
    server.add_user("u", "p")
    assert get(server, "/data/services/tokens/issue").status_code == 401
    assert get(server, "/data/services/tokens/issue/user/admin", auth=("u", "p")).status_code == 403
    assert get(server, "/data/services/tokens/issue/user/u", auth=ADMIN).json()["xdatUserId"] == "u"
    assert get(server, "/data/services/tokens/burn/a/b", auth=ADMIN).status_code == 400


def test_tokens_die_by_the_sweep_and_their_sessions_live_on(server: XnatServer) -> None:
    server.settings.alias_token_timeout = 60
    token = get(server, "/data/services/tokens/issue", auth=ADMIN).json()
    credentials = (token["alias"], token["secret"])
    server.settings.clock.advance(61)
    opened = get(server, auth=credentials)
    assert opened.status_code == 200  # nothing looks at its date
    server.advance(minutes=1)
    assert get(server, auth=credentials).status_code == 401
    assert get(server, cookies={"JSESSIONID": opened.cookies["JSESSIONID"]}).status_code == 200


def test_the_session_after_the_last_is_refused(server: XnatServer) -> None:
    server.settings.concurrent_max_sessions = 2
    cookies = [get(server, auth=ADMIN).cookies["JSESSIONID"] for _ in range(2)]
    refused = get(server, auth=ADMIN)
    assert refused.status_code == 401
    assert LOGIN_FAILURE in refused.text
    assert get(server, cookies={"JSESSIONID": cookies[0]}).status_code == 200
    requests.delete(f"{server.url}/data/JSESSION", cookies={"JSESSIONID": cookies[1]}, timeout=30)
    assert get(server, auth=ADMIN).status_code == 200


def test_idle_sessions_end(server: XnatServer) -> None:
    answer = get(server, auth=ADMIN)
    said = re.search(r'SESSION_EXPIRATION_TIME="(\d+),(\d+)"', answer.headers["Set-Cookie"])
    assert said
    assert said[2] == "900000"
    assert abs(int(said[1]) / 1000 - server.settings.clock.now()) < 60
    cookies = {"JSESSIONID": answer.cookies["JSESSIONID"]}
    server.advance(minutes=14)
    assert get(server, cookies=cookies).status_code == 200
    server.advance(minutes=14)
    assert get(server, cookies=cookies).status_code == 200
    server.advance(minutes=16)
    assert get(server, cookies=cookies).status_code == 401


def test_a_session_does_not_end_during_a_request(tmp_path: Path) -> None:
    with Site(tmp_path) as site:
        cookies = {"JSESSIONID": get(site.server, auth=ADMIN).cookies["JSESSIONID"]}
        url, statuses = f"{site.server.url}/data/services/import", list[int]()
        body = zipped({"1.dcm": dicom()})

        def upload() -> None:
            kind = {"Content-Type": "application/zip"}
            sent = requests.post(url, body, params=RECOMMENDED, cookies=cookies, headers=kind, timeout=30)
            statuses.append(sent.status_code)

        arrived, work = site.settings.breakpoints.close("import"), threading.Thread(target=upload)
        work.start()
        assert arrived.wait(10)
        site.server.advance(minutes=20)
        get(site.server, auth=ADMIN)  # a new login looks for sessions that are over
        site.settings.breakpoints.open("import")
        work.join(10)
        site.server.advance(minutes=14)
        assert (statuses, get(site.server, cookies=cookies).status_code) == ([200], 200)


def test_an_expired_password_is_403_until_it_is_changed(server: XnatServer) -> None:
    cookies = {"JSESSIONID": get(server, auth=ADMIN).cookies["JSESSIONID"]}
    server.parts.accounts.expire_password("admin")
    for options in ({"auth": ADMIN}, {"cookies": cookies}):
        answer = get(server, **options)
        assert answer.status_code == 403
        assert "Your password has expired. Please try again after changing your password." in answer.text
    assert get(server, "/data/JSESSION", auth=ADMIN).status_code == 200
    server.add_user("admin", "new")
    assert get(server, cookies=cookies).status_code == 200


def test_too_many_failures_lock_the_account(server: XnatServer) -> None:
    server.settings.max_failed_logins = 2
    for _ in range(2):
        get(server, auth=("admin", "wrong"))
    assert get(server, auth=ADMIN).status_code == 401


def test_https_sites_mark_their_cookies_secure(tmp_path: Path) -> None:
    with XnatServer(tmp_path, settings=Settings(site_url="https://xnat.example.org")) as server:
        assert get(server, auth=ADMIN).headers["Set-Cookie"].count("; Secure") == 2
        server.settings.allow_insecure_cookies = True
        assert "; Secure" not in get(server, auth=ADMIN).headers["Set-Cookie"]


def test_over_plain_http_a_secure_cookie_does_not_come_back(tmp_path: Path) -> None:
    settings = Settings(site_url="https://xnat.example.org", concurrent_max_sessions=3)
    with XnatServer(tmp_path, settings=settings) as server, requests.Session() as client:
        client.auth = ADMIN
        statuses = [client.get(f"{server.url}/data/auth", timeout=30).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 401]
        assert server.parts.accounts.open_sessions("admin") == 3
        server.parts.accounts.end_all()
        cookie = get(server, auth=ADMIN).cookies["JSESSIONID"]
        for _ in range(4):
            assert get(server, headers={"Cookie": f"JSESSIONID={cookie}"}, auth=ADMIN).status_code == 200
        assert server.parts.accounts.open_sessions("admin") == 1


def test_open_sites_know_a_guest(tmp_path: Path) -> None:
    with XnatServer(tmp_path, settings=Settings(require_login=False)) as server:
        assert get(server).text == "User 'guest' is logged in"
        assert get(server, "/data/projects/P").status_code == 404
        assert requests.put(f"{server.url}/data/projects/P", timeout=30).status_code == 403
        assert get(server, "/data/services/tokens/issue").status_code == 403


def test_a_site_that_is_not_set_up_answers_403(tmp_path: Path) -> None:
    with XnatServer(tmp_path, settings=Settings(initialized=False)) as server:
        answer = get(server, auth=ADMIN)
        assert answer.status_code == 403
        assert "Site has not yet been configured." in answer.text


def test_context_path_is_in_addresses_and_cookies(tmp_path: Path) -> None:
    with XnatServer(tmp_path, settings=Settings(context_path="/xnat")) as server:
        assert server.url.endswith("/xnat")
        answer = get(server, auth=ADMIN)
        assert "Path=/xnat;" in answer.headers["Set-Cookie"]
        sent_on = get(server, headers={"User-Agent": "Mozilla/5.0"})
        assert sent_on.headers["Location"] == "/xnat/app/template/Login.vm"
        outside = requests.get(server.url.removesuffix("/xnat") + "/data/auth", auth=ADMIN, timeout=30)
        assert outside.status_code == 404
        assert get(server, "").headers["Location"] == "/xnat/"
        assert "JSESSIONID" in requests.get(server.url, auth=ADMIN, timeout=30).cookies


def test_returned_addresses_are_without_the_context_path(tmp_path: Path) -> None:
    with Site(tmp_path, Settings(context_path="/xnat"), code=4) as site:
        uri = site.built()
        assert uri.startswith(f"/data/prearchive/projects/{PROJECT}/")
        [row] = site.rows(f"/data/prearchive/projects/{PROJECT}")
        assert f"/data{row['url']}" == uri
        answer = site.archive(uri)
        path = f"/data/archive/projects/{PROJECT}/subjects/S1/experiments/E1"
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{site.server.url}{path}")
        assert site.ask("GET", path, format="json").json()["items"][0]["data_fields"]["label"] == "E1"


def test_everything_asked_is_recorded(server: XnatServer) -> None:
    get(server, "/data/auth?x=1", auth=ADMIN)
    get(server, "/data/auth")
    assert ("GET", "/data/auth?x=1", 200, "admin", True) in server.requests
    assert server.requests[-1] == ("GET", "/data/auth", 401, "guest", False)


def test_all_sessions_can_be_ended_at_once(server: XnatServer) -> None:
    cookies = {"JSESSIONID": get(server, auth=ADMIN).cookies["JSESSIONID"]}
    server.parts.accounts.end_all()
    assert get(server, cookies=cookies).status_code == 401


def test_something_around_the_application_may_answer_instead(tmp_path: Path) -> None:
    def around(application: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            broken = scope["type"] == "http" and scope["path"] == "/data/auth"
            await (Response("busy", 503) if broken else application)(scope, receive, send)

        return answer

    with XnatServer(tmp_path, around=around) as server:
        assert get(server, auth=ADMIN).status_code == 503
        assert get(server, "/data/projects", auth=ADMIN).status_code == 200
        assert [asked.status for asked in server.requests] == [503, 200]


def test_site_pages(server: XnatServer) -> None:
    server.add_user("u", "p")
    assert get(server, "/data/version", auth=ADMIN).status_code == 404
    assert get(server, "/xapi/siteConfig/buildInfo").json()["version"] == "1.8.10.1"
    assert get(server, "/xapi/siteConfig/siteUrl").json() == server.url
    assert get(server, "/xapi/siteConfig/sessionXmlRebuilderInterval").status_code == 401
    assert get(server, "/xapi/siteConfig/sessionXmlRebuilderInterval", auth=("u", "p")).json() == 5
    assert get(server, "/xapi/siteConfig/requireLogin", auth=("u", "p")).status_code == 403
    assert get(server, "/xapi/siteConfig/requireLogin", auth=ADMIN).json() is True
    assert get(server, "/xapi/siteConfig/nonsense", auth=ADMIN).status_code == 404
    assert get(server, "/xapi/schemas", auth=ADMIN).json() == ["xdat", "xnat"]
    assert get(server, "/xapi/schemas/xnat/none", auth=ADMIN).status_code == 404
    elements = get(server, "/data/search/elements?format=json", auth=ADMIN).json()["ResultSet"]["Result"]
    assert "xnat:ctSessionData" in {row["ELEMENT_NAME"] for row in elements}
