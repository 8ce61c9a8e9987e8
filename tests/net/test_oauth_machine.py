"""Tokens of a managed identity, from stand-ins of Azure's endpoints on a machine."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from posthouse.net.oauth_machine import machine_token
from posthouse.net.oauth_scopes import GRAPH, OUTLOOK, delegated, outlook_scope
from posthouse.net.oauth_wire import TokenRefused, TokenUnavailable
from standins.entra import Entra
from standins.imds import SYSTEM_ASSIGNED, Imds

Place = Callable[[Imds], None]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Place:
    """On the machine of that stand-in."""

    def at(imds: Imds) -> None:
        for name, value in imds.environment.items():
            monkeypatch.setenv(name, value)

    return at


@pytest.mark.parametrize("is_app_service", [False, True])
def test_the_identity_of_the_machine(entra: Entra, at: Place, is_app_service: bool) -> None:
    with Imds(entra, is_app_service=is_app_service) as imds:
        at(imds)
        token = machine_token(OUTLOOK)
    grant = entra.grant(token.value, "https://outlook.office365.com")
    assert grant is not None
    assert (grant.client_id, grant.user) == (SYSTEM_ASSIGNED, "")
    assert time.time() + 3000 < token.expires_at <= time.time() + entra.lifetime


@pytest.mark.parametrize("is_app_service", [False, True])
def test_an_identity_that_a_user_assigned(entra: Entra, at: Place, is_app_service: bool) -> None:
    with Imds(entra, is_app_service=is_app_service) as imds:
        at(imds)
        imds.identities.append("its id")
        token = machine_token(GRAPH, "its id")
        assert entra.grants[token.value].client_id == "its id"
        with pytest.raises(TokenRefused, match="; give this machine a managed identity"):
            machine_token(GRAPH, "another id")


@pytest.mark.parametrize("status", [404, 410, 429, 500])
def test_a_metadata_service_in_trouble(entra: Entra, at: Place, status: int) -> None:
    with Imds(entra) as imds:
        at(imds)
        imds.trouble = status
        with pytest.raises(TokenUnavailable, match=f"HTTP {status}"):
            machine_token(OUTLOOK)


def test_a_machine_that_is_not_azure_s(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", url)
        with pytest.raises(TokenUnavailable, match="this is no machine with a managed identity"):
            machine_token(OUTLOOK)


def test_no_proxy_is_asked(entra: Entra, at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with Imds(entra) as imds:
        at(imds)
        assert machine_token(OUTLOOK).value == entra.issued[0]


def test_arc_names_a_file_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication"""

    class Arc(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=/var/opt/azcmagent/tokens/none.key")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Arc) as arc:
        Thread(target=arc.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{arc.server_port}/metadata/identity/oauth2/token")
        monkeypatch.setenv("IMDS_ENDPOINT", f"http://127.0.0.1:{arc.server_port}")
        with pytest.raises(TokenRefused, match="no token that makes sense; give this machine a managed identity"):
            machine_token(OUTLOOK)
        arc.shutdown()


@pytest.mark.parametrize(
    ("authority", "scope", "permission"),
    [
        ("https://login.microsoftonline.com", OUTLOOK, "https://outlook.office.com/SMTP.Send"),
        ("https://login.microsoftonline.us", "https://outlook.office365.us/.default", None),
        ("https://login.partner.microsoftonline.cn", "https://partner.outlook.cn/.default", None),
    ],
)
def test_each_cloud_has_its_own_exchange(authority: str, scope: str, permission: str | None) -> None:
    assert outlook_scope(authority) == scope
    assert delegated(scope) == [permission or scope.replace(".default", "SMTP.Send")]


@pytest.mark.parametrize("graph", ["https://graph.microsoft.com", "https://microsoftgraph.chinacloudapi.cn"])
def test_what_a_user_permits_at_graph(graph: str) -> None:
    assert delegated(f"{graph}/.default") == [f"{graph}/Mail.Send", f"{graph}/Mail.ReadWrite"]
