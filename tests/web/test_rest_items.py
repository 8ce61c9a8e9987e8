"""Connectors, domains and the organization's settings over HTTP: in force at once, never overwritten unseen."""

from __future__ import annotations

import base64
import itertools
import threading
from typing import Any

import httpx
import pytest

from posthouse.net.certificates import Authority
from support.office import Office, done, problem, seen

_numbers = itertools.count(1)


@pytest.fixture
def api(office: Office) -> httpx.Client:
    return office.client()


@pytest.fixture
def name() -> str:
    """Of a connector that no other test has."""
    return f"Connector {next(_numbers)}"


def test_a_connector_is_made_shown_changed_and_removed(api: httpx.Client, name: str) -> None:
    made = api.post("/connectors/inbound", json={"Name": name, "SenderIPAddresses": ["192.0.2.0/24"]})
    assert (made.status_code, done(made)["value"]["SenderIPAddresses"]) == (201, ["192.0.2.0/24"])
    place = made.headers["location"].removeprefix("/api/v1")
    shown = api.get(place)
    assert done(shown) == done(made)["value"]
    changed = api.patch(place, json={"Comment": "Third floor", "RateLimit": 30}, headers=seen(shown))
    assert done(changed)["value"] == {**done(shown), "Comment": "Third floor", "RateLimit": 30}
    assert {change["key"] for change in done(changed)["changes"]} == {"comment", "rate_limit"}
    back = api.patch(place, json={"RateLimit": None}, headers=seen(changed))
    assert done(back)["value"]["RateLimit"] is None
    assert done(api.delete(place, headers=seen(back)))["changes"][0]["act"] == "remove"
    problem(api.get(place), 404)


def test_it_is_the_connector_that_the_command_lists(office: Office, api: httpx.Client, name: str) -> None:
    done(api.post("/connectors/outbound", json={"Name": name, "RecipientDomains": ["fabrikam.com"]}))
    listed = [connector for connector in office.house.json("connector", "list") if connector["Name"] == name]
    assert listed == [{"Direction": "Outbound", **done(api.get(f"/connectors/outbound/{name}"))}]


def test_a_connector_is_in_force_when_the_answer_comes(office: Office, api: httpx.Client, name: str) -> None:
    source = "127.0.0.77"
    done(api.post("/connectors/inbound", json={"Name": name, "SenderIPAddresses": [source]}))
    message_id = office.house.send("a@fabrikam.com", "b@contoso.com", source=source)
    assert office.house.trace("--id", message_id)[0]["connector"] == name


def test_a_name_may_have_slashes_and_spaces(api: httpx.Client, name: str) -> None:
    made = api.post("/connectors/inbound", json={"Name": f"{name} 1/2 ä"})
    assert done(api.get(made.headers["location"].removeprefix("/api/v1")))["Name"] == f"{name} 1/2 ä"


def test_a_renamed_connector_is_found_under_its_new_name(api: httpx.Client, name: str) -> None:
    made = api.post("/connectors/inbound", json={"Name": name})
    done(api.patch(f"/connectors/inbound/{name}", json={"Name": f"{name} new"}, headers=seen(made)))
    problem(api.get(f"/connectors/inbound/{name}"), 404)
    assert done(api.get(f"/connectors/inbound/{name} NEW"))["Name"] == f"{name} new"


def test_a_domain_is_found_in_any_spelling(api: httpx.Client) -> None:
    made = api.post("/domains", json={"Name": "Bücher.example", "Type": "InternalRelay"})
    assert done(made)["value"] == {"Name": "xn--bcher-kva.example", "Type": "InternalRelay"}
    assert done(api.get("/domains/BÜCHER.example")) == done(made)["value"]
    done(api.delete("/domains/bücher.example", headers=seen(made)))


# Lost updates


def test_a_change_needs_what_was_seen(api: httpx.Client, name: str) -> None:
    made = api.post("/connectors/inbound", json={"Name": name})
    place = f"/connectors/inbound/{name}"
    problem(api.patch(place, json={"Comment": "blind"}), 428)
    problem(api.delete(place), 428)
    done(api.patch(place, json={"Comment": "first"}, headers=seen(made)))
    problem(api.patch(place, json={"Comment": "second"}, headers=seen(made)), 412)
    problem(api.delete(place, headers=seen(made)), 412)
    assert done(api.get(place))["Comment"] == "first"


def test_a_change_at_the_command_line_counts_too(office: Office, api: httpx.Client, name: str) -> None:
    made = api.post("/connectors/inbound", json={"Name": name})
    office.house.run("connector", "set", "inbound", name, "--comment", "by hand")
    problem(api.patch(f"/connectors/inbound/{name}", json={"Comment": "by program"}, headers=seen(made)), 412)


def test_of_two_who_change_the_same_at_once_one_is_told(api: httpx.Client, name: str) -> None:
    made = api.post("/connectors/inbound", json={"Name": name})
    statuses: list[int] = []

    def change(number: int) -> None:
        changed = api.patch(f"/connectors/inbound/{name}", json={"Comment": str(number)}, headers=seen(made))
        statuses.append(changed.status_code)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, *[412] * 5]


def test_changes_of_different_connectors_are_both_kept(api: httpx.Client, name: str) -> None:
    first, second = (api.post("/connectors/inbound", json={"Name": f"{name} {each}"}) for each in "AB")
    done(api.patch(f"/connectors/inbound/{name} A", json={"Comment": "a"}, headers=seen(first)))
    done(api.patch(f"/connectors/inbound/{name} B", json={"Comment": "b"}, headers=seen(second)))
    assert [done(api.get(f"/connectors/inbound/{name} {each}"))["Comment"] for each in "AB"] == ["a", "b"]


def test_what_is_known_already_is_not_sent_again(api: httpx.Client) -> None:
    listed = api.get("/connectors/inbound")
    again = api.get("/connectors/inbound", headers={"If-None-Match": listed.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", listed.headers["etag"])


# What is wrong


def test_a_wrong_value_is_told_with_its_field(api: httpx.Client, name: str) -> None:
    told = problem(api.post("/connectors/inbound", json={"Name": name, "SenderIPAddresses": ["192.0.2"]}), 422)
    assert told["errors"][0]["field"] == "SenderIPAddresses"
    assert '"192.0.2" is not an IP address' in told["errors"][0]["detail"]
    problem(api.get(f"/connectors/inbound/{name}"), 404)


def test_a_token_for_longer_than_there_is_time_is_refused(api: httpx.Client) -> None:
    body = {"name": "long", "role": "View-Only Organization Management", "expires": "87786d"}
    told = problem(api.post("/tokens", json=body), 422)
    assert told["errors"][0]["field"] == "expires"
    assert "at most 36500d" in told["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "Name"),
        ({"Name": "x", "SenderIPs": []}, "SenderIPs"),
        ({"Name": "x", "Enabled": "yes"}, "Enabled"),
        ({"Name": "x", "SenderCredentials": [{"User": "u", "PasswordEnv": "HOME"}]}, "SenderCredentials.0.PasswordEnv"),
        ({"Name": "x", "sender_domains": ["*"]}, "sender_domains"),
    ],
)
def test_a_wrong_body_is_told_with_its_field(api: httpx.Client, body: dict[str, Any], field: str) -> None:
    assert [error["field"] for error in problem(api.post("/connectors/inbound", json=body), 422)["errors"]] == [field]


def test_a_name_is_taken_once(api: httpx.Client, name: str) -> None:
    done(api.post("/connectors/inbound", json={"Name": name}))
    assert name in problem(api.post("/connectors/inbound", json={"Name": name.upper()}), 409)["detail"].title()


def test_what_is_not_there_is_told_with_what_there_is(api: httpx.Client) -> None:
    assert "contoso.com" in problem(api.get("/domains/fabrikam.com"), 404)["detail"]
    problem(api.patch("/domains/fabrikam.com", json={}, headers={"If-Match": "*"}), 404)
    problem(api.get("/nothing"), 404)
    problem(api.put("/domains"), 405)


# Secrets, which are written and never read


def test_a_certificate_comes_as_a_pfx_and_is_shown_as_its_thumbprint(api: httpx.Client, name: str) -> None:
    identity = Authority.create("Contoso CA").issue(["relay.contoso.com"])
    certificate = {"Pfx": base64.b64encode(identity.to_pfx("Pfx-Passw0rd")).decode(), "Password": "Pfx-Passw0rd"}
    body = {"Name": name, "SmartHosts": ["mail.contoso.com"], "RecipientDomains": ["x.com"]}
    made = api.post("/connectors/outbound", json={**body, "ClientCertificate": certificate})
    assert done(made)["value"]["ClientCertificate"] == {"Thumbprint": identity.thumbprint}
    kept = {"ClientCertificate": {"Thumbprint": identity.thumbprint}}
    assert done(api.patch(f"/connectors/outbound/{name}", json=kept, headers=seen(made)))["changes"] == []
    gone = api.patch(f"/connectors/outbound/{name}", json={"ClientCertificate": None}, headers=seen(made))
    assert done(gone)["value"]["ClientCertificate"] is None


@pytest.mark.parametrize(
    "certificate", [{"Pfx": "not base64!"}, {"Pfx": "bm90IGEgUEZY"}, {"Thumbprint": "00" * 20}, {}]
)
def test_a_certificate_that_is_none_is_refused(api: httpx.Client, name: str, certificate: dict[str, str]) -> None:
    body = {"Name": name, "SmartHosts": ["mail.contoso.com"], "ClientCertificate": certificate}
    problem(api.post("/connectors/outbound", json=body), 422)


def test_a_root_comes_as_its_text_and_never_as_a_path(office: Office, api: httpx.Client) -> None:
    authority = Authority.create("Contoso CA")
    (office.house.folder / "ca.pem").write_bytes(authority.certificate_pem)
    settings = api.get("/organization")
    path = str(office.house.folder / "ca.pem")
    problem(api.patch("/organization", json={"TrustedRoots": [path]}, headers=seen(settings)), 422)
    text = authority.certificate_pem.decode()
    changed = api.patch("/organization", json={"TrustedRoots": [text]}, headers=seen(settings))
    assert done(changed)["value"]["TrustedRoots"] == [text]
    done(api.patch("/organization", json={"TrustedRoots": None}, headers=seen(changed)))


# The organization


def test_settings_of_the_organization_are_changed_key_by_key(office: Office, api: httpx.Client) -> None:
    before = api.get("/organization")
    body = {"RejectDirectSend": True, "Limits": {"MessageSize": "10 MiB"}, "Delivery": {"RetryAfter": ["1h"]}}
    changed = api.patch("/organization", json=body, headers=seen(before))
    assert done(changed)["value"]["Limits"] == {"MessageSize": "10 MiB"}
    problem(api.patch("/organization", json={"RejectDirectSend": False}, headers=seen(before)), 412)
    in_force = {row["key"]: row for row in done(api.get("/settings"))["value"]}
    assert in_force["limits.message_size"] == {
        "key": "limits.message_size",
        "value": 10 << 20,
        "origin": "organization",
    }
    assert done(api.get("/settings"))["value"] == office.house.json("show")
    back = {"RejectDirectSend": None, "Limits": {"MessageSize": None}, "Delivery": {"RetryAfter": None}}
    assert done(api.patch("/organization", json=back, headers=seen(changed)))["value"] == done(before)


def test_the_organization_is_exported_as_the_command_does(office: Office, api: httpx.Client) -> None:
    assert api.get("/organization.toml").text == office.house.run("export").stdout


# Lists


def test_a_list_comes_in_pages_sorted_and_filtered(api: httpx.Client) -> None:
    names = [f"page-{letter}" for letter in "adcbe"]
    for each in names:
        done(api.post("/connectors/inbound", json={"Name": each, "Comment": f"of {each}"}))
    for sort, expected in (("", sorted(names)), ("-Name", sorted(names)[::-1]), ("-Comment", sorted(names)[::-1])):
        found: list[str] = []
        query: dict[str, Any] = {"limit": 2, "name": "PAGE-*", "sort": sort}
        while True:
            page = done(api.get("/connectors/inbound", params=query))
            assert len(page["value"]) <= 2
            found += [row["Name"] for row in page["value"]]
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
        assert found == expected


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=W10=", "cursor=%00", "sort=Colour", "name=%00"]
)
def test_a_list_is_asked_for_within_bounds(api: httpx.Client, query: str) -> None:
    problem(api.get(f"/connectors/inbound?{query}"), 422)
