"""Each act tried by each role: allowed, or refused in one line and on record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from posthouse.admin import Actor, Acts, AdminError, Administration, Face, Forbidden, Items, Role, local_actor
from posthouse.settings import Settings
from posthouse.spool import AuditFilter, AuditOutcome, QueueFilter, Store, TraceFilter, open_store

ALL, VIEW, FLOW = Role.ORGANIZATION_MANAGEMENT, Role.VIEW_ONLY, Role.MAIL_FLOW_OPERATOR
EVERYTHING = QueueFilter(message_ids=("none",))


def item(kind: Any, verb: str, *values: Any) -> Callable[[Administration], object]:
    return lambda admin: getattr(Items(admin, kind, Path()), verb)("contoso.com", *values)


def change(**options: Any) -> Callable[[Administration], object]:
    return lambda admin: admin.change(lambda document: {**document, "reject_direct_send": True}, Path(), **options)


TABLE: list[tuple[str, Callable[[Administration], object], set[Role]]] = [
    ("Get-OrganizationConfig", lambda admin: admin.organization(), {ALL, VIEW}),
    ("Get-OrganizationConfig", lambda admin: admin.export(), {ALL, VIEW}),
    ("Set-OrganizationConfig", change(), {ALL}),
    ("Set-OrganizationConfig", change(dry_run=True), {ALL}),
    ("Set-OrganizationConfig", lambda admin: admin.apply(Path("none.toml")), {ALL}),
    ("Set-TransportConfig", change(act=Acts.SET_TRANSPORT), {ALL}),
    ("New-AcceptedDomain", item("accepted_domain", "new", {}), {ALL}),
    ("Set-AcceptedDomain", item("accepted_domain", "set", {}), {ALL}),
    ("Remove-AcceptedDomain", item("accepted_domain", "remove"), {ALL}),
    ("New-InboundConnector", item("inbound_connector", "new", {}), {ALL}),
    ("Set-InboundConnector", item("inbound_connector", "set", {}), {ALL}),
    ("Remove-InboundConnector", item("inbound_connector", "remove"), {ALL}),
    ("New-OutboundConnector", item("outbound_connector", "new", {}), {ALL}),
    ("Set-OutboundConnector", item("outbound_connector", "set", {}), {ALL}),
    ("Remove-OutboundConnector", item("outbound_connector", "remove"), {ALL}),
    ("New-Credential", item("credential", "new", {}), {ALL}),
    ("Set-Credential", item("credential", "set", {}), {ALL}),
    ("Remove-Credential", item("credential", "remove"), {ALL}),
    ("Connect-Credential", lambda admin: admin.credentials.login("none", lambda _: None), {ALL}),
    ("Connect-Tenant", lambda admin: admin.ledger.check(Acts.CONNECT_TENANT), {ALL}),
    ("Get-Tenant", lambda admin: admin.ledger.check(Acts.GET_TENANT), {ALL, VIEW}),
    ("Get-MessageTrace", lambda admin: admin.mail.trace(TraceFilter()), {ALL, VIEW, FLOW}),
    ("Get-Message", lambda admin: admin.mail.queue(QueueFilter()), {ALL, VIEW, FLOW}),
    ("Get-Message", lambda admin: admin.mail.queued("none"), {ALL, VIEW, FLOW}),
    ("Retry-Queue", lambda admin: admin.mail.act("retry", EVERYTHING), {ALL, FLOW}),
    ("Suspend-Message", lambda admin: admin.mail.act("hold", EVERYTHING), {ALL, FLOW}),
    ("Resume-Message", lambda admin: admin.mail.act("release", EVERYTHING), {ALL, FLOW}),
    ("Remove-Message", lambda admin: admin.mail.act("drop", EVERYTHING), {ALL, FLOW}),
    ("Export-Message", lambda admin: admin.mail.content("none"), {ALL}),
    ("Send-MailMessage", lambda admin: admin.ledger.check(Acts.SEND_TEST), {ALL, FLOW}),
    ("Get-Administrator", lambda admin: admin.administrators.list(), {ALL, VIEW}),
    ("New-Administrator", lambda admin: admin.administrators.new("bob", "short", [ALL]), {ALL}),
    ("Set-Administrator", lambda admin: admin.administrators.set("bob", enabled=True), {ALL}),
    ("Set-Administrator", lambda admin: admin.administrators.end_sessions("bob"), {ALL}),
    ("Remove-Administrator", lambda admin: admin.administrators.remove("bob"), {ALL}),
    ("New-SetupLink", lambda admin: admin.administrators.setup_link("http://127.0.0.1"), {ALL}),
    ("Get-ApiToken", lambda admin: admin.tokens.list(), {ALL, VIEW}),
    ("New-ApiToken", lambda admin: admin.tokens.new("ci", VIEW, 60), {ALL}),
    ("Remove-ApiToken", lambda admin: admin.tokens.remove("ci"), {ALL}),
    ("Search-AdminAuditLog", lambda admin: admin.audit.find(AuditFilter()), {ALL}),
    ("Search-AdminAuditLog", lambda admin: admin.audit.page(AuditFilter()), {ALL}),
    ("Update-SecretsKey", lambda admin: admin.rotate_key(), {ALL}),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = Settings(data_dir=tmp_path / "data")
    store = open_store(settings.store_url, settings.data_dir)
    yield store
    store.close()


def acting(store: Store, *roles: Role) -> Administration:
    return Administration(store, {}, actor=Actor("alice", roles, Face.REST, "192.0.2.7"))


@pytest.mark.parametrize("roles", [(ALL,), (VIEW,), (FLOW,), (VIEW, FLOW), ()], ids=str)
@pytest.mark.parametrize(("name", "act", "allowed"), TABLE, ids=[f"{name}-{n}" for n, (name, *_) in enumerate(TABLE)])
def test_each_act_by_each_role(
    store: Store, name: str, act: Callable[[Administration], object], allowed: set[Role], roles: tuple[Role, ...]
) -> None:
    refusal: Forbidden | None = None
    try:
        act(acting(store, *roles))
    except Forbidden as error:
        refusal = error
    except AdminError:
        """Allowed, and not possible on an empty store."""
    refused = list(Administration(store).audit.find(AuditFilter(outcome=AuditOutcome.REFUSED)))
    if allowed.intersection(roles):
        assert (refusal, refused) == (None, [])
        return
    needed = " or ".join(role for role in Role if role in allowed)
    assert str(refusal) == f"alice may not {name}: it needs the role {needed}"
    (record,) = refused
    assert (record.who, record.face, record.origin, record.act) == ("alice", "rest", "192.0.2.7", name)
    assert record.reason == f"it needs the role {needed}"


def test_the_table_has_every_act() -> None:
    named = {act.name for name, act in vars(Acts).items() if name.isupper()}
    kinds = ("InboundConnector", "OutboundConnector", "Credential")
    items = {f"{verb}-{kind}" for verb in ("New", "Set", "Remove") for kind in kinds}
    domains = {"New-AcceptedDomain", "Set-AcceptedDomain", "Remove-AcceptedDomain"}
    assert {name for name, _, _ in TABLE} == named | items | domains


def test_a_refused_change_changes_nothing(store: Store) -> None:
    with pytest.raises(Forbidden):
        Items(acting(store, VIEW, FLOW), "accepted_domain", Path()).new("contoso.com", {})
    assert Administration(store).organization().domain_names == frozenset()


def test_on_the_host_one_may_do_everything_by_the_name_of_the_process(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "somebody-else")
    monkeypatch.setenv("LOGNAME", "somebody-else")
    actor = local_actor()
    assert actor.name.startswith("local:")
    assert "somebody-else" not in actor.name
    assert (actor.roles, actor.face, actor.origin) == ((ALL,), "cli", "local")


@pytest.mark.parametrize(
    ("text", "role"), [("organization management", ALL), (" View-Only Organization Management", VIEW)]
)
def test_roles_are_named_without_regard_to_case(text: str, role: Role) -> None:
    assert Role.named(text) is role


def test_a_role_that_is_none() -> None:
    with pytest.raises(
        AdminError, match='there is no role "Help Desk"; write one of: Organization Management, View-Only'
    ):
        Role.named("Help Desk")
