"""What a stranger, or a token in the wrong hands, may send: bounded, answered as HTTP has it, never done by half."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from support.office import PASSWORD, PORT, Office, done, problem

JSON = {"Content-Type": "application/json"}


def connected(office: Office) -> socket.socket:
    return socket.create_connection((office.house.address, PORT), timeout=10)


def head(office: Office, path: str, *headers: str) -> bytes:
    """Of a request that somebody who may everything makes."""
    token = office.client().headers["authorization"]
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: {token}", *headers)
    return "\r\n".join((*lines, "", "")).encode()


def test_a_request_that_breaks_off_is_not_done(office: Office) -> None:
    body = b'{"Name": "half.example"}'
    with connected(office) as raw, raw.makefile("rb") as answer:
        raw.sendall(head(office, "/api/v1/domains", "Content-Type: application/json", "Transfer-Encoding: chunked"))
        raw.sendall(b"%x\r\n%s\r\n" % (len(body), body))
        raw.shutdown(socket.SHUT_WR)
        assert answer.read() == b""
    problem(office.client().get("/domains/half.example"), 404)


def test_a_body_of_many_mistakes_is_answered_shortly(office: Office) -> None:
    unknown = "{" + ",".join(f'"{number}":1' for number in range(5000)) + "}"
    listed = '{"Name": "x", "SenderDomains": [' + ",".join("1" * 30_000) + "]}"
    for path, body in (("/session", unknown), ("/connectors/inbound", listed)):
        answer = office.client().post(path, content=body, headers=JSON)
        assert (len(problem(answer, 422)["errors"]) <= 20, len(answer.content) < 10_000) == (True, True)


def test_who_has_not_signed_in_sends_little(office: Office) -> None:
    long = {"text": "550 5.7.64 " * 10_000}
    assert "sign in first" in problem(office.anyone.post("/explain", json=long), 401)["detail"]
    problem(office.anyone.post("/explain", json=long, headers={"Authorization": "Bearer ph_none"}), 401)
    done(office.client().post("/explain", json=long))


def test_a_session_may_send_more_and_a_page_say_its_csrf_token_there(office: Office) -> None:
    with office.new_client() as browser:
        done(browser.post("/session", json={"name": "keeper", "password": PASSWORD}))
        refused = browser.post("/explain", json={"text": "550 5.7.64 " * 10_000})
        assert "X-CSRF-Token" in problem(refused, 403)["detail"]
        assert "connection" not in refused.headers  # it was read


@pytest.mark.parametrize("host", ["localhost:evil.example/", "localhost:", "127.0.0.1:80:90", "[::1", "a@localhost"])
def test_a_host_has_a_form(office: Office, host: str) -> None:
    problem(office.anyone.get("/session", headers={"Host": host}), 421)


# HTTP


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/domains", "/api/v1/domains/contoso.com"])
def test_head_is_get_without_its_content(office: Office, path: str) -> None:
    got, headed = (office.client().request(method, office.url + path) for method in ("GET", "HEAD"))
    assert (headed.status_code, headed.content) == (200, b"")
    assert headed.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/domains", {"GET", "HEAD", "POST"}),
        ("/domains/contoso.com", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("/session", {"GET", "HEAD", "POST", "DELETE"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(office: Office, path: str, allowed: set[str]) -> None:
    answer = office.anyone.put(path)
    problem(answer, 405)
    assert set(answer.headers["allow"].split(", ")) == allowed


def test_numbers_are_sorted_as_numbers(office: Office) -> None:
    api = office.client()
    for name, rate in (("rate a", 100), ("rate b", 25), ("rate c", None)):
        done(api.post("/connectors/inbound", json={"Name": name, "RateLimit": rate}))
    query: dict[str, Any] = {"sort": "RateLimit", "name": "rate *", "limit": 1}
    found = []
    while query.get("cursor", "") is not None:
        page = done(api.get("/connectors/inbound", params=query))
        found += [row["RateLimit"] for row in page["value"]]
        query["cursor"] = page["next"]
    assert found == [None, 25, 100]
