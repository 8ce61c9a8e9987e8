"""Signing in with an OpenID Connect provider, by HTTP, from the sign-in page to signing out."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import trustme

from standins.oidc import OpenIdProvider
from support.house import House, wait_for
from support.office import ORGANIZATION, PORT, answers
from support.visit import Visit

SETTINGS = """
[admin]
address = "ADDRESS:8025"
proxies = ["127.0.0.0/8"]
oidc_issuer = "{issuer}"
oidc_client_id = "{client_id}"
oidc_client_secret_env = "OIDC_SECRET"

[admin.oidc_roles]
"Relay.Admin" = "Organization Management"
"Relay.Reader" = "View-Only Organization Management"
"""
CALLBACK = "/sign-in/oidc/callback"


class Entrance:
    """The admin address, and the provider that its people come from."""

    def __init__(self, house: House, provider: OpenIdProvider, authority: trustme.CA) -> None:
        self.house = house
        self.provider = provider
        self.url = f"http://{house.address}:{PORT}"
        provider.redirect_uris |= {f"{self.url}{CALLBACK}", f"https://{house.address}:{PORT}{CALLBACK}"}
        self._context = ssl.create_default_context()
        authority.configure_trust(self._context)

    def at_provider(self, address: str) -> str:
        """Where the provider sends the browser."""
        answer = httpx.get(address, verify=self._context, trust_env=False)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]


@pytest.fixture(scope="module")
def entrance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entrance]:
    folder: Path = tmp_path_factory.mktemp("entrance")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "root.pem"))
    with OpenIdProvider(authority) as provider:
        settings = SETTINGS.format(issuer=provider.issuer, client_id=provider.client_id)
        house = House(folder / "house", f'trusted_roots = ["{folder / "root.pem"}"]\n{ORGANIZATION}', settings)
        house.apply()
        house.run("admin", "new", "keeper", "--password-env", "KEEPER", KEEPER="correct horse battery")
        house.start(OIDC_SECRET=provider.secret)
        made = Entrance(house, provider, authority)
        wait_for(lambda: answers(made.url), what="the admin address to answer")
        yield made
        house.clean_up()


@pytest.fixture
def browser(entrance: Entrance) -> Iterator[httpx.Client]:
    entrance.provider.user = {"sub": "1", "preferred_username": "Anna@contoso.com", "roles": ["Relay.Admin"]}
    entrance.provider.tampered = lambda claims: claims
    with httpx.Client(base_url=entrance.url, timeout=30, trust_env=False) as client:
        yield client


def begun(browser: httpx.Client, to: str = "/settings") -> str:
    """Where the sign-in page's link leads."""
    page = browser.get("/sign-in", params={"next": to})
    assert "Sign in with 127.0.0.1" in page.text
    answer = browser.get("/sign-in/oidc", params={"next": to})
    assert answer.status_code == 303
    return answer.headers["location"]


def signed_in(entrance: Entrance, browser: httpx.Client, to: str = "/settings") -> httpx.Response:
    return browser.get(entrance.at_provider(begun(browser, to)))


def test_who_has_a_role_comes_in_where_he_wanted_to_go_and_is_on_record(
    entrance: Entrance, browser: httpx.Client
) -> None:
    answer = signed_in(entrance, browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings")
    page = browser.get("/account")
    assert "oidc:anna@contoso.com" in page.text
    assert "those of the provider" in page.text
    assert browser.get("/audit?who=oidc:anna@contoso.com&act=Connect-Administrator").text.count("Connect-Adm") >= 1
    csrf = page.text.partition('name="csrf" value="')[2].partition('"')[0]
    assert browser.post("/account/password", data={"csrf": csrf, "password": "x", "new": "y"}).status_code == 403
    browser.post("/sign-out", data={"csrf": csrf})
    assert browser.get("/account").headers["location"].startswith("/sign-in")


def test_the_role_is_that_of_the_claim(entrance: Entrance, browser: httpx.Client) -> None:
    entrance.provider.user["roles"] = ["Other.App", "Relay.Reader"]
    signed_in(entrance, browser)
    assert browser.get("/settings").status_code == 200
    assert browser.get("/settings/edit").status_code == 403


@pytest.mark.parametrize("roles", [[], ["Other.App"], "Organization Management", None])
def test_who_has_none_does_not_come_in(entrance: Entrance, browser: httpx.Client, roles: object) -> None:
    entrance.provider.user["roles"] = roles
    answer = signed_in(entrance, browser)
    assert (answer.status_code, "posthouse_session" in browser.cookies) == (401, False)
    assert "no role here is given to anna@contoso.com" in answer.text
    with Visit(entrance, "keeper") as keeper:
        assert "no role here is given to anna@contoso.com" in keeper.get("/audit.csv?outcome=refused").response.text


def test_an_administrators_name_makes_nobody_him(entrance: Entrance, browser: httpx.Client) -> None:
    entrance.provider.user |= {"preferred_username": "keeper", "roles": ["Relay.Reader"]}
    signed_in(entrance, browser)
    assert browser.get("/settings/edit").status_code == 403
    assert "oidc:keeper" in browser.get("/account").text


def test_an_answer_from_another_browser_is_none(entrance: Entrance, browser: httpx.Client) -> None:
    back = entrance.at_provider(begun(browser))
    with httpx.Client(base_url=entrance.url, trust_env=False) as victim:
        refused = victim.get(back)
        assert (refused.status_code, "posthouse_session" in victim.cookies) == (401, False)
        begun(victim)
        assert victim.get(back).status_code == 401


def test_an_answer_is_good_once(entrance: Entrance, browser: httpx.Client) -> None:
    back = entrance.at_provider(begun(browser))
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 401


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "/\tevil", "javascript:x"]
)
def test_nobody_is_sent_elsewhere(entrance: Entrance, browser: httpx.Client, to: str) -> None:
    browser.get("/sign-in/oidc", params={"next": to})
    answer = signed_in(entrance, browser, to)
    assert answer.headers["location"] == "/"


def test_a_token_that_is_not_valid_lets_nobody_in(entrance: Entrance, browser: httpx.Client) -> None:
    entrance.provider.tampered = lambda claims: claims | {"exp": int(time.time()) - 3600}
    answer = signed_in(entrance, browser)
    assert (answer.status_code, "token is not valid" in answer.text) == (401, True)


def test_a_session_begins_anew_whatever_cookie_was_there(entrance: Entrance, browser: httpx.Client) -> None:
    browser.cookies.set("posthouse_session", "fixed by another")
    answer = signed_in(entrance, browser)
    assert "fixed by another" not in answer.headers["set-cookie"]
    (cookie,) = [each for each in answer.headers.get_list("set-cookie") if each.startswith("posthouse_session=")]
    assert {"HttpOnly", "SameSite=lax"} <= set(cookie.split("; "))


def test_behind_a_proxy_with_tls_cookies_are_secure_and_the_address_is_its_own(
    entrance: Entrance, browser: httpx.Client
) -> None:
    by_tls = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.44"}
    answer = browser.get("/sign-in/oidc", headers=by_tls)
    assert "; Secure" in answer.headers["set-cookie"]
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["redirect_uri"] == [f"https://{entrance.house.address}:{PORT}{CALLBACK}"]
    back = urlsplit(entrance.at_provider(answer.headers["location"]))
    sent = answer.headers["set-cookie"].partition(";")[0]
    answer = browser.get(f"{back.path}?{back.query}", headers={**by_tls, "Cookie": sent})
    assert answer.status_code == 303, answer.text
    assert all("; Secure" in each for each in answer.headers.get_list("set-cookie") if "posthouse_session=" in each)
    with Visit(entrance, "keeper") as keeper:
        assert "192.0.2.44" in keeper.get("/audit.csv?who=oidc:*").response.text


def test_a_manager_ends_the_sessions_of_who_came_so(entrance: Entrance, browser: httpx.Client) -> None:
    signed_in(entrance, browser)
    with Visit(entrance, "keeper") as keeper:
        page = keeper.get("/administrators")
        assert "Relay.Reader" in page.text
        keeper.post("/administrators/end-sessions", csrf=page.fields["csrf"], name="oidc:anna@contoso.com")
    assert browser.get("/account").headers["location"].startswith("/sign-in")


def test_guessing_costs_waiting(entrance: Entrance) -> None:
    headers = {"X-Forwarded-For": "192.0.2.99"}
    statuses = [
        httpx.get(f"{entrance.url}{CALLBACK}?state=a&code=b", headers=headers, trust_env=False).status_code
        for _ in range(23)
    ]
    assert (statuses[0], statuses[-1]) == (401, 429)
