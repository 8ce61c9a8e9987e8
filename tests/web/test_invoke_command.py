"""Exchange Online's own wire, as tools speak it to a tenant: the same cmdlets, and the same connectors as anywhere."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from posthouse.admin import Role
from support.house import House
from support.office import Office, done, problem

TENANT = "contoso.onmicrosoft.com"


def invoke(
    office: Office, name: str, *, role: Role = Role.ORGANIZATION_MANAGEMENT, query: str = "", **parameters: Any
) -> httpx.Response:
    """As Microsoft's module sends it."""
    headers = {
        "X-CmdletName": name,
        "X-AnchorMailbox": f"UPN:admin@{TENANT}",
        "X-ResponseFormat": "json",
        "Prefer": "odata.maxpagesize=2",
    }
    body = {"CmdletInput": {"CmdletName": name, "Parameters": parameters}}
    place = f"{office.url}/adminapi/beta/{TENANT}/InvokeCommand{query}"
    return office.client(role).post(place, json=body, headers=headers)


def error(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    return response.json()["error"]


def test_it_makes_the_connector_that_the_command_line_makes(house: House) -> None:
    with Office(house) as office:
        house.run("connector", "new", "inbound", "By hand", "--connector-type", "OnPremises",
                  "--sender-ip-addresses", "192.0.2.0/24", "--sender-domains", "*", "--require-tls")  # fmt: skip
        made = done(
            invoke(
                office,
                "New-InboundConnector",
                Name="By tool",
                ConnectorType="OnPremises",
                SenderIPAddresses=["192.0.2.0/24"],
                SenderDomains="*",
                RequireTls=True,
            )
        )
        assert (made["value"][0]["Name"], made["@adminapi.warnings"]) == ("By tool", [])
        listed = {row.pop("Name"): row for row in house.json("connector", "list")}
        assert listed["By tool"] == listed["By hand"]


def test_what_it_made_is_read_changed_and_removed(office: Office) -> None:
    done(invoke(office, "New-OutboundConnector", Name="Wire", RecipientDomains=["fabrikam.com"], UseMXRecord=True))
    done(invoke(office, "Set-OutboundConnector", Identity="Wire", Comment="by wire"))
    assert done(invoke(office, "Get-OutboundConnector", Identity="wire"))["value"][0]["Comment"] == "by wire"
    assert done(office.client().get("/connectors/outbound/Wire"))["Comment"] == "by wire"
    done(invoke(office, "Remove-OutboundConnector", Identity="Wire"))
    assert "Wire" in error(invoke(office, "Get-OutboundConnector", Identity="Wire"), 404)["message"]


def test_a_list_comes_in_pages(office: Office) -> None:
    names = [f"Wire {number}" for number in range(5)]
    for name in names:
        done(invoke(office, "New-InboundConnector", Name=name, ConnectorType="Partner", SenderDomains=["*"]))
    found: list[str] = []
    query = "?$select=Name"
    while query:
        page = done(invoke(office, "Get-InboundConnector", query=query))
        assert all(list(row) == ["Name"] for row in page["value"])
        found += [row["Name"] for row in page["value"]]
        following = page.get("@odata.nextLink", "")
        assert len(page["value"]) == 2 or not following
        query = following.partition("/InvokeCommand")[2]
    assert [name for name in found if name in names] == names
    assert len(found) == len(set(found))


def test_an_error_says_which_exception_it_was(office: Office) -> None:
    refused = error(invoke(office, "Remove-InboundConnector", Identity="None such"), 404)
    _, exception, text = refused["details"][0]["message"].split("|")
    assert ("." in exception, text) == (True, refused["message"])


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("New-InboundConnector", {"Name": "x", "SenderIPs": []}, "parameter name 'SenderIPs'"),
        ("New-InboundConnector", {"ConnectorType": "Partner"}, "mandatory parameters: Name"),
        ("Set-TransportConfig", {"MaxSendSize": "plenty"}, "plenty"),
    ],
)
def test_what_is_wrong_is_told_as_powershell_does(
    office: Office, name: str, parameters: dict[str, Any], words: str
) -> None:
    assert words in error(invoke(office, name, **parameters), 400)["message"]


@pytest.mark.parametrize("name", ["Get-Mailbox", "Get-Content", "ForEach-Object", "Send-MailMessage", ""])
def test_only_what_administers_is_answered(office: Office, name: str) -> None:
    assert "not recognized" in error(invoke(office, name), 404)["message"]


def test_roles_hold_here_too_and_refusals_are_on_record(office: Office) -> None:
    refused = error(invoke(office, "New-AcceptedDomain", Name="x.com", DomainName="x.com", role=Role.VIEW_ONLY), 403)
    assert Role.ORGANIZATION_MANAGEMENT in refused["message"]
    assert office.audit(act="New-AcceptedDomain", outcome="refused")[0]["who"] == "token:view_only"
    place = f"{office.url}/adminapi/beta/{TENANT}/InvokeCommand"
    problem(office.anyone.post(place, json={"CmdletInput": {"CmdletName": "Get-AcceptedDomain"}}), 401)


def test_the_table_of_a_multivalued_property_adds_and_removes(office: Office) -> None:
    done(invoke(office, "New-InboundConnector", Name="Table", ConnectorType="Partner", SenderDomains=["a.com"]))
    table = {"@odata.type": "#Exchange.GenericHashTable", "add": ["b.com"]}
    done(invoke(office, "Set-InboundConnector", Identity="Table", SenderDomains=table))
    assert done(office.client().get("/connectors/inbound/Table"))["SenderDomains"] == ["a.com", "b.com"]


@pytest.mark.parametrize("depth", [100, 450, 100_000])
def test_a_parameter_has_a_depth(office: Office, depth: int) -> None:
    nested = "[" * depth + "]" * depth
    body = f'{{"CmdletInput": {{"CmdletName": "Get-AcceptedDomain", "Parameters": {{"Identity": {nested}}}}}}}'
    place = f"{office.url}/adminapi/beta/{TENANT}/InvokeCommand"
    answer = office.client().post(place, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("value", [r'"\ud800"', r'{"\ud800": 1}', "NaN", "Infinity", "1e999"])
def test_what_no_answer_could_say_is_refused(office: Office, value: str) -> None:
    body = f'{{"CmdletInput": {{"CmdletName": "Get-InboundConnector", "Parameters": {{"Identity": {value}}}}}}}'
    place = f"{office.url}/adminapi/beta/{TENANT}/InvokeCommand"
    answer = office.client().post(place, content=body, headers={"Content-Type": "application/json"})
    error(answer, 400)


def test_a_change_is_whole_and_in_one_page(office: Office) -> None:
    """Tools send the same body for the next page: a change would be made once for each."""
    ids = [office.house.send("a@contoso.com", f"{number}@elsewhere.example") for number in range(3)]
    for message_id in ids:
        office.house.trace("--id", message_id, until=lambda found: found[0]["attempts"] > 0)
    answer = done(invoke(office, "Suspend-Message", Filter="FromAddress -eq 'a@contoso.com'"))
    assert "@odata.nextLink" not in answer
    queued = done(office.client().get("/queue", params={"from": "a@contoso.com"}))["value"]
    assert {entry["id"] for entry in queued if entry["status"] == "held"} >= set(ids)
    done(office.client().post("/queue/drop", json={"ids": ids}))


def test_what_if_says_what_would_be_done(office: Office) -> None:
    answer = done(invoke(office, "Remove-InboundConnector", Identity="Desk", WhatIf=True))
    assert "Desk" in answer["@adminapi.confirmationmessage"]
    done(office.client().get("/connectors/inbound/Desk"))


def test_a_time_is_told_in_utc(office: Office) -> None:
    office.house.send("a@contoso.com", "b@contoso.com")
    found = done(invoke(office, "Get-MessageTraceV2", query="?$select=Received"))["value"]
    assert all(row["Received"].endswith("Z") for row in found), found


def test_the_path_names_either_version(office: Office) -> None:
    place = f"{office.url}/adminapi/v1.0/{TENANT}/InvokeCommand"
    body = {"CmdletInput": {"CmdletName": "Get-AcceptedDomain"}}
    answer = done(office.client().post(place, json=body))
    assert "/adminapi/v1.0/" in answer["@odata.context"]
