"""Signing in and out by the pages, and what every page has: a strict policy, a token in its forms, a language."""

from __future__ import annotations

import pytest

from support.office import PASSWORD, Office
from support.visit import Visit


def test_whoever_has_not_signed_in_is_sent_to_do_so_and_then_back(office: Office) -> None:
    with Visit(office) as visit:
        page = visit.get("/connectors?q=desk")
        assert page.path == "/sign-in?next=%2Fconnectors%3Fq%3Ddesk"
        page = visit.press(page, "/sign-in", name="keeper", password=PASSWORD)
    assert (page.path, page.status) == ("/connectors?q=desk", 200)


def test_a_wrong_password_keeps_the_name(office: Office) -> None:
    with Visit(office) as visit:
        page = visit.press(visit.get("/sign-in"), "/sign-in", name="keeper", password="wrong")
    assert (page.status, page.fields["name"], page.fields["password"]) == (401, "keeper", "")
    assert "Name, password or code is wrong" in page.text


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example/", "/\\evil.example", "/\tevil"])
def test_no_sign_in_leads_to_another_site(office: Office, elsewhere: str) -> None:
    with Visit(office) as visit:
        assert visit.post("/sign-in", name="keeper", password=PASSWORD, next=elsewhere).path == "/"


def test_signing_out_ends_the_session(keeper: Visit) -> None:
    cookies = dict(keeper.cookies)
    page = keeper.press(keeper.get("/"), "/sign-out")
    assert page.path == "/sign-in"
    assert "You are signed out" in page.text
    keeper.cookies.update(cookies)
    assert keeper.get("/").path == "/sign-in"


def test_a_form_changes_nothing_without_its_token(keeper: Visit) -> None:
    page = keeper.post("/connectors/inbound/Desk/enabled", enabled="0")
    assert page.status == 403
    assert "another session" in page.text
    assert keeper.post("/connectors/inbound/Desk/enabled", enabled="0", csrf="0" * 64).status == 403


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_form_on_a_page_of_another_site_does_nothing(office: Office, headers: dict[str, str]) -> None:
    with Visit(office) as visit:
        page = visit.post("/sign-in", headers, name="keeper", password=PASSWORD)
        assert page.status == 403
        assert not visit.cookies


@pytest.mark.parametrize("path", ["/sign-in", "/setup", "/", "/connectors", "/connectors/new", "/nowhere"])
def test_every_page_has_a_strict_policy(keeper: Visit, path: str) -> None:
    page = keeper.get(path)
    policy = page.response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert page.response.headers["content-type"].startswith("text/html")


def test_what_is_not_there_is_a_page_for_people_and_a_problem_for_programs(office: Office, keeper: Visit) -> None:
    page = keeper.get("/nowhere")
    assert (page.status, "There is nothing here" in page.text) == (404, True)
    answer = office.client().get("/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_the_browser_chooses_the_language(office: Office) -> None:
    with Visit(office) as visit:
        swedish = visit.get("/sign-in", **{"Accept-Language": "fi, sv-SE;q=0.9, en;q=0.8"})
        english = visit.get("/sign-in", **{"Accept-Language": "de, en;q=0.5, sv;q=0"})
    assert ("Logga in" in swedish.text, '<html lang="sv"' in swedish.response.text) == (True, True)
    assert ("Sign in" in english.text, '<html lang="en"' in english.response.text) == (True, True)


def test_a_theme_is_remembered(keeper: Visit) -> None:
    page = keeper.press(keeper.get("/connectors"), "/theme", ("theme", "dark"))
    assert page.path == "/connectors"
    assert 'data-theme="dark"' in page.response.text
    assert 'data-theme="dark"' in keeper.get("/").response.text
