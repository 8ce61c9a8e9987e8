"""Signing in as people do: cookie, CSRF header, codes, waits; and what the admin address answers to at all."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from posthouse.admin import Role
from posthouse.admin.totp import code_at
from support.office import PASSWORD, PORT, Office, done, problem, seen

CREDENTIALS = {"name": "alice", "password": PASSWORD}


@pytest.fixture
def alice(office: Office) -> Iterator[dict[str, Any]]:
    """An administrator, and what was answered when she was made."""
    made = done(office.client().post("/administrators", json=CREDENTIALS))
    yield made
    done(office.client().delete("/administrators/alice", headers={"If-Match": "*"}))


def first_line(office: Office, request: bytes) -> bytes:
    """Of the answer to bytes that no HTTP client would send."""
    with socket.create_connection((office.house.address, PORT), timeout=10) as raw, raw.makefile("rb") as answer:
        raw.sendall(request)
        return answer.readline()


@contextmanager
def signed_in(office: Office, **more: str) -> Iterator[httpx.Client]:
    with office.new_client() as browser:
        done(browser.post("/session", json={**CREDENTIALS, **more}))
        yield browser


def test_a_session_is_a_cookie_that_no_script_reads(office: Office, alice: dict[str, Any]) -> None:
    with office.new_client() as browser:
        answer = browser.post("/session", json=CREDENTIALS)
    cookie = answer.headers["set-cookie"].lower()
    assert ("httponly" in cookie, "samesite=lax" in cookie, "path=/" in cookie) == (True, True, True)
    assert done(answer)["roles"] == [Role.ORGANIZATION_MANAGEMENT.value]


def test_a_session_changes_nothing_without_its_csrf_token(office: Office, alice: dict[str, Any]) -> None:
    with signed_in(office) as browser:
        made = browser.get("/organization")
        problem(browser.patch("/organization", json={}, headers=seen(made)), 403)
        wrong = {**seen(made), "X-CSRF-Token": "0" * 64}
        problem(browser.patch("/organization", json={}, headers=wrong), 403)
        token = {"X-CSRF-Token": done(browser.get("/session"))["csrf"]}
        done(browser.patch("/organization", json={}, headers=seen(made) | token))
        problem(browser.delete("/session"), 403)
        cookies = dict(browser.cookies)
        done(browser.delete("/session", headers=token))
        with office.new_client() as thief:
            thief.cookies.update(cookies)
            problem(thief.get("/session"), 401)


def test_a_form_of_another_site_signs_nobody_in(office: Office, alice: dict[str, Any]) -> None:
    text = f'{{"name": "alice", "password": "{PASSWORD}"}}'
    problem(office.anyone.post("/session", content=text, headers={"Content-Type": "text/plain"}), 422)
    problem(office.anyone.post("/session", data=CREDENTIALS), 422)


def test_who_wants_codes_gets_in_with_one_and_once(office: Office, alice: dict[str, Any]) -> None:
    place = "/administrators/alice"
    changed = office.client().patch(place, json={"totp": True}, headers=seen(office.client().get(place)))
    secret = base64.b32decode(parse_qs(urlsplit(done(changed)["enrolment"]).query)["secret"][0])
    assert secret.hex() not in office.client().get(place).text
    with office.new_client() as browser:
        problem(browser.post("/session", json=CREDENTIALS), 401)
        code = code_at(secret, int(time.time()) // 30)
        done(browser.post("/session", json={**CREDENTIALS, "code": code}))
        problem(browser.post("/session", json={**CREDENTIALS, "code": code}), 401)


def test_a_change_of_an_administrator_needs_what_was_seen(office: Office, alice: dict[str, Any]) -> None:
    api, place = office.client(), "/administrators/alice"
    shown = api.get(place)
    with signed_in(office) as browser:
        changed = api.patch(place, json={"roles": [Role.VIEW_ONLY.value]}, headers=seen(shown))
        assert done(changed)["value"]["roles"] == [Role.VIEW_ONLY.value]
        assert done(browser.get("/session"))["roles"] == [Role.VIEW_ONLY.value]
        problem(api.patch(place, json={"enabled": False}, headers=seen(shown)), 412)
        problem(api.delete(place, headers=seen(shown)), 412)
        done(api.patch(place, json={"end_sessions": True}, headers=seen(changed)))
        problem(browser.get("/session"), 401)


def test_a_password_of_ones_own_is_changed_in_any_role(office: Office, alice: dict[str, Any]) -> None:
    place, new = "/administrators/alice", f"{PASSWORD} again"
    done(office.client().patch(place, json={"roles": [Role.VIEW_ONLY.value]}, headers={"If-Match": "*"}))
    with signed_in(office) as browser:
        token = {"X-CSRF-Token": done(browser.get("/session"))["csrf"]}
        problem(browser.post("/session/password", json={"password": PASSWORD, "new": new}), 403)
        blind = browser.patch(place, json={"password": new}, headers={"If-Match": "*", **token})
        assert "asks for the one of now" in problem(blind, 403)["detail"]
        problem(browser.post("/session/password", json={"password": "wrong", "new": new}, headers=token), 401)
        problem(browser.post("/session/password", json={"password": PASSWORD, "new": "short"}, headers=token), 422)
        done(browser.post("/session/password", json={"password": PASSWORD, "new": new}, headers=token))
        problem(browser.get("/session"), 401)
    problem(office.anyone.post("/session", json=CREDENTIALS), 401)
    with signed_in(office, password=new) as browser:
        done(browser.get("/session"))
    record = office.audit(who="alice", act="Set-Administrator")[0]
    assert record["changes"] == [{"key": "Password", "before": None, "after": "(set)"}]


def test_a_token_has_no_password(office: Office) -> None:
    problem(office.client().post("/session/password", json={"password": PASSWORD, "new": PASSWORD}), 403)


def test_guessing_costs_waiting(office: Office, alice: dict[str, Any]) -> None:
    statuses = []
    for _ in range(7):
        answer = office.anyone.post("/session", json={"name": "mallory", "password": "wrong"})
        statuses.append(answer.status_code)
    assert statuses[:4] == [401] * 4
    assert problem(answer, 429)["detail"].startswith("too many failed sign-ins")
    assert int(answer.headers["retry-after"]) >= 1
    with signed_in(office) as browser:
        done(browser.get("/session"))


# What comes before anybody is asked who he is


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1.evil.example:8025", "relay.test.evil.example"])
def test_another_name_is_not_answered_to(office: Office, host: str) -> None:
    problem(office.anyone.get("/session", headers={"Host": host}), 421)


@pytest.mark.parametrize("host", ["localhost", "relay.test:8025", "RELAY.TEST", "192.0.2.1:80", "[::1]:8025", "[::1]"])
def test_its_own_names_are(office: Office, host: str) -> None:
    problem(office.anyone.get("/session", headers={"Host": host}), 401)


@pytest.mark.parametrize("path", ["/session", "/send", "/explain"])
def test_a_body_has_a_limit_said_or_not(office: Office, path: str) -> None:
    head = f"POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {17 << 20}\r\n\r\n"
    assert first_line(office, head.encode()).startswith(b"HTTP/1.1 413 ")


def test_a_body_in_chunks_has_a_limit(office: Office) -> None:
    token = office.client().headers["authorization"]
    head = (
        f"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\nTransfer-Encoding: chunked\r\n"
    )
    chunk = b"%x\r\n%s\r\n" % (1 << 16, b"x" * (1 << 16))
    assert first_line(office, head.encode() + b"\r\n" + chunk * 17).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("line", [b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"])
def test_what_is_no_http_is_answered_and_done_with(office: Office, line: bytes) -> None:
    assert first_line(office, line + b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_header_has_a_limit(office: Office) -> None:
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (64 << 10)
    assert first_line(office, head).startswith(b"HTTP/1.1 400 ")


def test_health_says_little_to_everybody(office: Office) -> None:
    answer = httpx.get(f"{office.url}/healthz", trust_env=False)
    assert (answer.json(), "server" in answer.headers) == ({"status": "ok"}, False)
    assert parsedate_to_datetime(answer.headers["date"]).tzinfo is not None


def test_no_answer_is_kept_or_framed(office: Office) -> None:
    headers = office.anyone.get("/session").headers
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers
