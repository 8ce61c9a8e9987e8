"""Mail flow > Connectors without a browser: the list and, step by step, the wizard."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from support.office import Office, done, seen
from support.visit import Page, Visit

START = "/connectors/new/inbound/scope"


@pytest.fixture
def floor(office: Office, keeper: Visit) -> Iterator[Visit]:
    """Somebody for whom a connector "Floor 3" is there."""
    made = {
        "Name": "Floor 3",
        "ConnectorType": "OnPremises",
        "SenderIPAddresses": ["10.1.2.0/24"],
        "EFSkipLastIP": True,
    }
    done(office.client().post("/connectors/inbound", json=made))
    yield keeper
    office.client().delete("/connectors/inbound/Floor%203", headers={"If-Match": "*"})


def shown(office: Office, name: str) -> dict[str, object]:
    """The connector as the command line shows it."""
    (found,) = [each for each in office.house.json("connector", "list") if each["Name"] == name]
    return found


def address(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.path).query, keep_blank_values=True)


def test_the_wizard_makes_what_the_command_line_shows(office: Office, keeper: Visit) -> None:
    page = keeper.press(keeper.get(START), "", origin="device")
    page = keeper.press(page, "", name="Printers", comment="Two on floor 4")
    page = keeper.press(page, "", ("go", "add"), by="addresses\nlogin", logins="printer-1\nprinter-2")
    page = keeper.press(page, "", ("go", "put"), address="10.4.0.0/16")
    page = keeper.press(page)
    page = keeper.press(page, "", sender_domains="contoso.com", require_tls="1")
    assert page.path.startswith("/connectors/new/inbound/summary")
    assert "New-InboundConnector -Name 'Printers'" in page.text
    page = keeper.press(page, "", **{"password-0": "first secret", "password-1": "second secret"})
    assert page.path == "/connectors/inbound/Printers"
    assert "Printers is saved, and in force." in page.text
    made = shown(office, "Printers")
    assert {
        key: made[key] for key in ("ConnectorType", "Comment", "SenderIPAddresses", "SenderDomains", "RequireTls")
    } == {
        "ConnectorType": "OnPremises",
        "Comment": "Two on floor 4",
        "SenderIPAddresses": ["10.4.0.0/16"],
        "SenderDomains": ["contoso.com"],
        "RequireTls": True,
    }
    assert made["SenderCredentials"] == [{"User": "printer-1"}, {"User": "printer-2"}]
    (record, *_) = office.audit(object="Printers")
    assert (record["act"], record["face"], record["who"]) == ("New-InboundConnector", "web", "keeper")
    keeper.press(page, "/remove", ("", ""))
    assert "Printers" not in keeper.get("/connectors").text


def test_every_step_has_an_address_that_holds_all_that_was_typed(keeper: Visit) -> None:
    page = keeper.get("/connectors/new/inbound/identify?by=addresses&sender_ip_addresses=192.0.2.7&name=From+a+link")
    assert "192.0.2.7" in page.text
    onward = keeper.press(page)
    assert address(onward)["name"] == ["From a link"]
    (back,) = [link for link in onward.links if "/identify?" in link and "go=" not in link][:1]
    assert keeper.get(back).fields["sender_ip_addresses"] == "192.0.2.7"


@pytest.mark.parametrize(
    ("step", "typed", "field", "text"),
    [
        ("name", {"name": ""}, "name", "is not a name"),
        ("name", {"name": "desk"}, "name", "another inbound_connector has this name"),
        ("identify", {"by": ""}, "by", "Choose at least one way"),
        ("identify", {"by": "addresses"}, "sender_ip_addresses", "Add at least one address"),
        (
            "identify",
            {"by": "certificate", "tls_sender_certificate_name": "*"},
            "tls_sender_certificate_name",
            "is not",
        ),
        ("identify", {"by": "login", "logins": ""}, "logins", "Name at least one login"),
        ("restrictions", {"sender_domains": "contoso"}, "sender_domains", "is not allowed"),
        ("restrictions", {"rate_limit": "many"}, "rate_limit", "is not a whole number"),
    ],
)
def test_an_error_stands_at_its_field_and_what_was_typed_is_kept(
    keeper: Visit, step: str, typed: dict[str, str], field: str, text: str
) -> None:
    page = keeper.press(keeper.get(f"/connectors/new/inbound/{step}?comment=Kept"), "", **typed)
    assert (page.status, set(page.errors)) == (422, {field})
    assert text in page.errors[field]
    kept = {**typed, "comment": "Kept"}
    assert {name: page.fields[name] for name in kept if name != "by"} == {k: v for k, v in kept.items() if k != "by"}


def test_an_address_is_checked_as_it_is_typed_and_edited_in_its_place(keeper: Visit) -> None:
    page = keeper.get("/connectors/new/inbound/identify?name=x&by=addresses&sender_ip_addresses=10.0.0.1%0A10.0.0.2")
    dialogue = keeper.press(page, "", ("go", "edit:10.0.0.1"))
    assert dialogue.fields["address"] == "10.0.0.1"
    checked = keeper.press(dialogue, "", ("go", "check"), address="10.0.0.300")
    assert (checked.status, '"10.0.0.300" is not an IP address' in checked.errors["address"]) == (200, True)
    refused = keeper.press(dialogue, "", ("go", "put"), address="10.0.0.300")
    assert (refused.status, refused.fields["address"]) == (422, "10.0.0.300")
    put = keeper.press(dialogue, "", ("go", "put"), address="10.0.0.0/30")
    assert put.fields["sender_ip_addresses"] == "10.0.0.0/30\n10.0.0.2"
    dropped = keeper.press(put, "", ("go", "drop:10.0.0.2"))
    assert dropped.fields["sender_ip_addresses"] == "10.0.0.0/30"


def test_editing_keeps_what_the_wizard_does_not_ask_for(office: Office, floor: Visit) -> None:
    page = floor.press(floor.get("/connectors/inbound/Floor%203/edit/name"), "", name="Floor 33")
    page = floor.press(floor.press(page), "", require_tls="1")
    page = floor.press(page)
    assert page.path == "/connectors/inbound/Floor%2033"
    changed = shown(office, "Floor 33")
    assert (changed["EFSkipLastIP"], changed["SenderIPAddresses"], changed["RequireTls"]) == (
        True,
        ["10.1.2.0/24"],
        True,
    )
    floor.press(page, "/remove", ("", ""))


def test_nobody_overwrites_what_he_has_not_seen(office: Office, floor: Visit) -> None:
    page = floor.press(floor.get("/connectors/inbound/Floor%203/edit/restrictions"), "", require_tls="1")
    place = "/connectors/inbound/Floor%203"
    tag = seen(office.client().get(place))
    done(office.client().patch(place, json={"Comment": "Changed meanwhile"}, headers=tag))
    page = floor.press(page)
    assert (page.status, "Somebody has changed this connector since" in page.text) == (422, True)
    assert shown(office, "Floor 3")["RequireTls"] is False


def test_a_connector_is_switched_in_the_list(office: Office, floor: Visit) -> None:
    place = "/connectors/inbound/Floor%203/enabled"
    page = floor.press(floor.get("/connectors?q=floor"), place, ("enabled", "0"))
    assert (page.path, "Floor 3 is off." in page.text) == ("/connectors?q=floor", True)
    assert shown(office, "Floor 3")["Enabled"] is False
    floor.press(page, place, ("enabled", "1"))
    assert shown(office, "Floor 3")["Enabled"] is True


def test_the_list_is_searched_and_says_what_to_do_where_it_is_empty(keeper: Visit) -> None:
    assert "Desk" in keeper.get("/connectors?q=DESK").text
    found = keeper.get("/connectors?q=no-such-thing").text
    assert ("Desk" in found, "Nothing found" in found) == (False, True)


def test_what_passed_through_a_connector_is_counted(office: Office, keeper: Visit) -> None:
    message = office.house.send("a@contoso.com", "b@contoso.com")
    office.house.trace("--id", message, until=lambda found: found[0]["status"] == "delivered")
    assert keeper.get("/connectors?q=desk").response.text.count("<time datetime=") == 1


def test_whoever_may_look_sees_no_way_to_change_and_has_none(reader: Visit) -> None:
    page = reader.get("/connectors")
    assert "Desk" in page.text
    assert [form.action for form in page.forms if "connectors/" in form.action] == []
    assert [link for link in page.links if "/new" in link] == []
    token = page.fields["csrf"]
    for path in ("/connectors/new/inbound/name", "/connectors/inbound/Desk/edit/name"):
        assert reader.get(path).status == 403
    for path in ("/connectors/inbound/Desk/enabled", "/connectors/inbound/Desk/remove"):
        assert reader.post(path, csrf=token, enabled="0").status == 403


def test_names_are_shown_as_text(office: Office, keeper: Visit) -> None:
    name = "<script>alert('x')</script> & \"/../"
    done(office.client().post("/connectors/inbound", json={"Name": name, "SenderIPAddresses": ["192.0.2.9"]}))
    page = keeper.get("/connectors")
    assert (name in page.text, "<script>alert" in page.response.text) == (True, False)
    (link,) = [link for link in page.links if "script" in link]
    page = keeper.get(link)
    assert (page.status, name in page.text) == (200, True)
    assert "is removed" in keeper.press(page, "/remove", ("", "")).text
