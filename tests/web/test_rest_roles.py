"""Every operation of the API, tried by every role: allowed, or refused and on record."""

from __future__ import annotations

from typing import Any

import pytest

from posthouse.admin import Role
from support.office import PASSWORD, Office, done, problem

ALL, VIEW, FLOW = Role.ORGANIZATION_MANAGEMENT, Role.VIEW_ONLY, Role.MAIL_FLOW_OPERATOR
SEES, RUNS = {ALL, VIEW}, {ALL, FLOW}
ITEMS = ("/domains", "/connectors/inbound", "/connectors/outbound", "/credentials")
CHOSEN = {"json": {"ids": ["none"]}}

Operation = tuple[str, str]

NO_ROLE_NEEDED: set[Operation] = {
    ("get", "/session"),
    ("delete", "/session"),
    ("post", "/explain"),
    ("post", "/headers"),
}
THEIR_OWN: set[Operation] = {("post", "/session/password")}
NOBODY_NEEDED: set[Operation] = {("post", "/session"), ("post", "/setup")}
ALLOWED: dict[Operation, tuple[set[Role], dict[str, Any]]] = {
    **{("get", path): (SEES, {}) for path in ITEMS},
    **{("get", f"{path}/{{name}}"): (SEES, {}) for path in ITEMS},
    **{("post", path): ({ALL}, {"json": {"Name": "not a domain!" if "domains" in path else " "}}) for path in ITEMS},
    **{("patch", f"{path}/{{name}}"): ({ALL}, {"json": {}}) for path in ITEMS},
    **{("delete", f"{path}/{{name}}"): ({ALL}, {}) for path in ITEMS},
    ("get", "/organization"): (SEES, {}),
    ("patch", "/organization"): ({ALL}, {"json": {}}),
    ("get", "/organization.toml"): (SEES, {}),
    ("put", "/organization.toml"): ({ALL}, {"content": "unknown = 1"}),
    ("post", "/import"): ({ALL}, {"json": {"files": [{"name": "x", "content": ""}]}}),
    ("get", "/settings"): (SEES, {}),
    ("get", "/tenant"): (SEES, {}),
    ("post", "/tenant/plan"): (SEES, {"json": {}}),
    ("post", "/tenant/apply"): ({ALL}, {"json": {}}),
    ("get", "/queue"): ({ALL, VIEW, FLOW}, {}),
    ("get", "/queue/{message_id}"): ({ALL, VIEW, FLOW}, {}),
    ("get", "/queue/{message_id}/content"): ({ALL}, {}),
    ("post", "/queue/retry"): (RUNS, CHOSEN),
    ("post", "/queue/hold"): (RUNS, CHOSEN),
    ("post", "/queue/release"): (RUNS, CHOSEN),
    ("post", "/queue/drop"): (RUNS, CHOSEN),
    ("get", "/trace"): ({ALL, VIEW, FLOW}, {}),
    ("get", "/trace/{message_id}"): ({ALL, VIEW, FLOW}, {}),
    ("get", "/administrators"): (SEES, {}),
    ("get", "/administrators/{name}"): (SEES, {}),
    ("post", "/administrators"): ({ALL}, {"json": {"name": "keeper", "password": PASSWORD}}),
    ("patch", "/administrators/{name}"): ({ALL}, {"json": {}}),
    ("delete", "/administrators/{name}"): ({ALL}, {}),
    ("get", "/tokens"): (SEES, {}),
    ("get", "/tokens/{name}"): (SEES, {}),
    ("post", "/tokens"): ({ALL}, {"json": {"name": "alice", "role": VIEW.value, "expires": "0s"}}),
    ("delete", "/tokens/{name}"): ({ALL}, {}),
    ("get", "/audit"): ({ALL}, {}),
    ("get", "/health"): ({ALL, VIEW, FLOW}, {}),
    ("post", "/send"): (RUNS, {"json": {"from": "", "to": ["a@contoso.com"], "server": "127.0.0.1", "port": 1}}),
    ("post", "/doctor"): (SEES, {"json": {"connectors": ["none"], "timeout": 1}}),
}
IDS = [f"{method} {path}" for method, path in ALLOWED]


def test_no_operation_is_left_out(office: Office) -> None:
    paths = done(office.anyone.get("/openapi.json"))["paths"]
    described = {
        (method, path.removeprefix("/api/v1"))
        for path, methods in paths.items()
        for method in methods
        if "InvokeCommand" not in path
    }
    assert described == {*ALLOWED, *NO_ROLE_NEEDED, *THEIR_OWN, *NOBODY_NEEDED}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("operation", list(ALLOWED), ids=IDS)
def test_an_operation_is_for_its_roles(office: Office, role: Role, operation: Operation) -> None:
    method, path = operation
    roles, request = ALLOWED[operation]
    place = path.replace("{name}", "none.example").replace("{message_id}", "none")
    answer = office.client(role).request(method, place, headers={"If-Match": "*"}, **request)
    if role in roles:
        assert answer.status_code not in (401, 403, 428, 500), answer.text
        return
    refusal = problem(answer, 403)["detail"]
    assert "needs the role" in refusal
    record = office.audit(who=f"token:{role.name.lower()}", outcome="refused")[0]
    assert (record["face"], record["reason"]) == ("rest", refusal.partition(": ")[2])


@pytest.mark.parametrize("operation", sorted({*ALLOWED, *NO_ROLE_NEEDED}), ids=" ".join)
def test_nothing_is_done_for_nobody(office: Office, operation: Operation) -> None:
    method, path = operation
    _, request = ALLOWED.get(operation, (None, {"json": {"text": "550"}} if operation == ("post", "/explain") else {}))
    answer = office.anyone.request(method, path, headers={"If-Match": "*"}, **request)
    assert "sign in first" in problem(answer, 401)["detail"]
    assert answer.headers["www-authenticate"] == "Bearer"


def test_doctor_sends_mail_only_for_those_who_may(office: Office) -> None:
    problem(office.client(VIEW).post("/doctor", json={"send": True}), 403)


@pytest.mark.parametrize("token", ["ph_wrong", "x" * 5000, "ä"])
def test_a_wrong_token_is_refused(office: Office, token: str) -> None:
    problem(office.anyone.get("/session", headers=[(b"Authorization", f"Bearer {token}".encode())]), 401)


def test_a_token_is_made_shown_once_used_and_revoked(office: Office) -> None:
    made = done(office.client().post("/tokens", json={"name": "Nightly", "role": VIEW.value, "expires": "1h"}))
    with office.new_client(Authorization=f"Bearer {made['token']}") as nightly:
        assert done(nightly.get("/session")) == {"name": "token:nightly", "roles": [VIEW.value], "csrf": None}
        assert made["token"] not in office.client().get("/tokens").text
        problem(office.client().post("/tokens", json={"name": "nightly", "role": VIEW.value}), 409)
        done(office.client().delete("/tokens/nightly"))
        problem(nightly.get("/session"), 401)
    problem(office.client().delete("/tokens/nightly"), 404)
