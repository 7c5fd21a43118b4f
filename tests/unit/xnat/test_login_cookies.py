"""The cookie of a login goes back to where the login was made, and nowhere less safe."""

import pytest
import requests

from tcia_xnat.web.session import Session
from tcia_xnat.xnat.login import _let_cookies_go_to


@pytest.mark.parametrize(("site", "is_sent"), [("http://xnat.example.org", True), ("https://xnat.example.org", False)])
def test_a_secure_cookie_goes_over_plain_http_only_where_the_login_did(site: str, *, is_sent: bool) -> None:
    session = Session()
    session.cookies.set("JSESSIONID", "1", domain="xnat.example.org", secure=True)
    _let_cookies_go_to(site, session)
    asked = session.prepare_request(requests.Request("GET", "http://xnat.example.org/data/auth"))
    assert ("Cookie" in asked.headers) is is_sent
