"""What Microsoft's anti-spam headers say: names and values as Microsoft documents them.

MESSAGE_HEADERS https://learn.microsoft.com/defender-office-365/message-headers-eop-mdo
SCL             https://learn.microsoft.com/defender-office-365/anti-spam-spam-confidence-level-scl-about
BCL             https://learn.microsoft.com/defender-office-365/anti-spam-bulk-complaint-level-bcl-about
SPOOFING        https://learn.microsoft.com/defender-office-365/anti-phishing-protection-spoofing-about
HYBRID          https://techcommunity.microsoft.com/blog/exchange/demystifying-and-troubleshooting-hybrid-mail-flow-when-is-a-message-internal/1420838

Where the documentation is silent and the meaning is known from use only, the text says "seen".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Known:
    """A field's name in full, and what its values mean, in lower case; `any_value` goes for those not listed."""

    label: str
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    any_value: str = ""

    def said(self, value: str) -> str:
        return self.values.get(value.strip().lower(), self.any_value if value.strip() else "")

    def meaning(self, value: str) -> str:
        said = self.said(value)
        return f"{self.label}: {said}" if said else self.label


_SCL = Known(
    "Spam confidence level",
    {
        "-1": "skipped spam filtering: a safe sender, an allowed address, a mail flow rule, or mail from inside",
        "0": "not spam",
        "1": "not spam",
        "5": "spam",
        "6": "spam",
        "7": "high confidence spam",
        "8": "high confidence spam",
        "9": "high confidence spam",
    },
)

_PCL = Known(
    "Phishing confidence level",
    dict.fromkeys(map(str, range(4)), "not phishing") | dict.fromkeys(map(str, range(4, 9)), "probably phishing"),
)

_BCL = Known(
    "Bulk complaint level",
    {"0": "not from a bulk sender"}
    | dict.fromkeys("123", "a bulk sender that few complain about")
    | dict.fromkeys("4567", "a bulk sender that some complain about")
    | dict.fromkeys("89", "a bulk sender that many complain about"),
)

DIAGNOSTICS = Known("Diagnostics", any_value="for Microsoft's support only")

FOREFRONT: Mapping[str, Known] = {
    "ARC": Known("ARC"),
    "CIP": Known("Connecting IP address", {"255.255.255.255": "none: submitted inside Microsoft 365"}),
    "CTRY": Known("Country of the connecting IP address"),
    "LANG": Known("Language of the message"),
    "SCL": _SCL,
    "PCL": _PCL,
    "SRV": Known("Bulk mail", {"bulk": "identified as bulk mail by its complaint level"}),
    "IPV": Known(
        "Verdict on the IP address",
        {"cal": "on the IP Allow List, so not filtered as spam", "nli": "on no reputation list"},
    ),
    "SFV": Known(
        "Spam filtering verdict",
        {
            "blk": "blocked, unfiltered: the sender is on the recipient's own list of blocked senders",
            "nspm": "filtered and found not to be spam",
            "sfe": "not filtered: the sender is on the recipient's own list of safe senders",
            "ska": "not filtered: the sender or domain is allowed by an anti-spam policy",
            "skb": "marked as spam: the sender or domain is blocked by an anti-spam policy",
            "ski": "not filtered: mail inside the organization (seen)",
            "skn": "not filtered: marked as not spam before, for example by a mail flow rule",
            "skq": "released from quarantine",
            "sks": "marked as spam before the filter, for example by a mail flow rule",
            "spm": "marked as spam by the filter",
        },
    ),
    "H": Known("HELO name of the connecting server"),
    "PTR": Known(
        "Reverse DNS name of the connecting IP address",
        {"infodomainnonexistent": "it has none", "infonorecords": "it has none"},
    ),
    "CAT": Known(
        "Threat policy that was applied",
        {
            "amp": "anti-malware",
            "bimp": "impersonation of a brand",
            "bulk": "bulk mail",
            "dimp": "impersonation of a domain",
            "ftbp": "anti-malware: a common attachment type that is blocked",
            "gimp": "impersonation, by mailbox intelligence",
            "hphsh": "high confidence phishing",
            "hphish": "high confidence phishing",
            "hspm": "high confidence spam",
            "intos": "phishing inside the organization",
            "malw": "malware",
            "none": "none",
            "ospm": "outbound spam",
            "phsh": "phishing",
            "sap": "Safe Attachments",
            "spm": "spam",
            "spoof": "spoofing",
            "uimp": "impersonation of a user",
        },
    ),
    "SFTY": Known(
        "Phishing",
        {
            "9.11": "the sender claims to be of the recipient's own organization, and isn't",
            "9.19": "impersonation of a protected domain",
            "9.20": "impersonation of a protected user",
            "9.22": "the sender claims to be of another domain, and isn't",
            "9.25": "the first mail from this sender: the safety tip for it was shown",
        },
    ),
    "X-CUSTOMSPAM": Known("Advanced Spam Filter setting that matched"),
    "SFS": Known("Spam rules that matched", any_value="numbers that only Microsoft can read"),
    "DIR": Known(
        "Direction", {"inb": "inbound, to a mailbox here", "out": "outbound, to the internet", "int": "internal"}
    ),
    "SFP": Known(
        "Outbound filter",
        {
            "1101": "sent from a normal pool (seen)",
            "1102": "sent from a normal pool (seen)",
            "1501": "sent from the high-risk delivery pool (seen)",
        },
    ),
    "SRVR": Known("Server that filtered"),
    "SPF": Known("SPF result"),
    "EFV": Known("Verdict on the edge", {"nli": "on no reputation list"}),
    "MLV": DIAGNOSTICS,
    "A": DIAGNOSTICS,
    "MX": DIAGNOSTICS,
    "FPR": DIAGNOSTICS,
    "SKIP": DIAGNOSTICS,
    "CLTCTRY": DIAGNOSTICS,
}
"""The fields of X-Forefront-Antispam-Report."""

MICROSOFT_ANTISPAM: Mapping[str, Known] = {
    "BCL": _BCL,
    "PCL": _PCL,
    "ARA": Known("Rules that matched", any_value="numbers that only Microsoft can read"),
    "SRVR": Known("Server that filtered"),
    "UriScan": Known("Links scanned"),
}

MAILBOX_DELIVERY: Mapping[str, Known] = {
    "dest": Known("Folder", {"i": "Inbox (seen)", "j": "Junk Email (seen)", "c": "one chosen by a rule (seen)"}),
    "OFR": Known(
        "Who chose the folder",
        {"customrules": "a rule of the recipient (seen)", "spamfilterauthj": "the spam filter (seen)"},
    ),
    "jmr": Known("Junk mail rule matched", {"0": "no (seen)", "1": "yes (seen)"}),
    "ucf": Known("Recipient's own rules matched", {"0": "no (seen)", "1": "yes (seen)"}),
    "auth": Known("Authenticated", {"0": "no (seen)", "1": "yes (seen)"}),
    "wl": Known("On the recipient's safe list", {"0": "no (seen)", "1": "yes (seen)"}),
    "ENG": Known("Rules that matched", any_value="numbers that only Microsoft can read"),
    "RF": DIAGNOSTICS,
}
"""The fields of X-Microsoft-Antispam-Mailbox-Delivery, which Microsoft doesn't document: from what is seen in use."""

REPORTS: Mapping[str, Mapping[str, Known]] = {
    "x-forefront-antispam-report": FOREFRONT,
    "x-forefront-antispam-report-untrusted": FOREFRONT,
    "x-microsoft-antispam": MICROSOFT_ANTISPAM,
    "x-microsoft-antispam-untrusted": MICROSOFT_ANTISPAM,
    "x-microsoft-antispam-mailbox-delivery": MAILBOX_DELIVERY,
}
"""Headers that hold `field:value;` pairs. "Untrusted" is what another organization's filter said."""

_AUTH_AS = Known(
    "Authenticated as",
    {
        "anonymous": "not a user or server of the organization; also mail over a connector that doesn't keep "
        "internal Exchange headers",
        "internal": "a user or server of the organization",
    },
)
_ENTITY = Known(
    "Where it came from",
    {
        "hosted": "a mailbox in Exchange Online",
        "hybridonprem": "the organization's own servers, over an inbound connector of type OnPremises",
        "internet": "the internet: no connector of the organization matched",
    },
)

HEADERS: Mapping[str, Known] = {
    "x-ms-exchange-organization-scl": _SCL,
    "x-ms-exchange-organization-pcl": _PCL,
    "x-ms-exchange-organization-bcl": _BCL,
    "x-ms-exchange-organization-authas": _AUTH_AS,
    "x-ms-exchange-organization-authsource": Known("Server that authenticated"),
    "x-ms-exchange-organization-authmechanism": Known("Authentication mechanism, a number that is not documented"),
    "x-ms-exchange-organization-messagedirectionality": Known(
        "Direction",
        {
            "originating": "from the organization: a mailbox, or a server over an OnPremises connector",
            "incoming": "from outside: no OnPremises connector matched",
        },
    ),
    "x-ms-exchange-organization-fromentityheader": _ENTITY,
    "x-ms-exchange-organization-senderadcheck": Known("Sender looked up in the directory", {"1": "yes"}),
    "x-ms-exchange-senderadcheck": Known("Sender looked up in the directory", {"0": "no", "1": "yes"}),
    "x-ms-exchange-organization-network-message-id": Known("Id for message trace"),
    "x-ms-exchange-organization-originalclientipaddress": Known("Address of the first client"),
    "x-ms-exchange-organization-originalserveripaddress": Known("Address of the first server"),
    "x-ms-exchange-organization-originalarrivaltime": Known("Arrival in the organization"),
    "x-ms-exchange-organization-expirationstarttime": Known("Start of the time it may wait"),
    "x-ms-exchange-organization-expirationinterval": Known("Time it may wait"),
    "x-ms-exchange-organization-bypassclutter": Known("Skips Clutter", {"true": "yes"}),
    "x-ms-exchange-organization-senderidresult": Known("Sender ID result"),
    "x-ms-exchange-organization-prd": Known("Purported responsible domain"),
    "x-ms-exchange-organization-antispam-report": Known("Exchange Server's anti-spam agents"),
    "x-ms-exchange-crosstenant-id": Known("Tenant"),
    "x-ms-exchange-crosstenant-authas": _AUTH_AS,
    "x-ms-exchange-crosstenant-authsource": Known("Server that authenticated"),
    "x-ms-exchange-crosstenant-fromentityheader": _ENTITY,
    "x-ms-exchange-crosstenant-network-message-id": Known("Id for message trace"),
    "x-ms-exchange-crosstenant-originalarrivaltime": Known("Arrival in Exchange Online"),
    "x-ms-exchange-crosstenant-originalattributedtenantconnectingip": Known(
        "Tenant it was attributed to, and the server that connected"
    ),
    "x-ms-exchange-crosstenant-mailboxtype": Known("Mailbox of the sender", {"hosted": "in Exchange Online"}),
    "x-ms-exchange-crosstenant-userprincipalname": DIAGNOSTICS,
    "x-ms-exchange-transport-crosstenantheadersstamped": Known("Server that vouches for the CrossTenant headers"),
    "x-ms-exchange-transport-crosstenantheadersstripped": Known("Server that removed another tenant's headers"),
    "x-ms-exchange-transport-crosstenantheaderspromoted": Known("Server that took over another tenant's headers"),
    "x-ms-exchange-transport-endtoendlatency": Known("Time in Exchange Online"),
    "x-ms-exchange-transport-rules-loop": Known("Mail flow rules that may loop"),
    "x-ms-exchange-inbox-rules-loop": Known("Inbox rule that may loop"),
    "x-ms-exchange-processed-by-bccfoldering": Known("Version of the mailbox server"),
    "x-ms-exchange-antispam-relay": Known("Relayed for another", {"0": "no", "1": "yes"}),
    "x-ms-exchange-atpmessageproperties": Known(
        "Defender for Office 365",
        {"sa": "Safe Attachments", "sl": "Safe Links", "sa|sl": "Safe Attachments and Safe Links"},
    ),
    "x-ms-exchange-externalinoutlook": Known("Marked as external in Outlook", {"true": "yes"}),
    "x-ms-exchange-externaloriginalinternetsender": Known(
        "Real source behind the connecting server", any_value="found by Enhanced Filtering for Connectors"
    ),
    "x-ms-exchange-skiplistedinternetsender": Known(
        "Real source behind the connecting server", any_value="found by Enhanced Filtering for Connectors"
    ),
    "x-ms-exchange-parent-message-id": Known("Message it answers automatically"),
    "x-ms-exchange-generated-message-source": Known("Agent that made the message"),
    "x-ms-exchange-safelinks-url-keyver": DIAGNOSTICS,
    "x-ms-exchange-messagesentrepresentingtype": Known("Sent for another, a number that is not documented"),
    "x-ms-has-attach": Known("Has attachments", {"yes": "yes"}),
    "x-ms-tnef-correlator": DIAGNOSTICS,
    "x-ms-publictraffictype": Known("Kind of mail"),
    "x-ms-traffictypediagnostic": DIAGNOSTICS,
    "x-ms-office365-filtering-correlation-id": Known("Id for message trace"),
    "x-ms-office365-filtering-ht": DIAGNOSTICS,
    "x-eopattributedmessage": Known("Recipient group in Exchange Online Protection"),
    "x-eoptenantattributedmessage": Known("Tenant it was attributed to"),
    "x-originatororg": Known("Organization that sent it, by a domain of the tenant"),
    "x-originating-ip": Known("Address of the first client"),
    "x-organizationheaderspreserved": Known("Server that kept the internal Exchange headers"),
    "x-crosspremisesheaderspromoted": Known("Server that took over the internal headers of the organization's servers"),
    "x-crosspremisesheadersfiltered": Known("Server that removed CrossPremises headers"),
    "x-crosspremisesheadersfilteredbysendconnector": Known("Server that removed internal Exchange headers on sending"),
    "x-customspam": Known("Advanced Spam Filter setting that matched"),
    "x-clientproxiedby": Known("Servers that the client was handed on by"),
}
"""Headers that hold one value, by their name in lower case."""

OPAQUE = (
    "x-ms-exchange-antispam-messagedata",
    "x-microsoft-antispam-message-info",
    "x-microsoft-antispam-prvs",
    "x-microsoft-exchange-diagnostics",
    "x-forefront-prvs",
)
"""How the names of those begin that hold nothing but what only Microsoft can read."""

PREFIXES = ("x-ms-exchange-", "x-ms-office365-", "x-microsoft-antispam", "x-forefront-", "x-eop")
"""How the names of Microsoft's headers begin, for those that are not listed."""

COMPAUTH_REASONS: Mapping[str, str] = {
    "000": "explicit authentication failed: DMARC says quarantine or reject",
    "001": "implicit authentication failed: the domain has no records, or weak ones (~all, ?all, p=none)",
    "002": "the organization forbids this sender to send for this domain",
    "010": "DMARC failed with quarantine or reject, for a domain of the recipient's own organization",
    "130": "passed, since ARC of a trusted sealer outweighs that DMARC failed",
    "1": "passed",
    "2": "passed softly, by implicit authentication",
    "3": "not checked",
    "4": "bypassed",
    "6": "implicit authentication failed, for a domain of the recipient's own organization",
    "7": "passed",
    "9": "bypassed",
}
"""The reason of compauth (MESSAGE_HEADERS): three digits, or the first of them."""

SPAM_SCL = 5
MALICIOUS = frozenset(
    {"AMP", "DIMP", "FTBP", "GIMP", "BIMP", "UIMP", "HPHSH", "HPHISH", "INTOS", "MALW", "PHSH", "SAP", "SPOOF"}
)
SPAM = frozenset({"BULK", "HSPM", "OSPM", "SPM"})
"""Values of CAT."""
