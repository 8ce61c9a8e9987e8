"""An administrator sets up a tenant: each act with the stand-ins of Entra, of the admin API and of the MX endpoint."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from posthouse.admin import AdminError, Administration, Forbidden, NotFound, Outdated, Role
from posthouse.admin.tenant import Act, Done, Tenant, Trial, Wish
from posthouse.organization import TenantConnection
from posthouse.spool import AuditOutcome, Store
from standins.entra import Entra, Registration
from standins.exchange import Exchange, Fault
from standins.mx import Mx
from support.sign_in import audited

OpenTenant = Callable[..., Tenant]

BY_ADDRESS = Wish(("By address",), ("127.0.0.7",))
BY_CERTIFICATE = Wish(("By certificate",))
BOTH = Wish(("By address", "By certificate"), ("127.0.0.7",))
TRIAL = Trial("scanner@contoso.test", "anne@contoso.test", "bob@fabrikam.test", timeout=10)


def test_connecting_is_kept_once_the_tenant_let_us_in(
    open_tenant: OpenTenant, store: Store, exchange: Exchange
) -> None:
    applied = open_tenant().connect("tenant APP", exchange.url)
    assert [(change.key, change.after) for change in applied.changes] == [
        ("tenant", {"credential": "Tenant app", "endpoint": exchange.url})
    ]
    admin = Administration(store)
    assert admin.organization().tenant == TenantConnection("Tenant app", exchange.url)
    assert exchange.cmdlets == ["Get-OrganizationConfig"]
    assert 'credential = "Tenant app"' in admin.export().partition("[tenant]")[2]
    assert [(each.act, each.outcome) for each in audited(admin)][-1] == ("Set-OrganizationConfig", AuditOutcome.OK)


@pytest.mark.parametrize(
    ("credential", "problem"),
    [("Other", 'there is no credential "Other"'), ("Tenant app", "may not use Get-OrganizationConfig")],
)
def test_connecting_that_fails_keeps_nothing(
    open_tenant: OpenTenant, store: Store, exchange: Exchange, credential: str, problem: str
) -> None:
    exchange.principals.clear()
    with pytest.raises(AdminError, match=problem):
        open_tenant().connect(credential, exchange.url)
    assert Administration(store).organization().tenant is None


def test_what_entra_refuses_is_told(
    open_tenant: OpenTenant, exchange: Exchange, entra: Entra, app: Registration
) -> None:
    app.certificate = None
    with pytest.raises(AdminError, match=r"^AADSTS700027: .*; upload this certificate"):
        open_tenant().connect("Tenant app", exchange.url)


def test_disconnecting(tenant: Tenant, store: Store) -> None:
    tenant.disconnect()
    assert Administration(store).organization().tenant is None
    with pytest.raises(AdminError, match="no tenant is connected; run posthouse tenant connect"):
        tenant.show()
    assert tenant.disconnect().changes == ()


def test_showing(tenant: Tenant, exchange: Exchange) -> None:
    exchange.connectors.add("Gateway", SenderDomains=["*.contoso.test"], SenderIPAddresses=["110.0.0.0/24"])
    exchange.reject_direct_send = True
    state = tenant.show()
    assert state.accepted_domains == {"contoso.test", "contoso.onmicrosoft.com"}
    assert state.reject_direct_send
    (gateway,) = state.connectors
    assert (gateway.name, gateway.is_on_premises, gateway.sender_domains) == ("Gateway", False, ("*.contoso.test",))


def test_a_plan_changes_nothing(tenant: Tenant, exchange: Exchange) -> None:
    assert [item.act for item in tenant.plan(BOTH).steps] == [Act.CREATE, Act.CREATE]
    assert {cmdlet.partition("-")[0] for cmdlet in exchange.cmdlets} == {"Get"}


@pytest.mark.parametrize("wish", [BY_ADDRESS, BY_CERTIFICATE, BOTH])
def test_once_it_is_carried_out_nothing_is_left_to_do(tenant: Tenant, exchange: Exchange, mx: Mx, wish: Wish) -> None:
    told: list[Done] = []
    done = tenant.apply(wish, (plan := tenant.plan(wish)).check, told.append)
    assert [each.item for each in done] == [each.item for each in told] == list(plan.steps)
    assert [connector["ConnectorType"] for connector in exchange.connectors.inbound.values()] == [
        "OnPremises" for _ in plan.steps
    ]
    assert tenant.plan(wish).steps == ()
    assert [verdict.accepted for verdict in tenant.verify(TRIAL, wish.connectors)] == [True, True] * len(plan.steps)


def test_what_was_done_is_on_record(tenant: Tenant, store: Store) -> None:
    tenant.apply(BY_ADDRESS, tenant.plan(BY_ADDRESS).check)
    record = audited(Administration(store))[-1]
    name = "Posthouse relay.contoso.test: By address"
    assert (record.act, record.object, record.outcome) == ("New-TenantInboundConnector", name, AuditOutcome.OK)
    assert {each.key: each.after for each in record.changes}["SenderIPAddresses"] == ["127.0.0.7"]


def test_it_stops_at_the_first_refusal(tenant: Tenant, exchange: Exchange, store: Store) -> None:
    plan = tenant.plan(BOTH)
    told: list[Done] = []

    def refuse_next(done: Done) -> None:
        told.append(done)
        content = b'{"error": {"message": "no more"}}'
        exchange.faults.append(Fault(400, content=content, cmdlet="New-InboundConnector"))

    with pytest.raises(AdminError) as refused:
        tenant.apply(BOTH, plan.check, refuse_next)
    first, second = refused.value.lines
    assert first == "New-InboundConnector: no more; change what it is about, and plan again"
    assert second == "before that these were changed, and stay so: Posthouse relay.contoso.test: By address"
    assert [*exchange.connectors.inbound] == ["Posthouse relay.contoso.test: By address"]
    assert [each.outcome for each in audited(Administration(store))[-2:]] == [AuditOutcome.OK, AuditOutcome.FAILED]


def test_a_refusal_at_once_says_that_nothing_was_changed(tenant: Tenant, exchange: Exchange) -> None:
    exchange.connectors.takes_reserved = False
    with pytest.raises(AdminError) as refused:
        tenant.apply(BY_ADDRESS, tenant.plan(BY_ADDRESS).check)
    assert "contains reserved IP addresses" in refused.value.lines[0]
    assert refused.value.lines[1] == "nothing was changed in the tenant"


def test_a_plan_that_is_old_is_not_carried_out(tenant: Tenant, exchange: Exchange) -> None:
    plan = tenant.plan(BY_ADDRESS)
    exchange.connectors.add("Relay", ConnectorType="OnPremises", SenderIPAddresses=["127.0.0.7"])
    with pytest.raises(Outdated, match="plan again"):
        tenant.apply(BY_ADDRESS, plan.check)
    assert [*exchange.connectors.inbound] == ["Relay"]


def test_what_may_have_been_done_is_seen_by_the_next_plan(tenant: Tenant, exchange: Exchange) -> None:
    plan = tenant.plan(BY_ADDRESS)
    exchange.faults.append(Fault(done=True, cmdlet="New-InboundConnector"))
    with pytest.raises(AdminError, match="it may have been done all the same"):
        tenant.apply(BY_ADDRESS, plan.check)
    assert tenant.plan(BY_ADDRESS).steps == ()


def test_what_others_made_stays_unless_it_is_named(tenant: Tenant, exchange: Exchange) -> None:
    exchange.connectors.add("Old", Comment="By hand", ConnectorType="OnPremises", SenderIPAddresses=["127.0.0.1"])
    before = dict(exchange.connectors.inbound["Old"])
    tenant.apply(BY_ADDRESS, tenant.plan(BY_ADDRESS).check)
    assert exchange.connectors.inbound["Old"] == before
    exchange.connectors.run("Remove-InboundConnector", {"Identity": "Posthouse relay.contoso.test: By address"})
    wish = Wish(("By address",), ("127.0.0.7",), take="old")
    tenant.apply(wish, tenant.plan(wish).check)
    taken = exchange.connectors.inbound["Old"]
    assert taken["SenderIPAddresses"] == ["127.0.0.7"]
    assert taken["Comment"] == 'By hand Made by posthouse on relay.contoso.test for "By address".'
    assert [*exchange.connectors.inbound] == ["Old"]


def test_what_is_named_must_be_there(tenant: Tenant) -> None:
    with pytest.raises(NotFound, match='the tenant has no inbound connector "Old"; it has: none'):
        tenant.plan(Wish(("By address",), ("127.0.0.7",), take="Old"))
    with pytest.raises(AdminError, match="--take is for one outbound connector"):
        tenant.plan(Wish(BOTH.connectors, take="Old"))


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        (Wish(("Other",)), 'there is no outbound connector "Other"; there are: By address, By certificate'),
        (Wish(addresses=("2001:db8::1",)), "is no IPv4 address or network"),
        (Wish(addresses=("110.0.0.0/16",)), "wider than a tenant takes"),
        (Wish(addresses=("110.0.0.7/24",)), "is no IPv4 address or network"),
    ],
)
def test_wishes_that_make_no_sense(tenant: Tenant, wish: Wish, problem: str) -> None:
    with pytest.raises(AdminError, match=problem):
        tenant.plan(wish)


def test_without_access_a_plan_is_for_a_tenant_that_nobody_knows(open_tenant: OpenTenant) -> None:
    plan = open_tenant().plan(BOTH, look=False)
    assert (plan.is_informed, len(plan.steps)) == (False, 2)


def test_an_address_that_the_tenant_cant_see_is_asked_for(open_tenant: OpenTenant) -> None:
    plan = open_tenant().plan(Wish(("By address",)), look=False)
    assert (plan.items[0].act, plan.steps) == (Act.ADVISE, ())
    assert plan.items[0].why.startswith("127.0.0.7 is no public IPv4 address, so say by --address")


def test_a_certificate_of_no_public_ca_is_told(open_tenant: OpenTenant) -> None:
    (problem,) = [item.why for item in open_tenant().plan(BY_CERTIFICATE, look=False).items if item.act is Act.ADVISE]
    assert problem.startswith("the chain of the client certificate doesn't lead to a public CA")


def test_what_the_tenant_refuses_is_explained(tenant: Tenant, mx: Mx) -> None:
    internal, external = tenant.verify(TRIAL, ("By address",))
    assert (internal.accepted, internal.is_internal) == (True, True)
    assert internal.text.startswith("127.0.0.1")
    assert (external.accepted, external.is_internal) == (False, False)
    assert "550 5.7.64 TenantAttribution; Relay Access Denied" in external.text
    assert external.remedy


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.ORGANIZATION_MANAGEMENT, {"show", "plan", "apply", "verify", "disconnect"}),
        (Role.VIEW_ONLY, {"show", "plan"}),
        (Role.MAIL_FLOW_OPERATOR, set()),
    ],
)
def test_each_role_may_its_own(open_tenant: OpenTenant, tenant: Tenant, role: Role, may: set[str]) -> None:
    acting, plan = open_tenant(role), tenant.plan(BY_ADDRESS)
    acts = {
        "show": acting.show,
        "plan": lambda: acting.plan(BY_ADDRESS),
        "apply": lambda: acting.apply(BY_ADDRESS, plan.check),
        "verify": lambda: acting.verify(TRIAL, ("By address",)),
        "disconnect": acting.disconnect,
    }
    allowed: set[str] = set()
    for name, act in acts.items():
        try:
            act()
            allowed.add(name)
        except Forbidden:
            continue
    assert allowed == may
