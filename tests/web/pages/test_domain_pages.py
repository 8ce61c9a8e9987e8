"""Mail flow > Accepted domains without a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.office import Office, done
from support.visit import Visit


@pytest.fixture
def fabrikam(office: Office, keeper: Visit) -> Iterator[Visit]:
    """Somebody for whom fabrikam.com is accepted."""
    done(office.client().post("/domains", json={"Name": "fabrikam.com"}))
    yield keeper
    office.client().delete("/domains/fabrikam.com", headers={"If-Match": "*"})


def domains(office: Office) -> dict[str, str]:
    """Names and types, as the command line shows them."""
    return {each["Name"]: each["Type"] for each in office.house.json("domain", "list")}


def test_a_domain_is_made_changed_and_removed(office: Office, keeper: Visit) -> None:
    page = keeper.press(keeper.get("/domains/new"), "", ("", ""), name="New.example", type="InternalRelay")
    assert (page.path, "new.example is accepted from now on." in page.text) == ("/domains", True)
    assert domains(office)["new.example"] == "InternalRelay"
    page = keeper.press(keeper.get("/domains/new.example"), "/type", ("", ""), type="ExternalRelay")
    assert domains(office)["new.example"] == "ExternalRelay"
    page = keeper.press(page, "/remove", ("", ""))
    assert (page.path, "new.example is removed." in page.text) == ("/domains", True)
    assert "new.example" not in domains(office)
    acts = [record["act"] for record in office.audit(object="new.example")]
    assert acts == ["Remove-AcceptedDomain", "Set-AcceptedDomain", "New-AcceptedDomain"]


@pytest.mark.parametrize(
    ("typed", "text"),
    [("", "Fill this in."), ("contoso", "is not a domain"), ("contoso.com", "another accepted_domain has this name")],
)
def test_an_error_stands_at_its_field_and_what_was_typed_is_kept(keeper: Visit, typed: str, text: str) -> None:
    page = keeper.press(keeper.get("/domains/new"), "", ("", ""), name=typed, type="ExternalRelay")
    assert (page.status, set(page.errors)) == (422, {"name"})
    assert text in page.errors["name"]
    assert (page.fields["name"], page.fields["type"]) == (typed, "ExternalRelay")


def test_a_domain_that_a_connector_belongs_to_stays_and_the_page_says_why(office: Office, fabrikam: Visit) -> None:
    connector = {"Name": "Branch", "SenderIPAddresses": ["192.0.2.8"], "AssociatedAcceptedDomains": ["fabrikam.com"]}
    done(office.client().post("/connectors/inbound", json=connector))
    page = fabrikam.get("/domains/fabrikam.com")
    assert "Branch AssociatedAcceptedDomains fabrikam.com keeps it from being removed" in page.text
    refused = fabrikam.press(page, "/remove", ("", ""))
    assert (refused.status, "fabrikam.com" in domains(office)) == (422, True)
    assert "associated_accepted_domains" in refused.text
    done(office.client().delete("/connectors/inbound/Branch", headers={"If-Match": "*"}))


def test_the_list_says_where_mail_goes_and_is_searched(fabrikam: Visit) -> None:
    page = fabrikam.get("/domains")
    assert "contoso.com Authoritative Mailboxes" in page.text
    found = fabrikam.get("/domains?q=FABRI").text
    assert ("fabrikam.com" in found, "contoso.com" in found) == (True, False)
    assert "Nothing found" in fabrikam.get("/domains?q=no-such-thing").text


def test_a_domain_that_is_not_there_is_said_so(keeper: Visit) -> None:
    page = keeper.get("/domains/elsewhere.example")
    assert (page.status, 'there is no accepted domain "elsewhere.example"' in page.text) == (404, True)
    removed = keeper.post("/domains/elsewhere.example/remove", csrf=page.fields["csrf"])
    assert removed.status == 404


def test_whoever_may_look_sees_no_way_to_change_and_has_none(reader: Visit) -> None:
    page = reader.get("/domains/contoso.com")
    assert "All its mailboxes are in your organization." in page.text
    assert [form.action for form in page.forms if "/domains" in form.action] == []
    assert "/domains/new" not in reader.get("/domains").links
    assert reader.get("/domains/new").status == 403
    token = page.fields["csrf"]
    for path in ("/domains/new", "/domains/contoso.com/type", "/domains/contoso.com/remove"):
        assert reader.post(path, csrf=token, name="x.example", type="InternalRelay").status == 403


def test_whoever_sees_mail_only_sees_no_domains(operator: Visit) -> None:
    assert "/domains" not in operator.get("/trace").links
    assert operator.get("/domains").status == 403
    assert operator.get("/domains/contoso.com").status == 403
