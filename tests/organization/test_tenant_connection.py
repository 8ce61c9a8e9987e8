"""Which credential the tenant is administered by."""

from __future__ import annotations

from typing import Any

import pytest

from posthouse.organization import OrganizationError, TenantConnection, from_document, notices, to_document

APP = {"name": "Tenant app", "kind": "client_credentials", "tenant": "t", "client_id": "c", "secret": "s"}
PASSWORD = {"name": "Mailbox", "kind": "password", "user": "u@contoso.com", "secret": "s"}


def document(**tenant: str) -> dict[str, Any]:
    return {"tenant": tenant, "credential": [APP, PASSWORD]}


def test_it_is_written_as_it_is_read() -> None:
    written = document(credential="Tenant app", endpoint="https://outlook-dod.office365.us")
    organization = from_document(written)
    assert organization.tenant == TenantConnection("Tenant app", "https://outlook-dod.office365.us")
    assert from_document(to_document(organization)) == organization


def test_without_one_nothing_is_written() -> None:
    assert from_document({}).tenant is None
    assert "tenant" not in to_document(from_document({}))


def test_its_credential_is_used() -> None:
    assert not any("Tenant app" in line for line in notices(from_document(document(credential="Tenant app"))))


@pytest.mark.parametrize(
    ("tenant", "line"),
    [
        ({"credential": "Other"}, 'tenant: credential: there is no credential "Other"; add it, or remove tenant'),
        (
            {"credential": "Mailbox"},
            'tenant: credential: "Mailbox" is of kind password; name one of client_credentials, managed_identity',
        ),
        ({}, "tenant: credential: it is missing"),
        (
            {"credential": "Tenant app", "endpoint": "http://outlook"},
            'tenant: endpoint: "http://outlook" is not allowed; write one like https://login.microsoftonline.com',
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tenant: dict[str, str], line: str) -> None:
    with pytest.raises(OrganizationError) as refused:
        from_document(document(**tenant))
    assert refused.value.problems == (line,)


def test_only_what_sends_needs_a_mailbox() -> None:
    connector = {"name": "Graph", "transport": "graph", "credential": "Tenant app", "recipient_domains": ["*"]}
    with pytest.raises(OrganizationError) as refused:
        from_document(document(credential="Tenant app") | {"outbound_connector": [connector]})
    assert refused.value.problems == (
        'outbound_connector "Graph": credential: "Tenant app" has no user; set it to the mailbox that sends',
    )
