"""What doctor says of the way to Microsoft Graph."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

import standins.entra
from posthouse.probe.doctor import Status
from posthouse.probe.doctor.graph import permissions
from standins.entra import Entra
from standins.graph import Grant, Graph
from support.clinic import Clinic

SCANNER = "scanner@contoso.com"


@pytest.fixture
def entra(clinic: Clinic) -> Iterator[Entra]:
    with Entra(clinic.authority) as running:
        yield running


@pytest.fixture
def graph(clinic: Clinic, entra: Entra, monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    with Graph(clinic.authority, lambda token: token in entra.issued) as running:
        monkeypatch.setattr(standins.entra, "RESOURCES", (running.url,))
        yield running


def jwt(**claims: object) -> str:
    parts = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


def found(clinic: Clinic, entra: Entra, graph: Graph) -> list[str]:
    """What is said of the connector, as `status: text`."""
    app = entra.register(secret="s3cret")
    clinic.client_certificate = ""
    clinic.connector = {
        "recipient_domains": ["*"],
        "transport": "graph",
        "credential": ["Relay app"],
        "endpoint": graph.url,
    }
    clinic.organization = (
        '[[credential]]\nname = "Relay app"\nkind = "client_credentials"\nsecret = "s3cret"\n'
        f'tenant = "{entra.tenant}"\nclient_id = "{app.client_id}"\nauthority = "{entra.url}"\nuser = "{SCANNER}"\n'
    )
    return [f"{step.status}: {step.text}" for step in clinic.steps() if step.subject == "Tenant"]


def issue(entra: Entra, graph: Graph, monkeypatch: pytest.MonkeyPatch, *roles: str) -> None:
    """Have the tenant's tokens say and allow these permissions."""
    token = jwt(roles=roles)
    monkeypatch.setattr(standins.entra.secrets, "token_urlsafe", lambda _: token)
    graph.tokens[token] = Grant(frozenset(roles))


def test_in_good_health(clinic: Clinic, entra: Entra, graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    graph.mailbox(SCANNER)
    issue(entra, graph, monkeypatch, "Mail.Send", "Mail.ReadWrite")
    assert found(clinic, entra, graph) == [
        "ok: Relay app has Mail.Send and Mail.ReadWrite",
        f"ok: Microsoft Graph is reached, and {SCANNER} has a mailbox",
    ]
    assert graph.operations == ["getFolder"]


def test_an_application_that_may_only_send(
    clinic: Clinic, entra: Entra, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph.mailbox(SCANNER)
    issue(entra, graph, monkeypatch, "Mail.Send")
    assert found(clinic, entra, graph) == [
        "warning: Relay app has Mail.Send without Mail.ReadWrite: mail above 1.5 MB waits, and some may go twice",
        f"skipped: whether {SCANNER} has a mailbox: without Mail.ReadWrite nobody may look",
    ]


def test_an_application_that_may_not_send(
    clinic: Clinic, entra: Entra, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph.mailbox(SCANNER)
    issue(entra, graph, monkeypatch, "User.Read.All")
    assert found(clinic, entra, graph)[0] == "failed: Relay app may not send: its token has User.Read.All"


def test_a_user_without_a_mailbox(clinic: Clinic, entra: Entra, graph: Graph) -> None:
    code, text = "ErrorInvalidUser", f"The requested user '{SCANNER}' is invalid."
    assert found(clinic, entra, graph) == [
        "skipped: Relay app: no permissions can be read from its token",
        f"failed: the mailbox {SCANNER}: 451 4.3.5 Microsoft Graph answered 404 {code}: {text}",
    ]


def test_without_a_token_graph_is_not_asked(clinic: Clinic, entra: Entra, graph: Graph) -> None:
    entra.trouble = 503
    assert found(clinic, entra, graph) == [f"skipped: Relay app: there is no token to ask {graph.url} with"]


def test_permissions_of_users_and_of_applications() -> None:
    assert permissions(jwt(scp="Mail.Send openid")) == {"Mail.Send", "openid"}
    assert permissions(jwt(roles=["Mail.Send"])) == {"Mail.Send"}
    for odd in ("", "opaque", "a.b.c", "a.W10.c", f"a.{base64.urlsafe_b64encode(b'nonsense').decode()}.c"):
        assert permissions(odd) == frozenset()


def test_nothing_is_sent(clinic: Clinic, entra: Entra, graph: Graph) -> None:
    mailbox = graph.mailbox(SCANNER)
    steps = found(clinic, entra, graph)
    assert [step for step in steps if step.startswith(Status.FAILED)] == []
    assert mailbox.items == {}
