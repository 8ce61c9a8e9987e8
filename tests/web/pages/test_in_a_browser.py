"""The pages in Chromium: a connector made by hand that relays mail, and how every page looks and reads."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from net.tls_peers import identity_of
from support.office import PASSWORD, Office, done
from support.peers import Peer
from support.programs import program

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

WIZARD = "/connectors/new/inbound"
DRAFT = "name=Floor+3&by=addresses%0Alogin&sender_ip_addresses=10.1.2.0/24%0A2001:db8::/48&logins=scanner-9"
OUTBOUND = "/connectors/new/outbound"
WAY = (
    "name=To+the+tenant&to=tenant&way=microsoft-365-relay&applied=microsoft-365-relay&tls_settings=DomainValidation"
    "&smart_hosts=contoso-com.mail.protection.outlook.com&public_ip=20.30.40.50"
)
PAGES = {
    "sign-in": "/sign-in",
    "set-up": "/setup?secret=none",
    "home": "/",
    "connectors": "/connectors",
    "connectors-none": "/connectors?q=no-such-thing",
    "connector": "/connectors/inbound/Desk",
    "connector-from": f"{WIZARD}/scope?{DRAFT}",
    "connector-name": f"{WIZARD}/name?name=desk&go=check",
    "connector-identify": f"{WIZARD}/identify?{DRAFT}",
    "connector-address": f"{WIZARD}/identify?{DRAFT}&go=add",
    "connector-restrictions": f"{WIZARD}/restrictions?{DRAFT}&rate_limit=many&go=check",
    "connector-summary": f"{WIZARD}/summary?{DRAFT}",
    "way-scope": f"{OUTBOUND}/scope?to=other&go=check",
    "way-use": f"{OUTBOUND}/use?{WAY}",
    "way-routing": f"{OUTBOUND}/routing?{WAY}",
    "way-routing-wrong": f"{OUTBOUND}/routing?{WAY}&port=many&smart_hosts=a+b&go=check",
    "way-security": f"{OUTBOUND}/security?{WAY}",
    "way-sign-in": f"{OUTBOUND}/sign-in?{WAY}",
    "way-limits": f"{OUTBOUND}/limits?{WAY}&connections=many&go=check",
    "way-validation": f"{OUTBOUND}/validation?{WAY}",
    "way-summary": f"{OUTBOUND}/summary?{WAY}",
    "way": "/connectors/outbound/Nowhere",
    "domains": "/domains",
    "domain-new": "/domains/new",
    "trace": "/trace",
    "trace-none": "/trace?subject=zzz",
    "queue": "/queue",
    "test-mail": "/test-mail",
    "headers": "/headers",
    "explain": "/explain",
    "doctor": "/doctor",
    "credentials": "/credentials",
    "credential-kinds": "/credentials/new",
    "credential-new": "/credentials/new/client_credentials",
    "administrators": "/administrators",
    "administrator-new": "/administrators/new",
    "administrator": "/administrators/by-name/keeper",
    "account": "/account",
    "account-app": "/account/app",
    "tokens": "/tokens",
    "token-new": "/tokens/new",
    "audit": "/audit",
    "audit-wrong": "/audit?since=yesterday",
    "settings": "/settings",
    "settings-edit": "/settings/edit",
    "settings-apply": "/settings/apply",
    "root-new": "/settings/roots/new",
    "not-found": "/nowhere",
}
LOOKS = {
    "light": {"viewport": {"width": 1280, "height": 800}},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "locale": "sv-SE"},
    "4k": {"viewport": {"width": 3840, "height": 2160}},
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program("chromium"), args=quiet)
        yield browser
        browser.close()


def signed_in(office: Office, browser: Any, **look: Any) -> Any:
    """A page of somebody who may do everything; what it complains of fails the test."""
    context = browser.new_context(base_url=office.url, **look)
    page = context.new_page()
    page.goto("/sign-in")
    page.locator("#name").fill("keeper")
    page.locator("#password").fill(PASSWORD)
    page.locator("#password").press("Enter")
    page.wait_for_url("**/")
    return page


def test_a_connector_made_by_hand_relays_mail(office: Office, chromium: Any) -> None:
    page = signed_in(office, chromium)
    page.goto("/connectors")
    page.get_by_role("link", name="New connector").click()
    page.get_by_text("A device or application").click()
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Name", exact=True).fill("desk")
    page.get_by_text("another inbound_connector has this name").wait_for()
    page.get_by_label("Name", exact=True).fill("By hand")
    page.get_by_role("button", name="Next").click()
    page.get_by_label("By the sending server's IP address").check()
    page.get_by_role("button", name="Add an address").click()
    page.get_by_label("Address or network").fill("127.0.0.300")
    page.get_by_text('"127.0.0.300" is not an IP address').wait_for()
    page.get_by_label("Address or network").fill("127.0.0.1")
    page.get_by_label("Address or network").press("Enter")
    page.get_by_role("button", name="Edit 127.0.0.1").wait_for()
    page.get_by_role("button", name="Next").click()
    page.go_back()
    page.get_by_role("button", name="Edit 127.0.0.1").wait_for()
    page.go_forward()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("By hand is saved, and in force.").wait_for()
    message = office.house.send("a@contoso.com", "someone@example.net")
    (entry,) = office.house.trace("--id", message)
    assert entry["connector"] == "By hand"  # the most specific network
    page.goto("/connectors?q=by+hand")
    page.get_by_role("switch", name="By hand is on").click()
    page.get_by_text("By hand is off.").wait_for()
    message = office.house.send("a@contoso.com", "someone@example.net")
    (entry,) = office.house.trace("--id", message)
    assert entry["connector"] == "Desk"
    page.context.close()
    done(office.client().delete("/connectors/inbound/By%20hand", headers={"If-Match": "*"}))


@pytest.mark.parametrize("look", ["light", "phone"])
def test_a_way_out_made_by_hand_carries_mail(office: Office, chromium: Any, look: str, tmp_path: Path) -> None:
    """With a certificate from a file, which the next hop asks for, and tried before it is saved."""
    authority = trustme.CA()
    identity = identity_of(authority.issue_cert("relay.contoso.com"))
    file = tmp_path / "relay.pfx"
    file.write_bytes(identity.to_pfx("its password"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    page = signed_in(office, chromium, viewport=LOOKS[look]["viewport"])
    with Peer(tls=tls) as peer:
        page.goto("/connectors")
        page.get_by_role("link", name="New connector").click()
        page.get_by_label("The way on which mail leaves it").check()
        page.get_by_label("Somewhere else").check()
        page.get_by_label("Smart hosts").check()
        page.get_by_role("button", name="Next").click()
        page.get_by_label("Name", exact=True).fill("By hand")
        page.get_by_role("button", name="Next").click()
        page.get_by_label("Recipient domains").fill("hand.example")
        page.get_by_role("button", name="Next").click()
        page.get_by_label("Hosts").fill("127.0.0.1")
        page.get_by_label("Port").fill("none")
        page.get_by_text('"none" is not a whole number').wait_for()
        page.get_by_label("Port").fill(str(peer.port))
        page.get_by_role("button", name="Next").click()
        page.get_by_label("Always by TLS, with any certificate").check()
        page.get_by_label("One from a file").check()
        page.get_by_label("File", exact=True).set_input_files(file)
        page.get_by_label("Password of the file").fill("its password")
        page.get_by_role("button", name="Read it").click()
        page.get_by_role("heading", name="relay.contoso.com").wait_for()
        page.screenshot(path=tmp_path / f"certificate-{look}.png", full_page=True)
        for _ in range(3):
            page.get_by_role("button", name="Next").click()
        page.get_by_label("Test address").fill("someone@hand.example")
        page.get_by_label("Send a real test mail").check()
        page.get_by_role("button", name="Validate").click()
        page.get_by_text("took a test mail to someone@hand.example").wait_for()
        page.screenshot(path=tmp_path / f"validation-{look}.png", full_page=True)
        page.go_back()
        page.go_forward()
        page.get_by_role("button", name="Next").click()
        page.get_by_role("button", name="Save").click()
        page.get_by_text("By hand is saved, and in force.").wait_for()
        message = office.house.send("a@contoso.com", "someone@hand.example")
        (entry,) = office.house.trace("--id", message, until=lambda found: found[0]["status"] == "delivered")
        assert entry["outbound_connector"] == "By hand"
        assert [len(peer.messages), peer.sessions[-1].client_certificate is not None] == [2, True]
        page.goto("/connectors?q=by+hand")
        page.get_by_role("link", name="By hand").click()
        page.get_by_role("button", name="Remove").click()
        page.locator("dialog").get_by_role("button", name="Remove").click()
        page.get_by_text("By hand is removed.").wait_for()
    page.context.close()


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_can_be_read_by_everybody(office: Office, chromium: Any, look: str, tmp_path: Path) -> None:
    page = signed_in(office, chromium, **LOOKS[look])
    trouble: list[str] = []
    page.on("console", lambda said: trouble.append(said.text) if "Content Security Policy" in said.text else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(office.url) else trouble.append(asked.url))
    for name, path in PAGES.items():
        page.goto(path)
        page.screenshot(path=tmp_path / f"{name}-{look}.png", full_page=True)
        found = axe.Axe().run(page).response["violations"]
        trouble += [f"{name}: {each['id']} {each['nodes'][0]['html']}" for each in found]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            trouble.append(f"{name}: wider than the window")
    page.context.close()
    assert trouble == []


def test_a_phone_has_the_way_behind_a_button(office: Office, chromium: Any) -> None:
    page = signed_in(office, chromium, viewport={"width": 360, "height": 740})
    assert not page.locator("#navigation").is_visible()
    page.get_by_role("button", name="Menu").click()
    page.locator("#navigation").get_by_role("link", name="Connectors").click()
    page.wait_for_url("**/connectors")
    page.context.close()
