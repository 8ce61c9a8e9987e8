"""Mail flow > Credentials without a browser: each kind is made, changed, tested, signed in and removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from net.tls_peers import pem_of
from posthouse.net.certificates import self_signed
from standins.entra import Entra
from support.house import House, wait_for
from support.office import ORGANIZATION, SETTINGS, Office, done
from support.visit import Visit

CONNECTOR = """
[[outbound_connector]]
name = "Tenant"
recipient_domains = ["tenant.example"]
transport = "graph"
credential = "Scanner"
"""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def entra(authority: trustme.CA) -> Iterator[Entra]:
    with Entra(authority) as running:
        yield running


@pytest.fixture
def keeper(office: Office) -> Iterator[Visit]:
    with Visit(office, "keeper") as visit:
        yield visit
    for name in ("Smart host", "App", "Scanner", "a/b"):
        office.client().delete(f"/credentials/{quote(name, safe='')}", headers={"If-Match": "*"})


def stored(office: Office, name: str) -> dict[str, object]:
    (found,) = [each for each in office.house.json("credential", "list") if each["Name"] == name]
    return found


def pfx() -> bytes:
    return self_signed("relay.contoso.com").to_pfx()


def test_a_password_is_stored_kept_and_never_shown(office: Office, keeper: Visit) -> None:
    page = keeper.press(
        keeper.get("/credentials/new/password"),
        "",
        ("", ""),
        name="Smart host",
        user="relay",
        secret="very secret",
        messages_per_minute="30",
    )
    assert "Smart host is saved" in page.text
    assert "very secret" not in page.response.text
    page = keeper.get("/credentials/by-name/Smart%20host/edit")
    assert "very secret" not in page.response.text
    assert (page.fields["user"], page.fields["messages_per_minute"]) == ("relay", "30")
    keeper.press(page, "", ("", ""), user="relay-2", messages_per_minute="")
    made = stored(office, "Smart host")
    assert made["User"] == "relay-2"
    assert "very secret" not in str(made)
    assert "Smart host" in keeper.get("/credentials").text
    page = keeper.press(keeper.get("/credentials/by-name/Smart%20host"), "/remove", ("", ""))
    assert "No credentials yet" in page.text


def test_a_certificate_comes_as_a_file(office: Office, keeper: Visit) -> None:
    page = keeper.get("/credentials/new/client_credentials")
    filled = {"name": "App", "tenant": "contoso.com", "client_id": "6731de76", "by": "certificate"}
    wrong = keeper.press(page, "", ("", ""), {"pfx": b"no PFX"}, **filled)
    assert (wrong.status, set(wrong.errors)) == (422, {"pfx"})
    assert wrong.fields["tenant"] == "contoso.com"
    made = keeper.press(page, "", ("", ""), {"pfx": pfx()}, **filled)
    assert "App is saved" in made.text
    certificate = stored(office, "App")["Certificate"]
    kept = keeper.press(
        keeper.get("/credentials/by-name/App/edit"), "", ("", ""), tenant="fabrikam.com", by="certificate"
    )
    assert "App is saved" in kept.text
    assert stored(office, "App")["Certificate"] == certificate


@pytest.mark.parametrize(
    ("kind", "typed", "fields"),
    [
        ("password", {"name": "x", "user": "u"}, {"secret"}),
        ("client_credentials", {"name": "x"}, {"tenant", "client_id", "secret"}),
        ("device_code", {"name": "x", "tenant": "t", "client_id": "c"}, {"user"}),
        ("managed_identity", {"name": ""}, {"name"}),
        ("managed_identity", {"name": "x", "connections": "many"}, {"throttle"}),
    ],
)
def test_an_error_stands_at_its_field(keeper: Visit, kind: str, typed: dict[str, str], fields: set[str]) -> None:
    page = keeper.press(keeper.get(f"/credentials/new/{kind}"), "", ("", ""), None, **typed)
    assert (page.status, set(page.errors)) == (422, fields)


def test_a_name_may_have_any_sign(keeper: Visit) -> None:
    page = keeper.press(keeper.get("/credentials/new/managed_identity"), "", ("", ""), name="a/b")
    assert page.path == "/credentials/by-name/a%2Fb"
    assert keeper.get("/credentials/by-name/a%2Fb/edit").status == 200
    assert keeper.get("/credentials/by-name/nothing").status == 404
    assert keeper.get("/credentials/new/unknown").status == 422


def test_nobody_overwrites_what_he_has_not_seen(keeper: Visit) -> None:
    keeper.press(keeper.get("/credentials/new/password"), "", ("", ""), name="Smart host", user="a", secret="x")
    page = keeper.get("/credentials/by-name/Smart%20host/edit")
    keeper.press(page, "", ("", ""), user="b")
    late = keeper.press(page, "", ("", ""), user="c")
    assert (late.status, "somebody has changed it since" in late.text) == (422, True)


def test_a_test_says_what_happened(keeper: Visit) -> None:
    keeper.press(keeper.get("/credentials/new/password"), "", ("", ""), name="Smart host", user="a", secret="x")
    place = "/credentials/by-name/Smart%20host"
    keeper.press(keeper.get(place), "/test", ("", ""))
    wait_for(
        lambda: 'action="/credentials/by-name/Smart%20host/test"' in keeper.get(place).response.text, what="the end"
    )
    assert "signs in nowhere" in keeper.get(place).text or "no outbound connector" in keeper.get(place).text


def test_who_may_only_look_changes_nothing(keeper: Visit, reader: Visit) -> None:
    keeper.press(keeper.get("/credentials/new/password"), "", ("", ""), name="Smart host", user="a", secret="x")
    page = reader.get("/credentials/by-name/Smart%20host")
    assert page.status == 200
    assert not any("/credentials" in form.action for form in page.forms)
    token = page.fields["csrf"]
    assert reader.get("/credentials/new").status == 403
    for path in ("edit", "remove", "sign-in", "test"):
        assert reader.post(f"/credentials/by-name/Smart%20host/{path}", csrf=token).status == 403


@pytest.fixture(scope="module")
def signing(authority: trustme.CA, entra: Entra, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An office with a credential that is signed in by a device code of a tenant that it trusts."""
    folder: Path = tmp_path_factory.mktemp("signing")
    entra.interval = 1
    app = entra.register(public=True)
    root = {"TrustedRoots": [pem_of(authority)]}
    made = House(folder / "house", f"{ORGANIZATION}{CONNECTOR}{credential(entra, app.client_id)}", SETTINGS)
    made.apply()
    with Office(made) as opened:
        done(opened.client().patch("/organization", json=root, headers={"If-Match": "*"}))
        yield opened
    made.clean_up()


def test_the_code_is_shown_until_somebody_has_entered_it(signing: Office, entra: Entra) -> None:
    place = "/credentials/by-name/Scanner"
    with Visit(signing, "keeper") as keeper:
        keeper.press(keeper.get(place), "/sign-in", ("", ""))
        wait_for(lambda: "enter the code" in keeper.get(place).text, what="the code")
        page = keeper.get(place)
        assert "https://microsoft.com/devicelogin" in page.links
        assert next(iter(reversed(entra.devices.values()))).user_code in page.text
        entra.sign_in("scan@contoso.com")
        wait_for(lambda: "Signed in as scan@contoso.com" in keeper.get(place).text, what="the sign-in")
    (record, *_) = signing.audit(act="Connect-Credential")
    assert (record["who"], record["face"], record["outcome"]) == ("keeper", "web", "ok")


def test_it_can_be_given_up(signing: Office) -> None:
    place = "/credentials/by-name/Scanner"
    with Visit(signing, "keeper") as keeper:
        keeper.press(keeper.get(place), "/sign-in", ("", ""))
        wait_for(lambda: "enter the code" in keeper.get(place).text, what="the code")
        page = keeper.press(keeper.get(place), "/cancel", ("", ""))
        wait_for(lambda: "Cancelled" in keeper.get(place).text, what="the end")
        assert page.status == 200
    wait_for(lambda: signing.audit(act="Connect-Credential")[0]["outcome"] == "failed", what="the record")


def credential(entra: Entra, client_id: str) -> str:
    return (
        f'\n[[credential]]\nname = "Scanner"\nkind = "device_code"\nuser = "scan@contoso.com"\n'
        f'tenant = "{entra.tenant}"\nclient_id = "{client_id}"\nauthority = "{entra.url}"\n'
    )
