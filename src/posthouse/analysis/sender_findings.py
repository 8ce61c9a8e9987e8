"""What is worth knowing about the sender: whether he is who he says, what the filters thought, how he came in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from posthouse.analysis.antispam import value_of
from posthouse.analysis.antispam_fields import FOREFRONT, MALICIOUS, SPAM, SPAM_SCL
from posthouse.analysis.authentication import Verdict
from posthouse.analysis.finding import Facts, Finding, Severity
from posthouse.analysis.workflow import Entry, Pool

_ONCE = ("from", "date", "message-id", "subject", "to")
_REPORT = "X-Forefront-Antispam-Report"
_POLICY = re.compile(r"\bp=(\w+)", re.IGNORECASE)
_BAD_VERDICTS = frozenset({"SPM", "SKB", "SKS", "BLK"})
"""Of SFV."""


def _missing(facts: Facts) -> Iterator[Finding]:
    """RFC 5322 3.6. Nothing is missing where somebody pasted a few fields."""
    if not any(name in facts.header for name in _ONCE):
        return
    for name, title in (("from", "From"), ("date", "Date"), ("message-id", "Message-ID")):
        if not any(value.strip() for value in facts.header.get(name, ())):
            text = (
                f"There is no {title}: many servers take that for spam or refuse it. "
                "Set it in the device, or send over a relay that adds it."
            )
            yield Finding(Severity.WARNING, text, title)
    for name in _ONCE:
        if (count := len(facts.header.get(name, ()))) > 1:
            title = "Message-ID" if name == "message-id" else name.capitalize()
            text = f"{title} comes {count} times: each program may show another one, which is a trick of forgers."
            yield Finding(Severity.WARNING, text, title)


_SEND_RIGHT = "If the mail is genuine, add the server's public address to the record, or send through Microsoft 365."
_FAILURES: Mapping[tuple[str, str], tuple[Severity, str]] = {
    ("spf", "fail"): (
        Severity.WARNING,
        f"the domain's SPF record forbids this address to send for it. {_SEND_RIGHT}",
    ),
    ("spf", "softfail"): (
        Severity.WARNING,
        f"the address isn't in the domain's SPF record (~all). {_SEND_RIGHT}",
    ),
    ("spf", "permerror"): (
        Severity.WARNING,
        "the domain's SPF record is wrong: there are two, a typing error, or more than ten look-ups. Repair it.",
    ),
    ("spf", "temperror"): (Severity.INFO, "DNS didn't answer the receiver; sent again it may pass."),
    ("spf", "none"): (Severity.INFO, "the domain has no SPF record. Publish one."),
    ("dkim", "fail"): (
        Severity.WARNING,
        "no signature holds: the message was changed after it was signed, or the key in DNS is another one.",
    ),
    ("dkim", "permerror"): (Severity.WARNING, "the signature or the key in DNS can't be used. Compare both."),
    ("dkim", "temperror"): (Severity.INFO, "the key could not be had from DNS; sent again it may pass."),
    ("dkim", "none"): (
        Severity.INFO,
        "turn DKIM on for the domain where its mail leaves, in Microsoft 365 usually.",
    ),
    ("dmarc", "fail"): (
        Severity.WARNING,
        "neither SPF nor DKIM proves the domain in From. If the mail is genuine, make one pass for that very domain.",
    ),
    ("dmarc", "permerror"): (Severity.WARNING, "the domain's DMARC record is wrong. Repair it."),
    ("dmarc", "temperror"): (Severity.INFO, "DNS didn't answer the receiver; sent again it may pass."),
    ("dmarc", "none"): (Severity.INFO, "the domain has no DMARC record. Publish one, with p=none to begin with."),
    ("arc", "fail"): (
        Severity.WARNING,
        "the chain of those who passed the message on doesn't hold, so what they found counts nothing.",
    ),
    ("compauth", "fail"): (
        Severity.WARNING,
        "Microsoft 365 does not believe that From is genuine. Make SPF or DKIM pass for the domain in From.",
    ),
}
"""By method and result: what it means, and what to do."""

_TITLES = {"compauth": "CompAuth"}
_SPARED_BY_ARC = "ARC passed: a server that trusts those who passed the message on goes by what they found."
_SPARED_BY_DMARC = ("spf", "dkim")
_BY_LIST = " It came over a mailing list: that should leave mail as it is, or write its own address into From."
_BY_GATEWAY = (
    " If the server before Microsoft 365 is the recipient's own gateway, nothing is wrong with the sender: "
    "turn on Enhanced Filtering for Connectors."
)
"""https://learn.microsoft.com/exchange/mail-flow-best-practices/use-connectors-to-configure-mail-flow/enhanced-filtering-for-connectors"""


def _authentication(facts: Facts) -> Iterator[Finding]:
    results = facts.authentication.results()
    for method, result in results.items():
        pair = facts.authentication.verdict(method)
        if pair is None or (method, result) not in _FAILURES:
            continue
        assessment, verdict = pair
        severity, meaning = _FAILURES[method, result]
        if method in _SPARED_BY_DMARC and results.get("dmarc") == "pass":
            if result == "none":
                continue
            severity, meaning = Severity.INFO, f"{meaning} DMARC passed all the same."
        if method == "dmarc" and results.get("arc") == "pass":
            meaning += f" {_SPARED_BY_ARC}"
        elif method == "dmarc" and _is_strict(verdict):
            severity = Severity.ERROR
        meaning += _on_the_way(facts, method, result)
        said = f" at {assessment.server}" if assessment.server else ""
        why = f" ({verdict.why})" if verdict.why else ""
        text = f"{_TITLES.get(method, method.upper())} gave {result}{said}{why}: {meaning}"
        yield Finding(severity, text, assessment.header)


def _on_the_way(facts: Facts, method: str, result: str) -> str:
    """What makes genuine mail fail, between the sender and the server that checked."""
    if result not in ("fail", "softfail"):
        return ""
    if method in ("dkim", "dmarc") and "list-id" in facts.header:
        return _BY_LIST
    way = facts.workflow
    return _BY_GATEWAY if method == "spf" and way.over_relay and not (way.pool or way.entry is Entry.CONNECTOR) else ""


def _is_strict(verdict: Verdict) -> bool:
    """The domain asks to quarantine or reject, as Gmail tells in a comment, Exchange Online by its action."""
    published = _POLICY.search(verdict.comment)
    asked = published[1] if published else verdict.properties.get("action", "")
    return any(word in asked.lower() for word in ("reject", "quarantine"))


def _alignment(facts: Facts) -> Iterator[Finding]:
    """RFC 7489 3.1.1: a signature proves From only if its domain is From's."""
    authentication = facts.authentication
    passed = [signature for signature in authentication.signatures if signature.result == "pass"]
    if not passed or any(signature.aligned for signature in passed) or not authentication.from_domain:
        return
    if authentication.results().get("dmarc") == "pass":
        return
    domains = ", ".join(dict.fromkeys(signature.domain for signature in passed))
    text = (
        f"DKIM passed for {domains}, but From is {authentication.from_domain}: that proves nothing about From. "
        f"Sign with {authentication.from_domain}; in Microsoft 365, turn DKIM on for that domain."
    )
    yield Finding(Severity.WARNING, text, "DKIM-Signature")


def _arc(facts: Facts) -> Iterator[Finding]:
    why = facts.authentication.arc_broken()
    if why and facts.authentication.results().get("arc") != "fail":
        text = f"The ARC chain is broken: {why}. What its servers found counts nothing further on."
        yield Finding(Severity.WARNING, text, "ARC-Seal")


def _spam(facts: Facts) -> Iterator[Finding]:
    verdict = {name: value_of(facts.stamps, _REPORT, name) for name in ("SCL", "SFV", "CAT")}
    verdict["SCL"] = verdict["SCL"] or value_of(facts.stamps, "X-MS-Exchange-Organization-SCL")
    category = verdict["CAT"].upper()
    if category in MALICIOUS:
        severity = Severity.ERROR
    elif category in SPAM or verdict["SFV"].upper() in _BAD_VERDICTS or _number(verdict["SCL"]) >= SPAM_SCL:
        severity = Severity.WARNING
    else:
        return
    told = "; ".join(
        f"{name} {value} ({FOREFRONT[name].said(value) or '?'})" for name, value in verdict.items() if value
    )
    text = (
        f"Microsoft 365 judged the message bad: {told}. "
        "Look at what it holds and whether its sender is authenticated; report it to Microsoft if that is wrong."
    )
    yield Finding(severity, text, _REPORT)


def _junk(facts: Facts) -> Iterator[Finding]:
    header = "X-Microsoft-Antispam-Mailbox-Delivery"
    if value_of(facts.stamps, header, "dest").upper() == "J":
        text = (
            "It was put into Junk Email. OFR in the same header tells whether by the filter or by the recipient's rule."
        )
        yield Finding(Severity.WARNING, text, header)


def _entry(facts: Facts) -> Iterator[Finding]:
    """Mail that claims to be of the organization, and came to it from the internet."""
    domain = facts.authentication.from_domain
    compauth = facts.authentication.verdict("compauth")
    reason = compauth[1].properties.get("reason", "") if compauth else ""
    own = domain in facts.recipient_domains or reason == "010" or reason.startswith("6")
    if facts.workflow.entry is Entry.INTERNET and own:
        genuine = facts.authentication.results().get("dmarc") == "pass"
        how = "DMARC passed: direct send, or a service that sends for you" if genuine else "direct send, or a forgery"
        text = (
            f"Mail from {domain or 'the organization'} came to Microsoft 365 from the internet, over no connector "
            f"({how}). If it is a device of yours, send over the relay, and check that its certificate "
            "or public address matches an inbound connector of type OnPremises."
        )
        yield Finding(Severity.INFO if genuine else Severity.WARNING, text, facts.workflow.evidence)


def _pool(facts: Facts) -> Iterator[Finding]:
    if facts.workflow.pool is Pool.HIGH_RISK:
        text = (
            "It left Microsoft 365 by the high-risk delivery pool, whose addresses many receivers refuse: it was taken "
            "for spam, or it is a bounce, or the sender's domain has neither A nor MX record in DNS. "
            "Look for SFV:SPM in X-Forefront-Antispam-Report, and at the domain."
        )
        yield Finding(Severity.WARNING, text, "Received")
    elif facts.workflow.pool is Pool.RELAY:
        text = (
            "It left Microsoft 365 by the relay pool, which is in nobody's SPF record: the sender's domain is no "
            "accepted domain, and neither SPF nor DKIM passed on the way in. Use a sender of an accepted domain."
        )
        yield Finding(Severity.WARNING, text, "Received")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 2 else -1


RULES = (_entry, _pool, _spam, _authentication, _alignment, _arc, _junk, _missing)
