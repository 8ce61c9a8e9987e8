"""Test mail, header analyzer, explain and doctor without a browser."""

from __future__ import annotations

import socket

import httpx
import pytest

from support.house import wait_for
from support.office import Office
from support.visit import Page, Visit

HEADER = """\
Received: from relay.contoso.com ([198.51.100.25]) by mx.example.net with ESMTPS; Tue, 24 Nov 2026 10:00:09 +0000
Received: from scanner ([192.168.0.3]) by relay.contoso.com with ESMTP; Tue, 24 Nov 2026 10:00:02 +0000
Authentication-Results: mx.example.net; spf=fail smtp.mailfrom=contoso.com
X-Forefront-Antispam-Report: CIP:198.51.100.25;SCL:1;
From: Scanner <scanner@contoso.com>
To: b@example.net
Subject: <script>alert(1)</script>
Message-ID: <1@contoso.com>
"""


def settled(visit: Visit, path: str) -> Page:
    """The page once what was started has ended."""

    def page() -> Page | None:
        found = visit.get(path)
        return None if any(form.action.endswith("/cancel") for form in found.forms) else found

    found = wait_for(page, what=path)
    assert found is not None
    return found


def test_a_test_mail_through_this_relay_shows_the_dialogue_and_keeps_the_form(office: Office, operator: Visit) -> None:
    page = operator.get("/test-mail")
    typed = {"from": "a@contoso.com", "to": "page@contoso.com", "subject": "From the page", "way": "relay"}
    page = operator.press(page, "/test-mail", ("", ""), **typed)
    page = settled(operator, "/test-mail")
    assert f"Accepted by {office.house.address} port 2525" in page.text
    assert "C MAIL FROM:<a@contoso.com>" in page.text
    assert {name: page.fields[name] for name in typed} == typed
    assert office.house.await_mail("page@contoso.com")[0].count(b"Subject: From the page") == 1
    (record, *_) = office.audit(act="Send-MailMessage")
    assert (record["who"], record["face"]) == ("operator", "web")


def test_what_a_server_refuses_is_explained(office: Office, operator: Visit) -> None:
    typed = {"from": "a@fabrikam.com", "to": "b@elsewhere.example", "way": "relay"}
    operator.press(operator.get("/test-mail"), "/test-mail", ("", ""), **typed)
    page = settled(operator, "/test-mail")
    assert "Not accepted" in page.text
    assert "550 5.7.64 TenantAttribution; Relay Access Denied" in page.text
    assert [link for link in page.links if link.startswith("/explain?q=550")]


def test_a_password_is_used_and_not_kept(office: Office, operator: Visit) -> None:
    typed = {"from": "a@contoso.com", "to": "b@contoso.com", "way": "server", "port": "2525"}
    secret = {"user": "scanner", "password": "a secret of mine"}
    operator.press(operator.get("/test-mail"), "/test-mail", ("", ""), server=office.house.address, **typed, **secret)
    page = settled(operator, "/test-mail")
    assert "offers no AUTH LOGIN or PLAIN" in page.text
    assert page.fields["user"] == "scanner"
    assert "a secret of mine" not in page.response.text


def test_a_long_test_mail_is_cancelled(office: Office, operator: Visit) -> None:
    with socket.create_server((office.house.address, 0)) as silent:
        typed = {"from": "a@contoso.com", "to": "b@contoso.com", "way": "server", "server": office.house.address}
        page = operator.press(
            operator.get("/test-mail"), "/test-mail", ("", ""), port=str(silent.getsockname()[1]), **typed
        )
        assert "On its way" in page.text
        assert 'http-equiv="refresh"' in page.response.text
        operator.press(page, "/test-mail/cancel", ("", ""))
        assert "Cancelled" in settled(operator, "/test-mail").text


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"from": ""}, "from"),
        ({"to": ""}, "to"),
        ({"port": "many"}, "port"),
        ({"port": "70000"}, "port"),
    ],
)
def test_a_mistake_stands_at_its_field(operator: Visit, typed: dict[str, str], field: str) -> None:
    good = {"from": "a@contoso.com", "to": "b@contoso.com", "way": "server", "server": "127.0.0.1", "port": "25"}
    page = operator.press(operator.get("/test-mail"), "/test-mail", ("", ""), **{**good, **typed})
    assert (page.status, set(page.errors)) == (422, {field})
    assert page.fields["server"] == "127.0.0.1"


def test_what_is_to_be_sent_may_stand_in_the_address(operator: Visit) -> None:
    page = operator.get("/test-mail?way=mx&mx=contoso.com&from=a%40contoso.com")
    assert (page.fields["way"], page.fields["mx"], page.fields["from"]) == ("mx", "contoso.com", "a@contoso.com")


def test_a_header_is_analyzed_and_shown_as_text(keeper: Visit) -> None:
    page = keeper.press(keeper.get("/headers"), "/headers", ("", ""), header=HEADER)
    assert "<script>alert(1)" in page.text
    assert "<script>alert(1)" not in page.response.text
    assert "from scanner ([192.168.0.3])" in page.text
    assert "SPF" in page.text
    assert "Spam confidence level" in page.text
    download = keeper.press(page, "/headers/json", ("", ""))
    assert download.response.headers["content-disposition"] == 'attachment; filename="headers.json"'
    assert [hop["delay"] for hop in download.response.json()["hops"]] == [None, 7.0]


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("", "Paste a header"),
        ("Dear all,\nthis is no header", "There is no header in this"),
        ("\N{LATIN CAPITAL LETTER ETH}\N{LATIN CAPITAL LETTER I WITH DIAERESIS}\x11\0", "binary Outlook file"),
    ],
)
def test_what_is_no_header_is_said_to_be_none(keeper: Visit, header: str, text: str) -> None:
    page = keeper.press(keeper.get("/headers"), "/headers", ("", ""), header=header)
    assert (page.status, text in page.errors["header"]) == (422, True)


def test_a_long_header_is_taken(keeper: Visit) -> None:
    page = keeper.press(keeper.get("/headers"), "/headers", ("", ""), header=HEADER + "X-Long: " + "é" * 400_000)
    assert page.status == 200


def test_a_reply_is_explained_by_a_link_or_as_it_is_pasted(keeper: Visit) -> None:
    page = keeper.get("/explain")
    (example,) = [link for link in page.links if "5.7.64" in link]
    assert "could not be attributed to an inbound connector" in keeper.get(example).text
    pasted = keeper.press(page, "/explain", ("", ""), q="smtp: 550 5.7.64 TenantAttribution; Relay Access Denied")
    assert (pasted.path, "could not be attributed" in pasted.text) == ("/explain", True)
    assert "No reply found in this" in keeper.get("/explain?q=hello").text


def test_doctor_shows_its_steps_live_and_keeps_the_last_result(office: Office, keeper: Visit) -> None:
    page = keeper.press(keeper.get("/doctor"), "/doctor", ("", ""), connectors="Nowhere")
    with (
        httpx.Client(base_url=office.url, cookies=dict(keeper.cookies), timeout=30, trust_env=False) as client,
        client.stream("GET", "/doctor/events") as stream,
    ):
        told = "\n".join(stream.iter_lines())
    assert told.endswith("event: end\ndata:\n")
    page = settled(keeper, "/doctor")
    assert "accepted domains: contoso.com" in page.text
    assert "What to do:" in page.text
    assert page.fields["connectors"] == "Nowhere"


def test_doctor_says_what_is_wrong_with_an_address(keeper: Visit) -> None:
    page = keeper.press(keeper.get("/doctor"), "/doctor", ("", ""), ip="300.1.1.1")
    assert (page.status, set(page.errors)) == (422, {"ip"})


def test_each_role_has_its_tools(reader: Visit, operator: Visit) -> None:
    assert {path: reader.get(path).status for path in ("/headers", "/explain", "/doctor", "/test-mail")} == {
        "/headers": 200,
        "/explain": 200,
        "/doctor": 200,
        "/test-mail": 403,
    }
    assert operator.get("/doctor").status == 403
    assert {"/test-mail", "/doctor"} & set(reader.get("/").links) == {"/doctor"}
    assert {"/test-mail", "/doctor"} & set(operator.get("/").links) == {"/test-mail"}
    token = reader.get("/").fields["csrf"]
    assert reader.post("/test-mail", csrf=token, **{"from": "a@contoso.com", "to": "b@contoso.com"}).status == 403
    assert reader.post("/doctor", csrf=token, send="1").status == 403
    token = operator.get("/").fields["csrf"]
    assert operator.post("/doctor", csrf=token).status == 403
    assert operator.get("/doctor/events").status == 403
