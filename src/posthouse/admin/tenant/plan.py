"""What is to be done in the tenant, so that it takes this relay's mail: a pure comparison of what is needed and there.

Which connector a tenant finds for a mail, and what it may send by it:
https://learn.microsoft.com/exchange/mail-flow-best-practices/use-connectors-to-configure-mail-flow/set-up-connectors-to-route-mail
https://learn.microsoft.com/exchange/troubleshoot/connectors/office-365-notice
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Final

from posthouse.admin.errors import Outdated
from posthouse.admin.tenant.facts import TenantConnector, TenantState
from posthouse.admin.tenant.ways import Way
from posthouse.organization import Organization, name_matches, network_text
from posthouse.organization.certificate import patterns_of
from posthouse.organization.connectors import ANY
from posthouse.organization.domains import ancestry

NEW: Final = "New-InboundConnector"
SET: Final = "Set-InboundConnector"
_LONGEST_NAME: Final = 64
_OWN_DOMAINS: Final = (".onmicrosoft.com", ".onmicrosoft.us", ".partner.onmschina.cn")
"""Every tenant has some of these, which nobody sends as."""

Value = str | bool | tuple[str, ...] | None
"""None empties a setting."""


class Act(enum.StrEnum):
    CREATE = "create"
    CHANGE = "change"
    ADVISE = "advise"
    FINE = "fine"


@dataclass(frozen=True, slots=True)
class Item:
    """What is found about one thing, and `why`; `cmdlet` with its `parameters` is what would be run in the tenant."""

    act: Act
    about: str
    why: str
    cmdlet: str = ""
    parameters: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True, slots=True)
class Plan:
    """`is_informed`: the tenant was looked at."""

    items: tuple[Item, ...]
    is_informed: bool = True

    def check(self, now: Plan) -> None:
        """Raises `Outdated` where the plan is another one by now."""
        if now != self:
            raise Outdated("the tenant or this organization has changed since the plan was made; plan again")

    @property
    def steps(self) -> tuple[Item, ...]:
        """What changes something."""
        return tuple(item for item in self.items if item.cmdlet)


@dataclass(frozen=True, slots=True)
class Terms:
    """`relay` is the host name that connectors made from here are marked with; `take` the Name of one that may be
    changed though it isn't."""

    relay: str
    take: str = ""


def make_plan(organization: Organization, ways: Sequence[Way], tenant: TenantState | None, terms: Terms) -> Plan:
    """Without a tenant, that is one about which nothing is known, everything is to be made."""
    planner = _Planner(organization, tenant or TenantState(organization.domain_names), terms)
    items = [item for way in planner.in_order(ways) for item in planner.way(way)]
    if not ways:
        items.append(
            Item(
                Act.ADVISE, "outbound connectors", "none goes to an MX endpoint of Microsoft 365; make one, or name one"
            )
        )
    if tenant is not None:
        items += planner.rest()
    return Plan(tuple(items), tenant is not None)


class _Planner:
    """What is planned for one way counts for the next: two connectors with one certificate need one there."""

    def __init__(self, organization: Organization, tenant: TenantState, terms: Terms) -> None:
        self._organization = organization
        self._tenant = tenant
        self._terms = terms
        self._connectors = [*tenant.connectors]
        self._all_match = True

    def in_order(self, ways: Sequence[Way]) -> list[Way]:
        """Those with a connector of their own come first: the others may do with that only as it will be."""
        return sorted(ways, key=lambda way: self._own(way) is None)

    def way(self, way: Way) -> Iterator[Item]:
        about = f'outbound connector "{way.connector}"'
        yield from (Item(Act.ADVISE, about, problem) for problem in way.problems)
        needed = self._needed(way)
        if needed is None:
            self._all_match = False
            return
        yield from self._connector(about, way, needed)
        yield from self._certificate_domain(about, needed)
        yield from (Item(Act.ADVISE, about, text) for text in self._shadows(needed, way))

    def rest(self) -> Iterator[Item]:
        yield from self._domains()
        yield self._direct_send()
        yield from self._left_over()

    def _needed(self, way: Way) -> TenantConnector | None:
        """None where there is nothing that it could be proven by."""
        if not way.names and not way.addresses:
            return None
        return TenantConnector(
            f"Posthouse {self._terms.relay}: {way.connector}"[:_LONGEST_NAME].rstrip(),
            comment=_mark(self._terms.relay, way.connector),
            sender_ip_addresses=way.addresses,
            tls_sender_certificate_name=self._certificate_name(way.names) if way.names else "",
            require_tls=way.uses_tls,
        )

    def _certificate_name(self, names: Sequence[str]) -> str:
        """One in an accepted domain, for then mail from any domain is relayed; a name before a wildcard."""
        accepted = [name for name in names if self._is_accepted(name)]
        return next(iter(sorted(accepted or names, key=lambda name: name.startswith("*"))))

    def _is_accepted(self, name: str) -> bool:
        return not self._tenant.accepted_domains.isdisjoint(ancestry(name.removeprefix("*.")))

    def _connector(self, about: str, way: Way, needed: TenantConnector) -> Iterator[Item]:
        mine = self._own(way)
        if mine is not None:
            yield self._compared(about, way, needed, mine)
            return
        proving = [each for each in self._connectors if each.is_on_premises and _proves(each, needed, way.names)]
        if good := next((each for each in proving if each.enabled and not each.associated_accepted_domains), None):
            yield Item(Act.FINE, about, f'the tenant\'s connector "{good.name}" matches {_proof(needed)}')
            return
        yield from (Item(Act.ADVISE, about, text) for text in self._almost(proving, needed))
        yield self._made(about, needed)

    def _own(self, way: Way) -> TenantConnector | None:
        """The one that the administrator names; else the one that was made for this way."""
        taken = self._terms.take.casefold()
        mark = _mark(self._terms.relay, way.connector)
        own = (each for each in self._connectors if mark in each.comment)
        named = (each for each in self._connectors if taken and each.name.casefold() == taken)
        return next(named, None) or next(own, None)

    def _compared(self, about: str, way: Way, needed: TenantConnector, mine: TenantConnector) -> Item:
        """A name there that the certificate has too, as a wildcard, is left."""
        wanted = replace(needed, name=mine.name)
        if _is_shown(mine, way.names):
            wanted = replace(wanted, tls_sender_certificate_name=mine.tls_sender_certificate_name)
        if needed.comment not in mine.comment:
            wanted = replace(wanted, comment=f"{mine.comment} {needed.comment}".strip())
        before, after = _parameters(mine), _parameters(wanted)
        changes = {key: value for key, value in after.items() if before[key] != value}
        if not changes:
            return Item(Act.FINE, about, f'the tenant\'s connector "{mine.name}" is as it should be')
        self._connectors[self._connectors.index(mine)] = wanted
        what = ", ".join(f"{key} is {_told(before[key])} instead of {_told(changes[key])}" for key in changes)
        return Item(Act.CHANGE, about, f'"{mine.name}": {what}', SET, {"Identity": mine.name, **changes})

    def _made(self, about: str, needed: TenantConnector) -> Item:
        if any(each.name.casefold() == needed.name.casefold() for each in self._connectors):
            why = f'"{needed.name}" is there, but not marked as made from here; rename it, or name it with --take'
            self._all_match = False
            return Item(Act.ADVISE, about, why)
        self._connectors.append(needed)
        parameters = {key: value for key, value in _parameters(needed).items() if value not in ((), None)}
        why = f"no connector of the tenant matches {_proof(needed)}"
        return Item(Act.CREATE, about, why, NEW, {"Name": needed.name, **parameters})

    def _almost(self, proving: Sequence[TenantConnector], needed: TenantConnector) -> Iterator[str]:
        """Connectors of others that would do, but for something; they stay as they are."""
        for each in proving:
            what = "is disabled" if not each.enabled else "is for some accepted domains only"
            yield f'the tenant\'s connector "{each.name}" matches {_proof(needed)}, but {what}; --take changes it'
        for each in self._connectors:
            known = [one for one in needed.sender_ip_addresses if _holds(each.sender_ip_addresses, one)]
            if each.is_on_premises and each.enabled and 0 < len(known) < len(needed.sender_ip_addresses):
                missing = ", ".join(network_text(one) for one in needed.sender_ip_addresses if one not in known)
                yield f'the tenant\'s connector "{each.name}" is too narrow: {missing} is not in it; --take widens it'

    def _certificate_domain(self, about: str, needed: TenantConnector) -> Iterator[Item]:
        name = needed.tls_sender_certificate_name
        if name and not self._is_accepted(name):
            why = (
                f"{name} is in no accepted domain of the tenant, so only mail with a reverse-path in one is relayed, "
                "not bounces, and nothing forwarded; get a certificate with such a name"
            )
            yield Item(Act.ADVISE, about, why)

    def _shadows(self, needed: TenantConnector, way: Way) -> Iterator[str]:
        """Partner connectors whose rules for our domains this way breaks."""
        for each in self._connectors:
            ours = each.is_for(sorted(self._organization.domain_names)) if each.enabled else []
            if each.is_on_premises or not ours:
                continue
            by_address = each.restrict_domains_to_ip_addresses and not _all_in(needed, each)
            by_name = each.restrict_domains_to_certificate and not _is_shown(each, way.names)
            label = f'the tenant\'s Partner connector "{each.name}"'
            if by_address or by_name:
                rule = "RestrictDomainsToIPAddresses" if by_address else "RestrictDomainsToCertificate"
                yield f"{label} reserves {', '.join(ours)} by {rule}: from here that is refused by 550 5.7.51"
            elif each.require_tls and not way.uses_tls:
                yield f"{label} requires TLS for {', '.join(ours)}; set tls_settings, at least to EncryptionOnly"

    def _domains(self) -> Iterator[Item]:
        here, there = self._organization.domain_names, self._tenant.accepted_domains
        for name in sorted(here - there):
            why = (
                "the tenant doesn't accept it; add and verify it in the Microsoft 365 admin center, Settings > Domains"
            )
            yield Item(Act.ADVISE, f"accepted domain {name}", why)
        for name in sorted(here & there):
            yield Item(Act.FINE, f"accepted domain {name}", "both accept it")
        for name in sorted(there - here):
            if not name.endswith(_OWN_DOMAINS):
                why = f"this relay doesn't; if people or devices send as it from here: posthouse domain new {name}"
                yield Item(Act.ADVISE, f"accepted domain {name}", why)

    def _direct_send(self) -> Item:
        about = "RejectDirectSend"
        if not self._tenant.reject_direct_send:
            return Item(Act.FINE, about, "it is off: the tenant's own people are reached from here without a connector")
        if self._all_match:
            return Item(Act.FINE, about, "it is on: mail in the tenant's name is refused unless a connector matches")
        return Item(Act.ADVISE, about, "it is on: until a connector matches, mail from here is refused by 550 5.7.68")

    def _left_over(self) -> Iterator[Item]:
        """What was made from here for a connector that is no more. Nothing is deleted."""
        marks = [_mark(self._terms.relay, connector.name) for connector in self._organization.outbound]
        for each in self._tenant.connectors:
            if _mark(self._terms.relay) in each.comment and not any(mark in each.comment for mark in marks):
                why = "it was made from here for an outbound connector that is no more; remove it if nobody uses it"
                yield Item(Act.ADVISE, f'the tenant\'s connector "{each.name}"', why)


def _mark(relay: str, connector: str = "") -> str:
    """In the Comment of what is made from here. Without a connector: how all of them begin."""
    made = f"Made by posthouse on {relay} for "
    return f'{made}"{connector}".' if connector else made


def _parameters(connector: TenantConnector) -> dict[str, Value]:
    """SenderDomains, which New- demands, act on Partner connectors only. TlsSenderCertificateName needs RequireTls."""
    return {
        "ConnectorType": "OnPremises" if connector.is_on_premises else "Partner",
        "Comment": connector.comment,
        "Enabled": connector.enabled,
        "SenderDomains": (ANY,),
        "SenderIPAddresses": tuple(map(network_text, sorted(connector.sender_ip_addresses))),
        "AssociatedAcceptedDomains": connector.associated_accepted_domains,
        "RequireTls": connector.require_tls,
        "TlsSenderCertificateName": connector.tls_sender_certificate_name or None,
    }


def _proves(connector: TenantConnector, needed: TenantConnector, names: Sequence[str]) -> bool:
    """One that asks for both, a certificate and an address, is sure to match only who has both."""
    if needed.tls_sender_certificate_name:
        return _is_shown(connector, names) and not connector.sender_ip_addresses
    return _all_in(needed, connector) and not connector.tls_sender_certificate_name


def _is_shown(connector: TenantConnector, names: Sequence[str]) -> bool:
    wanted = connector.tls_sender_certificate_name
    return bool(wanted) and any(name_matches(wanted, name) for name in names)


def _all_in(needed: TenantConnector, connector: TenantConnector) -> bool:
    ours = needed.sender_ip_addresses
    return bool(ours) and all(_holds(connector.sender_ip_addresses, one) for one in ours)


def _holds(networks: Sequence[IPv4Network], wanted: IPv4Network) -> bool:
    return any(wanted.subnet_of(network) for network in networks)


def _proof(needed: TenantConnector) -> str:
    if name := needed.tls_sender_certificate_name:
        return f"the certificate's name {' or '.join(patterns_of(name))}"
    return ", ".join(map(network_text, needed.sender_ip_addresses))


def _told(value: Value | None) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "nothing"
    return str(value) if value not in (None, "") else "nothing"
