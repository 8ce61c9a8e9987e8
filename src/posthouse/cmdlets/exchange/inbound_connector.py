"""New-, Get-, Set- and Remove-InboundConnector: who may hand us mail.

https://learn.microsoft.com/powershell/module/exchangepowershell/new-inboundconnector
https://learn.microsoft.com/powershell/module/exchangepowershell/set-inboundconnector
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial

from posthouse.admin import cmdlet_spelling
from posthouse.cmdlets.conversion import BOOLEAN, STRING
from posthouse.cmdlets.exchange.changes import Kind, new_item, remove_item, set_item, told
from posthouse.cmdlets.exchange.objects import connector_object, found, organization
from posthouse.cmdlets.exchange.own_types import LOGINS, PRIORITY, REWRITE_FROM
from posthouse.cmdlets.exchange.parameters import (
    ANY_IDENTITY,
    IDENTITY,
    INTERNAL,
    RESULT_SIZE,
    limited,
    never,
    only,
    refused,
)
from posthouse.cmdlets.exchange.types import CONNECTOR_SOURCE, CONNECTOR_TYPE, COUNT, MULTI
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, Parameter, View
from posthouse.cmdlets.values import PSObject, Value
from posthouse.organization import InboundConnector
from posthouse.organization.schema import INBOUND_CONNECTOR

TYPE = "Microsoft.Exchange.Data.Directory.SystemConfiguration.TenantInboundConnector"
KIND = Kind(
    "inbound_connector",
    {cmdlet_spelling(field.name): field.name for field in dataclasses.fields(InboundConnector)},
    INBOUND_CONNECTOR,
)
_NO_FILTER = "Enhanced Filtering is for a spam filter, and there is none here"


def new(context: Context, bound: Bound) -> Iterator[Value]:
    if new_item(KIND, context, bound["Name"], bound):
        yield from _objects(context, bound["Name"])


def get(context: Context, bound: Bound) -> Iterator[Value]:
    yield from limited(_objects(context, bound.get("Identity", "")), bound)


def _objects(context: Context, identity: str) -> Iterator[PSObject]:
    with told(context, identity):
        connectors = found(KIND, organization(context).inbound, identity)
    for connector in connectors:
        yield connector_object(TYPE, KIND, connector)


_SENDER_DOMAINS = Parameter(
    name="SenderDomains", type=MULTI, help="*, contoso.com, *.contoso.com or smtp:contoso.com;1."
)
_FIELDS = (
    only("AssociatedAcceptedDomains", MULTI, [], "name the accepted domains in SenderDomains, which does the same"),
    Parameter(name="CloudServicesMailEnabled", type=BOOLEAN, help="Internal Exchange headers stay in the mail."),
    Parameter(name="Comment", type=STRING),
    Parameter(name="ConnectorSource", type=CONNECTOR_SOURCE),
    Parameter(name="ConnectorType", type=CONNECTOR_TYPE, help="Partner by default. Only OnPremises may relay."),
    only("EFSkipIPs", MULTI, [], _NO_FILTER),
    *never(_NO_FILTER, "EFSkipLastIP"),
    only("EFUsers", MULTI, [], _NO_FILTER),
    Parameter(name="Enabled", type=BOOLEAN, help="$true by default."),
    Parameter(name="RequireTls", type=BOOLEAN, help="$false by default. Acts on both types of connector."),
    Parameter(name="RestrictDomainsToCertificate", type=BOOLEAN, help="Acts on both types of connector."),
    Parameter(name="RestrictDomainsToIPAddresses", type=BOOLEAN, help="Acts on both types of connector."),
    Parameter(name="SenderIPAddresses", type=MULTI, help="Any address or network, IPv6 too."),
    Parameter(name="TlsSenderCertificateName", type=STRING, help="mail.contoso.com or *.contoso.com."),
    *never("mail gets no mark of being internal; CloudServicesMailEnabled keeps one", "TreatMessagesAsInternal"),
    only(
        "TrustedOrganizations",
        MULTI,
        [],
        "it names tenants of Microsoft 365; use TlsSenderCertificateName or SenderIPAddresses",
    ),
    *refused(INTERNAL, "EFSkipMailGateway EFTestMode ScanAndDropRecipients"),
)
_OURS = (
    Parameter(name="SenderCredentials", type=LOGINS, help="Ours: logins, each @{User='scanner'; Password='…'}."),
    Parameter(name="RateLimit", type=COUNT, help="Ours: messages a minute."),
    Parameter(name="RewriteFrom", type=MULTI, help=REWRITE_FROM),
    Parameter(name="Priority", type=PRIORITY, help="Ours: whose mail goes first where a next hop's limits hold it up."),
)
INBOUND_CONNECTOR_CMDLETS = Library(
    cmdlets=(
        Cmdlet(
            "New-InboundConnector",
            (
                Parameter(name="Name", type=STRING, position=0, mandatory=True),
                dataclasses.replace(_SENDER_DOMAINS, mandatory=True),
                *_FIELDS,
                *_OURS,
            ),
            new,
            synopsis="Makes an inbound connector.",
            should_process=True,
        ),
        Cmdlet("Get-InboundConnector", (ANY_IDENTITY, RESULT_SIZE), get, synopsis="Shows inbound connectors."),
        Cmdlet(
            "Set-InboundConnector",
            (IDENTITY, Parameter(name="Name", type=STRING, help="The new name."), _SENDER_DOMAINS, *_FIELDS, *_OURS),
            partial(set_item, KIND),
            synopsis="Changes an inbound connector: what isn't given stays.",
            should_process=True,
        ),
        Cmdlet(
            "Remove-InboundConnector",
            (IDENTITY,),
            partial(remove_item, KIND),
            synopsis="Removes an inbound connector.",
            should_process=True,
            confirm=True,
        ),
    ),
    views={TYPE: View(("Name", "SenderDomains", "SenderIPAddresses", "Enabled"))},
)
