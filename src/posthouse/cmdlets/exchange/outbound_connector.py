"""New-, Get-, Set- and Remove-OutboundConnector: how mail leaves.

https://learn.microsoft.com/powershell/module/exchangepowershell/new-outboundconnector
https://learn.microsoft.com/powershell/module/exchangepowershell/set-outboundconnector
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial

from posthouse.admin import cmdlet_spelling
from posthouse.cmdlets.conversion import BOOLEAN, INT, STRING
from posthouse.cmdlets.exchange.changes import Kind, Nothing, new_item, remove_item, set_item, told
from posthouse.cmdlets.exchange.client_certificate import CERTIFICATE, as_file
from posthouse.cmdlets.exchange.objects import connector_object, found, organization
from posthouse.cmdlets.exchange.own_types import REWRITE_FROM, THROTTLE, TRANSPORT
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
from posthouse.cmdlets.exchange.types import (
    CONNECTOR_SOURCE,
    CONNECTOR_TYPE,
    DANE_MODE,
    MTA_STS_MODE,
    MULTI,
    TLS_SETTINGS,
    optional,
)
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, Parameter, View
from posthouse.cmdlets.values import PSObject, Value
from posthouse.organization import OutboundConnector
from posthouse.organization.schema import OUTBOUND_CONNECTOR

TYPE = "Microsoft.Exchange.Data.Directory.SystemConfiguration.TenantOutboundConnector"
KIND = Kind(
    "outbound_connector",
    {cmdlet_spelling(field.name): field.name for field in dataclasses.fields(OutboundConnector)},
    OUTBOUND_CONNECTOR,
)
_NO_RULES = "there are no mail flow rules here"
_DEMAND_TLS = "TlsSettings CertificateValidation, or DomainValidation with TlsDomain, demands a proven server instead"
_NOT_KEPT = "the outcome of a validation is not kept; Validate-OutboundConnector shows it"


def new(context: Context, bound: Bound) -> Iterator[Value]:
    with as_file(context, bound) as values:
        is_made = new_item(KIND, context, bound["Name"], values)
    if is_made:
        yield from _objects(context, bound["Name"])


def set_(context: Context, bound: Bound) -> Nothing:
    with as_file(context, bound) as values:
        return set_item(KIND, context, values)


def get(context: Context, bound: Bound) -> Iterator[Value]:
    """Without -IncludeTestModeConnectors those in test mode too: unlike in a tenant, nothing else would show them."""
    wanted = bound.get("IncludeTestModeConnectors")
    objects = _objects(context, bound.get("Identity", ""))
    yield from limited((one for one in objects if wanted is None or one.properties["TestMode"] == wanted), bound)


def _objects(context: Context, identity: str) -> Iterator[PSObject]:
    with told(context, identity):
        connectors = found(KIND, organization(context).outbound, identity)
    for connector in connectors:
        yield connector_object(TYPE, KIND, connector)


_FIELDS = (
    Parameter(name="AllAcceptedDomains", type=BOOLEAN, help="Carries mail for all accepted domains."),
    *never(
        "internal Exchange headers leave as they came; what may come in is said by inbound connectors",
        "CloudServicesMailEnabled",
    ),
    Parameter(name="Comment", type=STRING),
    Parameter(name="ConnectorSource", type=CONNECTOR_SOURCE),
    Parameter(name="ConnectorType", type=CONNECTOR_TYPE, help="Partner by default."),
    Parameter(name="Enabled", type=BOOLEAN, help="$true by default."),
    *never(_NO_RULES, "IsTransportRuleScoped"),
    only("MtaStsMode", MTA_STS_MODE, "None", f"policies of MTA-STS are not looked up; {_DEMAND_TLS}"),
    Parameter(name="RecipientDomains", type=MULTI, help="*, contoso.com or *.contoso.com."),
    *never("there is no other way that it would override; use -RecipientDomains *", "RouteAllMessagesViaOnPremises"),
    *never("reverse-paths are not rewritten by SRS; RewriteFrom gives senders an address", "SenderRewritingEnabled"),
    Parameter(name="SmartHosts", type=MULTI, help="Names or addresses, not networks."),
    only("SmtpDaneMode", DANE_MODE, "None", f"TLSA records are not looked up; {_DEMAND_TLS}"),
    *never("there is no test mode; use -Enabled $false, and Validate-OutboundConnector to try one", "TestMode"),
    Parameter(name="TlsDomain", type=STRING, help="For TlsSettings DomainValidation."),
    Parameter(name="TlsSettings", type=TLS_SETTINGS, help="$null, the default: TLS where it is offered."),
    Parameter(name="UseMXRecord", type=BOOLEAN, help="$true by default where there are no SmartHosts."),
)
_OURS = (
    Parameter(name="Transport", type=TRANSPORT, help="Ours: smtp, Microsoft Graph, or a Maildir of each recipient."),
    Parameter(name="Port", type=INT, help="Ours: 25 by default."),
    Parameter(name="SourceAddress", type=STRING, help="Ours: the local address to send from."),
    Parameter(
        name="ClientCertificate",
        type=CERTIFICATE,
        help="Ours: @{Pfx='cert.pfx'; Password='…'}, an X509Certificate2 with its key, @{Content='…'; Password='…'} "
        "with the PFX in bytes or Base64, or the thumbprint of one that is stored.",
    ),
    Parameter(name="Credential", type=MULTI, help="Ours: names of credentials; several share the mail."),
    Parameter(name="Endpoint", type=optional(STRING), help="Ours: of Microsoft Graph."),
    Parameter(name="RewriteFrom", type=MULTI, help=REWRITE_FROM),
    Parameter(name="Mailboxes", type=MULTI, help="Ours: the addresses that a mailbox connector holds, or *."),
    Parameter(
        name="Throttle",
        type=THROTTLE,
        help="Ours: @{MessagesPerMinute=30; RecipientsPerDay=10000; Connections=3}, or some of them.",
    ),
)
OUTBOUND_CONNECTOR_CMDLETS = Library(
    cmdlets=(
        Cmdlet(
            "New-OutboundConnector",
            (
                Parameter(name="Name", type=STRING, position=0, mandatory=True),
                *_FIELDS,
                *refused(INTERNAL, "LinkForModifiedConnector"),
                *_OURS,
            ),
            new,
            synopsis="Makes an outbound connector.",
            should_process=True,
        ),
        Cmdlet(
            "Get-OutboundConnector",
            (
                ANY_IDENTITY,
                Parameter(
                    name="IncludeTestModeConnectors", type=BOOLEAN, help="Only those in test mode, or only others."
                ),
                *never(_NO_RULES, "IsTransportRuleScoped"),
                RESULT_SIZE,
            ),
            get,
            synopsis="Shows outbound connectors.",
        ),
        Cmdlet(
            "Set-OutboundConnector",
            (
                IDENTITY,
                Parameter(name="Name", type=STRING, help="The new name."),
                *_FIELDS,
                *refused(_NOT_KEPT, "IsValidated LastValidationTimestamp ValidationRecipients"),
                *_OURS,
            ),
            set_,
            synopsis="Changes an outbound connector: what isn't given stays.",
            should_process=True,
        ),
        Cmdlet(
            "Remove-OutboundConnector",
            (IDENTITY,),
            partial(remove_item, KIND),
            synopsis="Removes an outbound connector.",
            should_process=True,
            confirm=True,
        ),
    ),
    views={TYPE: View(("Name", "RecipientDomains", "SmartHosts", "Enabled"))},
)
