"""Get- and Set-TransportConfig: the limits on messages, which every node follows.

https://learn.microsoft.com/powershell/module/exchangepowershell/set-transportconfig
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from posthouse.admin import Acts
from posthouse.cmdlets.conversion import BOOLEAN, SPAN, STRING
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.exchange.changes import Document, change, told
from posthouse.cmdlets.exchange.objects import organization
from posthouse.cmdlets.exchange.parameters import DOMAIN_CONTROLLER, FORCE, ON_PREMISES, refused
from posthouse.cmdlets.exchange.types import COUNT, SIZE, optional, size_text
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, Parameter, View
from posthouse.cmdlets.values import PSObject, Value
from posthouse.settings import Settings

TYPE = "Microsoft.Exchange.Data.Directory.SystemConfiguration.TransportConfigContainer"
_NAME = "Transport Settings"
_KEYS: Mapping[str, tuple[str, str]] = {
    "MaxSendSize": ("limits", "message_size"),
    "MaxReceiveSize": ("limits", "message_size"),
    "MaxRecipientEnvelopeLimit": ("limits", "recipients"),
    "MessageExpiration": ("delivery", "give_up_after"),
}
"""Where each parameter is in a document."""


def get(context: Context, _bound: Bound) -> Iterator[Value]:
    """What is in force: the organization's value, else the node's own."""
    settings = context.service(Settings)
    with told(context, _NAME):
        found = organization(context)
    size = found.limits.message_size
    recipients = found.limits.recipients
    expiration = found.delivery.give_up_after
    shown = size_text(settings.limits.message_size if size is None else size)
    properties: dict[str, Value] = {
        "AllowLegacyTLSClients": _allows_legacy(settings),
        "MaxReceiveSize": shown,
        "MaxRecipientEnvelopeLimit": (settings.limits.recipients if recipients is None else recipients) or "Unlimited",
        "MaxSendSize": shown,
        "MessageExpiration": timedelta(seconds=settings.delivery.give_up_after if expiration is None else expiration),
        "PostmasterAddress": found.postmaster_address,
        "Name": _NAME,
        "Identity": _NAME,
    }
    yield PSObject.of(TYPE, properties, _NAME)


def _allows_legacy(settings: Settings) -> bool:
    return any(listener.tls_profile == "legacy" for listener in settings.listener)


def set_(context: Context, bound: Bound) -> Iterator[Value]:
    legacy = _allows_legacy(context.service(Settings))
    if bound.get("AllowLegacyTLSClients", legacy) is not legacy:
        text = "AllowLegacyTLSClients: a listener says which TLS it speaks; set its tls_profile in posthouse.toml."
        raise PSError(text, category="NotImplemented", error_id="TaskArgumentException")
    if bound.get("MaxSendSize") != bound.get("MaxReceiveSize") and {"MaxSendSize", "MaxReceiveSize"} <= bound.keys():
        text = "MaxReceiveSize and MaxSendSize are one limit here; give both the same value, or one of them."
        raise PSError(text, category="InvalidArgument", error_id="TaskArgumentException")

    def edit(document: Document) -> Document:
        for name, (section, key) in _KEYS.items():
            if name in bound:
                document = {**document, section: _with(document.get(section, {}), key, _written(bound[name]))}
        if "PostmasterAddress" in bound:
            document = _with(document, "postmaster_address", bound["PostmasterAddress"])
        return document

    change(context, edit, Acts.SET_TRANSPORT, _NAME)
    yield from ()


def _with(table: Mapping[str, Any], key: str, value: Any) -> Document:
    """None takes the key away."""
    rest = {name: kept for name, kept in table.items() if name != key}
    return rest if value is None else {**rest, key: value}


def _written(value: Value) -> Value:
    """A time span as a text, of which one beyond reason is refused."""
    return f"{value.total_seconds():.15g}s" if isinstance(value, timedelta) else value


_CONVERSION = "messages are passed on as they are, not converted"
_NOTIFICATIONS = "notifications follow RFC 3464 and what the sender asked for (NOTIFY, RET)"
_REDUNDANCY = "each message is safe on disk before it is accepted, without shadow copies"
_JOURNALING = "there is no journaling here"
_MAILBOXES = "it is about mailboxes in Exchange, and there are none here"

TRANSPORT_CONFIG_CMDLETS = Library(
    cmdlets=(
        Cmdlet(
            "Get-TransportConfig",
            (*DOMAIN_CONTROLLER, *refused(ON_PREMISES, "Identity")),
            get,
            synopsis="Shows the limits on messages that are in force.",
        ),
        Cmdlet(
            "Set-TransportConfig",
            (
                Parameter(name="MaxSendSize", type=SIZE, help="limits.message_size; $null is the node's own value."),
                Parameter(name="MaxReceiveSize", type=SIZE, help="The same limit."),
                Parameter(
                    name="MaxRecipientEnvelopeLimit",
                    type=COUNT,
                    help="limits.recipients; $null is the node's own value.",
                ),
                Parameter(
                    name="MessageExpiration",
                    type=optional(SPAN),
                    help="delivery.give_up_after; $null is the node's own value.",
                ),
                Parameter(
                    name="PostmasterAddress",
                    type=optional(STRING),
                    help="Ours: who gets the mail for postmaster without a domain.",
                ),
                Parameter(
                    name="AllowLegacyTLSClients",
                    type=BOOLEAN,
                    help="Only what holds already: a listener's tls_profile in posthouse.toml says it.",
                ),
                FORCE,
                *DOMAIN_CONTROLLER,
                *refused(
                    "logins belong to connectors: see Set-InboundConnector -SenderCredentials",
                    "SmtpClientAuthenticationDisabled",
                ),
                *refused("notifications come from MAILER-DAEMON at our host name", "ExternalPostmasterAddress"),
                *refused(
                    ON_PREMISES,
                    "Identity AgentGeneratedMessageLoopDetectionInSmtpEnabled "
                    "AgentGeneratedMessageLoopDetectionInSubmissionEnabled DiagnosticsAggregationServicePort "
                    "MaxAllowedAgentGeneratedMessageDepth MaxAllowedAgentGeneratedMessageDepthPerAgent "
                    "QueueDiagnosticsAggregationInterval TLSReceiveDomainSecureList TLSSendDomainSecureList "
                    "TransportRuleAttachmentTextScanLimit VerifySecureSubmitEnabled Xexch50Enabled InternalSMTPServers",
                ),
                *refused(
                    _REDUNDANCY,
                    "MaxDumpsterSizePerDatabase MaxDumpsterTime MaxRetriesForLocalSiteShadow "
                    "MaxRetriesForRemoteSiteShadow RejectMessageOnShadowFailure SafetyNetHoldTime "
                    "ShadowHeartbeatFrequency ShadowHeartbeatRetryCount ShadowHeartbeatTimeoutInterval "
                    "ShadowMessageAutoDiscardInterval ShadowMessagePreferenceSetting ShadowRedundancyEnabled "
                    "ShadowResubmitTimeSpan",
                ),
                *refused(
                    _CONVERSION,
                    "ClearCategories ConvertDisclaimerWrapperToEml DSNConversionMode HeaderPromotionModeSetting "
                    "Rfc2231EncodingEnabled",
                ),
                *refused(
                    _NOTIFICATIONS,
                    "ExternalDelayDsnEnabled ExternalDsnDefaultLanguage ExternalDsnLanguageDetectionEnabled "
                    "ExternalDsnMaxMessageAttachSize ExternalDsnReportingAuthority ExternalDsnSendHtml "
                    "GenerateCopyOfDSNFor InternalDelayDsnEnabled InternalDsnDefaultLanguage "
                    "InternalDsnLanguageDetectionEnabled InternalDsnMaxMessageAttachSize "
                    "InternalDsnReportingAuthority InternalDsnSendHtml",
                ),
                *refused(
                    _JOURNALING,
                    "JournalMessageExpirationDays JournalingReportNdrTo LegacyJournalingMigrationEnabled "
                    "PreventDuplicateJournalingEnabled VoicemailJournalingEnabled",
                ),
                *refused(
                    _MAILBOXES,
                    "AddressBookPolicyRoutingEnabled ReplyAllStormBlockDurationHours "
                    "ReplyAllStormDetectionMinimumRecipients ReplyAllStormDetectionMinimumReplies "
                    "ReplyAllStormProtectionEnabled SupervisionTags",
                ),
            ),
            set_,
            synopsis="Changes the limits on messages, for all nodes.",
            should_process=True,
        ),
    ),
    views={
        TYPE: View(
            (
                *("MaxReceiveSize", "MaxSendSize", "MaxRecipientEnvelopeLimit", "MessageExpiration"),
                *("AllowLegacyTLSClients", "PostmasterAddress"),
            ),
            as_list=True,
        )
    },
)
