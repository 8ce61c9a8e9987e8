"""New-, Get-, Set- and Remove-AcceptedDomain: the domains that the organization receives mail for.

Exchange Online makes and removes them in the admin center; New- and Remove- are those of Exchange Server.
https://learn.microsoft.com/powershell/module/exchangepowershell/new-accepteddomain
https://learn.microsoft.com/powershell/module/exchangepowershell/set-accepteddomain
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from posthouse.cmdlets.conversion import STRING
from posthouse.cmdlets.exchange.changes import Kind, new_item, remove_item, set_item, told
from posthouse.cmdlets.exchange.objects import found, identified, organization
from posthouse.cmdlets.exchange.parameters import (
    ANY_IDENTITY,
    DOMAIN_CONTROLLER,
    IDENTITY,
    INTERNAL,
    ON_PREMISES,
    RESULT_SIZE,
    limited,
    never,
    refused,
)
from posthouse.cmdlets.exchange.types import DOMAIN_TYPE
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, Parameter, View
from posthouse.cmdlets.values import PSObject, Value
from posthouse.mail.address import normalize_domain
from posthouse.organization.schema import ACCEPTED_DOMAIN

TYPE = "Microsoft.Exchange.Data.Directory.SystemConfiguration.AcceptedDomain"
KIND = Kind("accepted_domain", {"DomainType": "type"}, ACCEPTED_DOMAIN, normalize_domain)


def new(context: Context, bound: Bound) -> Iterator[Value]:
    domain = bound.get("DomainName") or bound["Name"]
    if new_item(KIND, context, domain, bound):
        if normalize_domain(bound["Name"]) != normalize_domain(domain):
            context.warning(f"An accepted domain is called by its domain: the Name is '{domain}'.")
        yield from _objects(context, domain)


def get(context: Context, bound: Bound) -> Iterator[Value]:
    yield from limited(_objects(context, bound.get("Identity", "")), bound)


def _objects(context: Context, identity: str) -> Iterator[PSObject]:
    """The first one is the default: its postmaster is ours."""
    with told(context, identity):
        domains = organization(context).accepted_domains
        meant = found(KIND, domains, identity)
    for domain in meant:
        properties = {"DomainName": domain.name, "DomainType": domain.type.value, "Default": domain is domains[0]}
        yield PSObject.of(TYPE, {**properties, **identified(KIND, domain.name)}, domain.name)


_DOMAIN_TYPE = Parameter(name="DomainType", type=DOMAIN_TYPE, help="Authoritative by default.")
ACCEPTED_DOMAIN_CMDLETS = Library(
    cmdlets=(
        Cmdlet(
            "New-AcceptedDomain",
            (
                Parameter(
                    name="Name",
                    type=STRING,
                    position=0,
                    mandatory=True,
                    help="The domain. Where DomainName is given too, that is the Name: a warning says so.",
                ),
                Parameter(name="DomainName", type=STRING, help="The Name by default. No wildcard."),
                _DOMAIN_TYPE,
                *DOMAIN_CONTROLLER,
            ),
            new,
            synopsis="Accepts mail for a domain.",
            should_process=True,
        ),
        Cmdlet(
            "Get-AcceptedDomain",
            (ANY_IDENTITY, RESULT_SIZE, *DOMAIN_CONTROLLER),
            get,
            synopsis="Shows the accepted domains.",
        ),
        Cmdlet(
            "Set-AcceptedDomain",
            (
                IDENTITY,
                _DOMAIN_TYPE,
                *DOMAIN_CONTROLLER,
                *refused(ON_PREMISES, "AddressBookEnabled PendingCompletion PendingRemoval"),
                *refused(INTERNAL, "CanHaveCloudCache EnableNego2Authentication"),
                *refused("the first accepted domain is the default", "MakeDefault"),
                *never("each domain is accepted by its own name; add the others", "MatchSubDomains"),
                *refused("an accepted domain is called by its domain", "Name"),
                *never("what leaves is said by outbound connectors", "OutboundOnly"),
                *never("who may send is said by inbound connectors", "SendingFromDomainDisabled"),
                *never("remove the domain, and mail for it is refused", "SendingToDomainDisabled"),
            ),
            partial(set_item, KIND),
            synopsis="Changes an accepted domain.",
            should_process=True,
        ),
        Cmdlet(
            "Remove-AcceptedDomain",
            (IDENTITY, *DOMAIN_CONTROLLER),
            partial(remove_item, KIND),
            synopsis="Accepts no mail for a domain any more.",
            should_process=True,
            confirm=True,
        ),
    ),
    views={TYPE: View(("Name", "DomainName", "DomainType", "Default"))},
)
