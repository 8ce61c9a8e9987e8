"""A house whose admin address is asked as programs ask it: over HTTP, with a token of a role."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any

import httpx

from posthouse.admin import Role
from support.house import House, wait_for

PORT = 8025
SETTINGS = f'\n[delivery]\nretry_after = ["1h"]\n[admin]\naddress = "ADDRESS:{PORT}"\n'
ORGANIZATION = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Desk"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.0/8"]

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["*"]

[[outbound_connector]]
name = "Nowhere"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = 1
"""
PASSWORD = "correct horse battery"


class Office:
    """Starts the house, which has an administrator. `client(role)` has a token of that role; `anyone` has none."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.url = f"http://{house.address}:{PORT}"
        self._opened = ExitStack()
        self._clients: dict[Role, httpx.Client] = {}
        self.anyone = self._opened.enter_context(self.new_client())

    def new_client(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=30, trust_env=False)

    def __enter__(self) -> Office:
        self.house.run("admin", "new", "keeper", "--password-env", "KEEPER", KEEPER=PASSWORD)
        self.house.start()
        self.await_answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def await_answer(self) -> None:
        wait_for(partial(answers, self.url), what="the admin address to answer")

    def client(self, role: Role = Role.ORGANIZATION_MANAGEMENT) -> httpx.Client:
        if role not in self._clients:
            name = role.name.lower()
            token = self.house.run("token", "new", name, "--role", role.value).stdout.strip()
            self._clients[role] = self._opened.enter_context(self.new_client(Authorization=f"Bearer {token}"))
        return self._clients[role]

    def audit(self, **wanted: str) -> list[dict[str, Any]]:
        """The newest records of this kind."""
        return done(self.client().get("/audit", params=wanted))["value"]


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5, trust_env=False).json() == {"status": "ok"}
    except httpx.TransportError:
        return False


def done(response: httpx.Response) -> Any:
    """What it answered, having done it."""
    assert response.is_success, response.text
    return response.json() if response.content else None


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Why it was refused."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["detail"].count("\n")) == (status, 0)
    return body


def seen(response: httpx.Response) -> dict[str, str]:
    """The header of a change of what this answer showed."""
    return {"If-Match": response.headers["etag"]}
