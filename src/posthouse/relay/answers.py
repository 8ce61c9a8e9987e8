"""What the outcomes of an attempt say of the next hop, beyond the mail that was tried. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from posthouse.mail import Outcome, Reply, Status

NO_ROUTE = Reply(550, "5.4.4", "No outbound connector takes mail for this domain")
NO_TRANSPORT = Reply(451, "4.3.5", "The outbound connector can't be used; the log says more")
TRANSPORT_BROKE = Reply(451, "4.3.0", "Internal error of the transport; the log says more")

_BLOCKED = re.compile(r"4\.7\.[567]\d\d")
"""Exchange Online's `Server busy` and its throttling of addresses:
https://learn.microsoft.com/exchange/troubleshoot/email-delivery/ndr/fix-error-code-451-4-7-500-699-asxxx-in-exchange-online"""
_TOO_FAST: Callable[[str], object] = re.compile(
    r"concurrent connection|too many (?:concurrent |simultaneous )?(?:connections|sessions)"
    r"|too many messages(?! (?:in|on|for|per|during) (?:this|one|a|the) (?:connection|session))"
    r"|sender thread limit|\brate.?limit|submission rate|throttl",
    re.IGNORECASE,
).search
_LOOKED_AT = 1000  # characters of a reply's text


def is_unreachable(outcomes: Sequence[Outcome]) -> bool:
    """Deferred without any host having spoken, and not for a reason that lies in the message."""
    return all(
        outcome.status is Status.DEFERRED and not outcome.remote and outcome.reply is not TRANSPORT_BROKE
        for outcome in outcomes
    )


def asks_to_slow_down(reply: Reply) -> bool:
    """Whether the next hop has had too much of us, rather than trouble of its own, or one mailbox too much mail."""
    if is_quota(reply):
        return True
    if not reply.is_transient or "STOREDRV.Deliver" in reply.text:
        return False
    return bool(reply.code == 432 or _BLOCKED.fullmatch(reply.enhanced) or _TOO_FAST(reply.text[:_LOOKED_AT]))


def is_signed_out(reply: Reply) -> bool:
    """What transports say of a credential that a server doesn't take, or that has no token (RFC 4954 6)."""
    return reply.is_transient and reply.enhanced in ("4.7.0", "4.7.4", "4.7.8", "4.7.11")


def is_quota(reply: Reply) -> bool:
    """The mailbox has sent to its 10,000 recipients of the day. Exchange Online says 554, and that it can send later:
    https://learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements"""
    return reply.code == 554 and "submissionquotaexceeded" in reply.text[:_LOOKED_AT].casefold()


def with_quota_deferred(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """A quota that is used up for today is no failure of the mail."""
    return [replace(one, status=Status.DEFERRED) if is_quota(one.reply) else one for one in outcomes]
