"""Mail flow > Connectors: the wizard of outbound ones, step by step, without a browser."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import trustme

from net.tls_peers import identity_of
from posthouse.net.certificates import Identity
from support.house import wait_for
from support.office import Office, done, seen
from support.peers import Peer
from support.visit import Page, Visit

START = "/connectors/new/inbound/scope"
NEW = "/connectors/new/outbound"
HOSTS = {"to": "other", "way": "hosts", "applied": "hosts", "smart_hosts": "127.0.0.1"}
RELAY = {"to": "tenant", "way": "microsoft-365-relay", "applied": "microsoft-365-relay"}
CREDENTIALS = (
    {"Name": "Relay app", "Kind": "client_credentials", "User": "scanner@contoso.com", "Tenant": "contoso.com"}
    | {"ClientId": "11111111-2222-3333-4444-555555555555", "Secret": "hidden"},
    {"Name": "Mailer", "Kind": "password", "User": "mailer", "Secret": "hidden"},
)


@pytest.fixture
def credentials(office: Office) -> Iterator[None]:
    """Something that signs in, of two kinds."""
    for each in CREDENTIALS:
        done(office.client().post("/credentials", json=each))
    yield
    for each in CREDENTIALS:
        done(office.client().delete(f"/credentials/{each['Name']}", headers={"If-Match": "*"}))


@pytest.fixture(scope="module")
def identity() -> Identity:
    return identity_of(trustme.CA().create_child_ca().issue_cert("relay.contoso.com", "smtp.contoso.com"))


def address(step: str, **draft: str) -> str:
    return f"{NEW}/{step}?{urlencode(draft)}"


def stored(office: Office, name: str) -> dict[str, Any]:
    return done(office.client().get(f"/connectors/outbound/{name}"))


def remove(office: Office, name: str) -> None:
    done(office.client().delete(f"/connectors/outbound/{name}", headers={"If-Match": "*"}))


def scripts(page: Page) -> list[str]:
    """What there is to copy."""
    return [
        html.unescape(found) for found in re.findall(r"<pre[^>]*><code>(.*?)</code>", page.response.text, re.DOTALL)
    ]


def test_the_wizard_makes_what_the_command_line_shows(office: Office, keeper: Visit) -> None:
    page = keeper.press(keeper.get(START), origin="relay", to="other", way="hosts")
    page = keeper.press(page, name="Branch", comment="In Umeå")
    page = keeper.press(page, recipient_domains="branch.example\n*.branch.example")
    page = keeper.press(page, smart_hosts="127.0.0.1", port="2525")
    page = keeper.press(page, tls_settings="EncryptionOnly")
    page = keeper.press(keeper.press(page), messages_per_minute="30", rewrite_from="noreply@contoso.com")
    page = keeper.press(page)
    assert page.path.startswith(f"{NEW}/summary")
    page = keeper.press(page)
    assert (page.path, "Branch is saved, and in force." in page.text) == ("/connectors/outbound/Branch", True)
    made = stored(office, "Branch")
    wanted = {
        "Comment": "In Umeå",
        "RecipientDomains": ["branch.example", "*.branch.example"],
        "SmartHosts": ["127.0.0.1"],
        "Port": 2525,
        "TlsSettings": "EncryptionOnly",
        "Throttle": {"MessagesPerMinute": 30, "RecipientsPerDay": None, "Connections": None},
    }
    assert {key: made[key] for key in wanted} == wanted
    assert "Branch" in keeper.get("/connectors?q=branch").text
    (record, *_) = office.audit(object="Branch")
    assert (record["act"], record["face"], record["who"]) == ("New-OutboundConnector", "web", "keeper")
    keeper.press(page, "/remove", ("", ""))
    assert "Branch" not in keeper.get("/connectors").text


def test_the_choice_of_the_first_page_leads_to_either_wizard(keeper: Visit) -> None:
    page = keeper.press(keeper.get(f"{NEW}/scope"), origin="device")
    assert page.path.startswith("/connectors/new/inbound/name")
    page = keeper.press(keeper.get(START), origin="relay", to="other")
    assert (page.status, set(page.errors)) == (422, {"way"})
    assert page.path.startswith(f"{NEW}/scope")


@pytest.mark.parametrize(
    ("way", "kept"),
    [
        ("microsoft-365-submission", {"SmartHosts": ["smtp.office365.com"], "Port": 587}),
        ("microsoft-365-graph", {"Transport": "graph", "SmartHosts": []}),
        ("microsoft-365-relay", {"SmartHosts": ["contoso-com.mail.protection.outlook.com"], "Port": 25}),
        ("amazon-ses", {"SmartHosts": ["email-smtp.eu-north-1.amazonaws.com"], "Port": 587}),
        ("google-workspace-relay", {"SmartHosts": ["smtp-relay.gmail.com"], "TlsSettings": "DomainValidation"}),
        ("mx", {"UseMXRecord": True, "SmartHosts": []}),
        ("mailboxes", {"Transport": "mailbox", "Mailboxes": ["*"]}),
    ],
)
@pytest.mark.usefixtures("credentials")
def test_a_way_sets_what_is_known_of_it_and_its_powershell_makes_the_same(
    office: Office, keeper: Visit, tmp_path: Path, way: str, kept: dict[str, Any]
) -> None:
    to = "tenant" if "microsoft" in way else "other"
    asked = {
        "smart_hosts": str((kept.get("SmartHosts") or [""])[0]) if way in ("microsoft-365-relay", "amazon-ses") else "",
        "credential": {"amazon-ses": "Mailer"}.get(way, "Relay app" if way.endswith(("submission", "graph")) else ""),
        "recipient_domains": "one.example",
    }
    page = keeper.press(keeper.get(address("scope", name="It's one")), to=to, way=way)
    while not page.path.startswith(f"{NEW}/summary"):
        typed = {name: text for name, text in asked.items() if name in page.fields and text}
        page, before = keeper.press(page, **typed), page.path
        assert page.path != before, page.errors
    page = keeper.press(page)
    assert page.status == 200, page.text
    made = stored(office, "It's one")
    assert {key: made[key] for key in kept} == kept
    edited = keeper.get("/connectors/outbound/It's%20one/edit/scope")
    assert edited.fields["way"] == (way if way != "amazon-ses" else "hosts"), "SES has a host for each region"
    remove(office, "It's one")
    script = tmp_path / "connector.ps1"
    script.write_text(scripts(page)[-1], "utf-8-sig")
    office.house.run("run", str(script))
    assert stored(office, "It's one") == made
    remove(office, "It's one")


@pytest.mark.parametrize(
    ("step", "typed", "field", "text"),
    [
        ("name", {"name": "nowhere"}, "name", "another outbound_connector has this name"),
        ("use", {"use": ""}, "use", "Choose at least one"),
        ("use", {"recipient_domains": ""}, "recipient_domains", "Name at least one domain"),
        ("use", {"recipient_domains": "a b"}, "recipient_domains", "is not allowed"),
        ("routing", {"smart_hosts": ""}, "smart_hosts", "Name at least one host"),
        ("routing", {"smart_hosts": "host:25"}, "smart_hosts", "is not a host"),
        ("routing", {"port": "0"}, "port", "is not a whole number"),
        ("routing", {"source_address": "here"}, "source_address", "is not an IP address"),
        ("security", {"tls_settings": "DomainValidation", "tls_domain": "*"}, "tls_domain", "is not"),
        ("security", {"certificate": "A" * 40}, "certificate", "upload it again"),
        ("security", {"certificate": "upload"}, "pfx", "Choose a file"),
        (
            "sign-in",
            {"credential": "Nobody", "tls_settings": "CertificateValidation"},
            "credential",
            'there is no credential "Nobody"',
        ),
        ("limits", {"connections": "many"}, "connections", "is not a whole number"),
        ("limits", {"rewrite_from": "somebody"}, "rewrite_from", "is not"),
    ],
)
def test_an_error_stands_at_its_field_and_what_was_typed_is_kept(
    keeper: Visit, step: str, typed: dict[str, str], field: str, text: str
) -> None:
    page = keeper.press(keeper.get(address(step, **HOSTS, name="New one", comment="Kept")), **typed)
    assert (page.status, set(page.errors)) == (422, {field})
    assert text in page.errors[field]
    assert page.fields["comment"] == "Kept"


@pytest.mark.usefixtures("credentials")
def test_a_service_that_wants_a_sign_in_gets_none_without(keeper: Visit) -> None:
    page = keeper.get(address("scope", name="App", to="tenant", way="microsoft-365-graph", go="next"))
    page = keeper.press(keeper.press(page))
    assert page.path.startswith(f"{NEW}/sign-in"), "Graph has no hosts and no TLS settings"
    assert "scanner@contoso.com" in page.text
    page = keeper.press(page)
    assert (page.status, set(page.errors)) == (422, {"credential"})
    page = keeper.press(page, credential="Mailer")
    assert "Graph takes tokens only" in page.errors["credential"]


def test_a_certificate_is_read_and_shown_before_it_is_saved(office: Office, keeper: Visit, identity: Identity) -> None:
    page = keeper.get(address("security", **HOSTS, name="Certified"))
    pfx = {"pfx": identity.to_pfx("its password")}
    wrong = keeper.press(page, "", ("go", "read"), pfx, certificate="upload", pfx_password="another")
    assert (wrong.status, "wrong password" in wrong.errors["pfx"]) == (422, True)
    broken = keeper.press(page, "", ("go", "read"), {"pfx": b"no certificate"}, certificate="upload")
    assert "neither PEM nor PFX" in broken.errors["pfx"]
    page = keeper.press(page, "", ("go", "next"), pfx, certificate="upload", pfx_password="its password")
    assert page.path.startswith(f"{NEW}/security"), "it is shown first"
    for text in ("smtp.contoso.com", identity.thumbprint, "serverAuth", "Not saved yet", "valid until", "is missing"):
        assert text in page.text, text
    assert "password" not in page.path
    page = keeper.press(page)
    while not page.path.startswith(f"{NEW}/summary"):
        page = keeper.press(page)
    assert f"-ClientCertificate '{identity.thumbprint}'" in page.text
    page = keeper.press(page)
    assert identity.thumbprint in page.text
    assert stored(office, "Certified")["ClientCertificate"] == {"Thumbprint": identity.thumbprint}
    another = keeper.get(address("security", **HOSTS, name="Another", certificate=identity.thumbprint))
    assert "Not saved yet" not in another.text
    remove(office, "Certified")
    assert keeper.press(another).errors["certificate"], "it went with the only connector that had it"


def test_the_key_that_somebody_uploads_is_nobody_elses(office: Office, keeper: Visit, identity: Identity) -> None:
    page = keeper.get(address("security", **HOSTS, name="Mine"))
    keeper.press(page, "", ("go", "read"), {"pfx": identity.to_pfx()}, certificate="upload")
    assert identity.thumbprint in keeper.get(address("security", **HOSTS)).text
    done(
        office.client().post(
            "/administrators",
            json={"name": "other", "password": "correct horse battery", "roles": ["Organization Management"]},
        )
    )
    with Visit(office, "other") as other:
        assert identity.thumbprint not in other.get(address("security", **HOSTS)).text
    done(office.client().delete("/administrators/other", headers={"If-Match": "*"}))


def walked(keeper: Visit, page: Page) -> Page:
    """The page once all has been tried."""
    shown = [page]

    def is_over() -> bool:
        shown[0] = keeper.get(page.path)
        return "Looking" not in shown[0].text

    wait_for(is_over, what="the validation to end")
    return shown[0]


def test_the_way_is_tried_before_it_is_saved(office: Office, keeper: Visit) -> None:
    with Peer() as peer:
        draft = {**HOSTS, "name": "Tried", "port": str(peer.port), "recipient_domains": "tried.example", "enabled": "0"}
        page = keeper.get(address("validation", **draft))
        wrong = keeper.press(page, "", ("go", "try"), recipient="someone@elsewhere.example")
        assert 'goes by "Nowhere"' in wrong.errors["recipient"]
        assert keeper.press(page, "", ("go", "try")).errors["recipient"] == "Fill this in."
        page = walked(keeper, keeper.press(page, "", ("go", "try"), recipient="someone@tried.example"))
        assert "answers for the external recipient someone@tried.example" in page.text
        assert ("Validated" in page.text, peer.messages) == (True, [])
        page = walked(keeper, keeper.press(page, "", ("go", "try"), send="1"))
        assert "took a test mail to someone@tried.example" in page.text
        assert [message.recipients for message in peer.messages] == [["RCPT TO:<someone@tried.example>"]]
        (record, *_) = office.audit(object="Tried: someone@tried.example")
        assert record["who"] == "keeper"
        onward = keeper.press(page)
        assert onward.path.startswith(f"{NEW}/summary")
    assert "Tried" not in keeper.get("/connectors").text


def test_what_fails_says_what_to_do(keeper: Visit) -> None:
    with Peer(RCPT="550 5.7.64 TenantAttribution; Relay Access Denied") as peer:
        draft = {**HOSTS, "name": "Refused", "port": str(peer.port), "recipient_domains": "tried.example"}
        page = keeper.get(address("validation", **draft))
        page = walked(keeper, keeper.press(page, "", ("go", "try"), recipient="a@tried.example", send="1"))
    assert "Mail would not leave" in page.text
    assert "550 5.7.64" in page.text
    assert "What to do" in page.text
    assert "the test mail to a@tried.example: 550 5.7.64" in page.text


def test_the_tenants_side_is_told_as_far_as_it_is_known(keeper: Visit) -> None:
    draft = {**RELAY, "name": "Tenant", "smart_hosts": "contoso-com.mail.protection.outlook.com"}
    page = keeper.get(address("summary", **draft, tls_settings="DomainValidation"))
    assert "Say under Validation what public address it sees" in page.text
    page = keeper.get(address("summary", **draft, tls_settings="DomainValidation", public_ip="20.30.40.50"))
    tenants, ours = scripts(page)
    assert "New-InboundConnector" in tenants
    assert "20.30.40.50" in tenants
    assert ours.startswith("New-OutboundConnector -Name 'Tenant'")


def test_editing_keeps_what_the_wizard_does_not_ask_for(office: Office, keeper: Visit) -> None:
    made = {
        "Name": "Old",
        "RecipientDomains": ["old.example"],
        "SmartHosts": ["127.0.0.1"],
        "ConnectorType": "OnPremises",
    }
    done(office.client().post("/connectors/outbound", json=made))
    page = keeper.press(keeper.get("/connectors/outbound/Old/edit/name"), name="Older")
    while "/summary" not in page.path:
        page = keeper.press(page)
    place = "/connectors/outbound/Old"
    done(office.client().patch(place, json={"Comment": "Changed"}, headers=seen(office.client().get(place))))
    refused = keeper.press(page)
    assert (refused.status, "Somebody has changed this connector since" in refused.text) == (422, True)
    page = keeper.press(keeper.get("/connectors/outbound/Old/edit/name"), name="Older")
    while "/summary" not in page.path:
        page = keeper.press(page)
    assert keeper.press(page).path == "/connectors/outbound/Older"
    changed = stored(office, "Older")
    assert (changed["ConnectorType"], changed["Comment"]) == ("OnPremises", "Changed")
    page = keeper.press(keeper.get("/connectors/outbound/Older"), "/enabled", ("enabled", "0"))
    assert (page.path, "Older is off." in page.text) == ("/connectors/outbound/Older", True)
    assert "is removed" in keeper.press(page, "/remove", ("", "")).text


def test_whoever_may_look_sees_a_connector_and_changes_nothing(reader: Visit) -> None:
    page = reader.get("/connectors/outbound/Nowhere")
    assert "New-OutboundConnector -Name 'Nowhere'" in page.text
    assert [form.action for form in page.forms if "connectors/" in form.action] == []
    assert [link for link in page.links if "/edit/" in link] == []
    token = page.fields["csrf"]
    for path in (f"{NEW}/name", f"{NEW}/scope", "/connectors/outbound/Nowhere/edit/name"):
        assert reader.get(path).status == 403
    steps = [f"{NEW}/{step}" for step in ("security", "validation", "summary")]
    for path in (*steps, "/connectors/outbound/Nowhere/edit/validation", "/connectors/outbound/Nowhere/remove"):
        assert reader.post(path, csrf=token, go="try").status == 403


def test_there_is_no_step_that_a_way_does_not_have(keeper: Visit) -> None:
    assert keeper.get(address("security", to="tenant", way="microsoft-365-graph")).status == 404
    assert keeper.get(address("nonsense")).status == 404
    assert keeper.get("/connectors/outbound/None").status == 404
