"""What is known: complete, reachable, and all that the documentation of others and our own source say."""

import ast
import re
from pathlib import Path

import pytest

import posthouse
from posthouse.analysis import explain, explain_reply
from posthouse.analysis.knowledge import Entry, best, entries
from posthouse.mail import Reply

KNOWN = {entry.title: entry for entry in entries()}
EXAMPLES = [(entry, example) for entry in entries() for example in entry.examples]

MICROSOFT = """
550 5.7.64 TenantAttribution; Relay Access Denied SMTP
550 5.7.64 TenantAttribution; Relay Access Denied [ValidationStatus of '' is EmptyCertificate]
550 5.7.64 Relay Access Denied ATTR36. For more details please refer to: https://support.microsoft.com/kb/3169958
550 5.7.1 Relay Access Denied ATTR1
550 5.7.1 Unable to accept unauthorized message over IPv6 ATTR2
451 4.4.4 Temporary server error. Please try again later ATTR5
451 4.3.2 Temporary server error. Please try again later ATTR55
451 4.4.3 Temporary server error. Please try again later ATTR55.1
451 4.4.62 Mail sent to the wrong Office 365 region. ATTR35. For more information please go to https://go
550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's recipient
530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM
550 5.7.60 SMTP; Client does not have permissions to send as this sender
550 5.2.252 Sender throttled due to continuous send as denied errors.
554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message
550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources
535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.
535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.
535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.
535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy.
535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully.
535 5.7.139 Authentication unsuccessful, basic authentication is disabled.
535 5.7.139 Authentication unsuccessful, federated STS service was unreachable.
535 5.7.139 Authentication unsuccessful, AADSTS50126: Error validating credentials
535 5.7.3 Authentication unsuccessful
451 5.7.3 STARTTLS is required to send mail
550 5.7.30 Basic authentication is not supported for Client Submission.
421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS 1.2.
550 5.7.705 Access denied, tenant has exceeded threshold
550 5.7.708 Access denied, traffic not accepted from this IP
550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains
550 5.7.703 Your message can't be delivered because messages to a are blocked using Tenant Allow Block List.
550 5.7.606 Access denied, banned sending IP [192.0.2.1]
550 5.7.649 Access denied, banned sending IP [192.0.2.1]
451 4.7.500 Access denied, please try again later
451 4.7.699 Access denied, please try again later
451 4.7.850 Access denied, please try again later
550 5.7.511 Access denied, banned sender
452 4.5.3 Too many recipients
550 5.1.8 Access denied, bad outbound sender
550 5.7.506 Access Denied, Bad HELO
550 5.7.512 Access denied, message must be RFC 5322 section 3.6.2 compliant
550 5.7.509 Access denied, sending domain [contoso.com] does not pass DMARC verification and has a policy of reject.
550 5.7.515 Access denied, sending domain contoso.com does not meet the required authentication level.
550 5.6.11 Invalid characters
432 4.3.2 Concurrent connections limit exceeded
432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded
554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException
554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded
550 5.2.2 Submission quota exceeded
550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients
550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized
550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy
550 5.7.1 Unable to relay
530 5.7.1 Client was not authenticated
550 5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus. (AS16012609)
550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Part of their network is on our block list (S3150).
550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup
550 5.1.1 RESOLVER.ADR.RecipNotFound; not found
550 5.1.0 Sender denied
550 5.4.1 Recipient address rejected: Access denied. AS(201806281)
550 5.4.1 Relay Access Denied
554 5.4.6 Hop count exceeded - possible mail loop
554 5.4.14 Hop count exceeded - possible mail loop ATTR34
550 4.4.7 QUEUE.Expired; message expired
550 5.4.300 Message expired
554 5.2.2 mailbox full
550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient
552 5.3.4 Message size exceeds fixed maximum message size
550 5.3.190 Journaling on-premises messages to Microsoft 365 not supported when Journaling Archive is disabled
550 5.5.0 Requested action not taken: mailbox unavailable
550 5.7.12 Sender was not authenticated by organization
550 5.7.124 Sender not in allowed-senders list
550 5.7.133 Sender not authenticated for group
550 5.7.134 Sender was not authenticated for mailbox
550 5.7.135 Sender was not authenticated for public folder
550 5.7.136 Sender was not authenticated
550 5.7.193 UnifiedGroupAgent; Delivery failed because the sender isn't a group member
550 5.0.350 Remote server returned an error -> 501 x-dg-ref header is too long
550 5.0.350 Requested action not taken: policy violation detected (AS345)
451 4.7.0 Temporary server error. Please try again later. PRX2
452 4.3.1 Insufficient system resources
450 4.4.312 DNS query failed
450 4.4.315 Connection timed out
450 4.4.316 Connection refused [Message=Socket error code 10061]
450 4.4.317 Cannot connect to remote server [Message=UntrustedRoot]
450 4.4.318 Connection was closed abruptly
450 4.7.320 Certificate validation failed
450 4.7.321 starttls-not-supported: Destination mail server must support TLS to receive mail.
550 5.7.325 certificate-host-mismatch: Remote certificate MUST have a common name or subject alternative name
550 5.4.8 MX hosts of contoso.com failed MTA-STS validation
550 5.7.5 Remote certificate failed MTA-STS validation. Reason: Expired
550 5.7.23 The message was rejected because of Sender Policy Framework violation
550 5.7.25 Access denied, the sending IPv6 address [2001:db8::1] must have a reverse DNS record
450 4.7.26 Access denied, a message sent over IPv6 [2001:db8::1] must pass either SPF or DKIM validation
550 5.7.501 Access denied, spam abuse detected
550 5.7.503 Access denied, banned sender
550 5.7.504 [email@contoso.com]: Recipient address rejected: Access denied
550 5.7.505 Access denied, banned recipient
550 5.7.507 Access denied, rejected by recipient
550 5.7.508 Access denied, 2001:db8::1 has exceeded permitted limits within 2001:db8::/64 range
550 5.7.510 Access denied, contoso.com does not accept email over IPv6
550 5.7.513 Service unavailable, Client host [192.0.2.1] blocked by contoso.com using Customer Block list (AS16012607)
550 5.7.800 Access denied, banned sender
550 5.2.121 Recipient's per hour message receive limit from specific sender exceeded
550 5.2.122 Recipient's per hour message receive limit exceeded
550 5.7.520 Access denied, Your organization does not allow external forwarding.
550 5.7.350 Remote server returned message detected as spam
550 5.1.351 Remote server returned unknown recipient or mailbox unavailable
"""
"""From Microsoft's pages on NDRs, on devices, on connectors and on SMTP AUTH, as their tables word them."""

OTHERS = """
550 5.7.26 This email has been blocked because the sender is unauthenticated.
550 5.7.26 Unauthenticated email from contoso.com is not accepted due to domain's DMARC policy.
421 4.7.27 Your email has been rate limited because SPF authentication didn't pass for this message.
550 5.7.27 This message was blocked because it didn't pass SPF authentication.
421 4.7.28 Gmail has detected an unusual rate of email.
550 5.7.28 There is an unusual rate of unsolicited email originating from your IP address.
550 5.7.29 This message was blocked because it wasn't sent over a TLS connection.
550 5.7.30 This message was blocked because it didn't pass DKIM authentication.
421 4.7.32 Your email has been rate limited because the From: header (RFC5322) in this message isn't aligned
550 5.7.40 Your message was blocked because the sending domain doesn't have a DMARC record
550 5.7.25 This message was blocked because the sending IP address doesn't have a PTR record
550 5.7.1 This message is likely unsolicited email.
550 5.7.1 This message is likely suspicious due to the very low reputation of the sending domain.
550 5.7.1 Invalid credentials for relay 192.0.2.1.
550 5.1.1 The email account that you tried to reach does not exist.
550 5.2.1 The email account that you tried to reach is inactive.
450 4.2.1 The user you are trying to contact is receiving email too quickly.
552 5.2.2 The recipient's inbox is out of storage space and inactive.
550 5.4.5 Daily user sending limit exceeded.
554 5.4.6 Message exceeded 50 hops, this may indicate an email loop.
552 5.7.0 This message was blocked because its content presents a potential security issue.
535 5.7.8 Username and Password not accepted.
534 5.7.9 Application-specific password required.
534 5.7.14 Please log in through your web browser and then try again.
421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1
553 5.7.1 [TSS09] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT succeed.
421 4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT succeed.
554 Message not allowed - [PH01] Email not accepted for policy reasons.
554 5.7.9 Message not accepted for policy reasons.
554 delivery error: dd This user doesn't have a yahoo.com account (a@yahoo.com) [-5] - mta123.mail.mud.yahoo.com
554 5.7.1 <b@example.net>: Relay access denied
450 4.1.8 <a@b.local>: Sender address rejected: Domain not found
553 5.7.1 <a@contoso.com>: Sender address rejected: not owned by user b
550 5.1.1 <b@example.net>: Recipient address rejected: User unknown in virtual mailbox table
450 4.1.1 <b@example.net>: Recipient address rejected: unverified address: Recipient address lookup failed
450 4.2.0 <b@example.net>: Recipient address rejected: Greylisted
450 4.7.1 Client host rejected: cannot find your hostname, [192.0.2.1]
504 5.5.2 <mfp>: Helo command rejected: need fully-qualified hostname
535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6
530 5.7.0 Authentication required
452 4.3.1 Insufficient system storage
552 5.3.4 Message size exceeds file system imposed limit
550 relay not permitted
550 Sender verify failed
550 Unrouteable address
550 Administrative prohibition
451 Could not complete sender verify callout
554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org
554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.spamcop.net
554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using b.barracudacentral.org
554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using dnsbl.example
554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1
550 5.7.1 SPF check failed
550 Requested action not taken: mailbox unavailable
550 Requested action not taken: mailbox unavailable Reject due to SPF policy. The originating IP is not permitted
554 gmx.net (mxgmx117) Nemesis ESMTP Service not available No SMTP service Bad DNS PTR resource record.
554 gmx.net (mxgmx104) Nemesis ESMTP Service not available No SMTP service IP address is block listed.
550 Rejected by header based Anti-Spoofing policy: a@contoso.com - https://community.mimecast.com/docs/DOC-1369#550
451 Internal resources are temporarily unavailable - https://community.mimecast.com/docs/DOC-1369#451
"""
"""From Google's, Yahoo's, GMX's and Mimecast's pages, and as Postfix and Exim word them."""

REGISTERED = {"0": 0, "1": 10, "2": 4, "3": 6, "4": 7, "5": 6, "6": 10, "7": 30}
"""The last detail of each subject in IANA's registry (RFC 3463 to RFC 8689); none is left out."""

BASIC = """211 214 220 221 235 250 251 252 334 354 421 432 450 451 452 454 455 500 501 502 503 504 521 530 534 535 538
550 551 552 553 554 555 556"""
"""RFC 5321 4.2.3, RFC 4954, RFC 7504."""


STATUSES = ("EmptyCertificate", "Expired", "NotYetValid", "SelfSigned", "UnknownIssuer", "NameMismatch", "Valid")
"""Of the certificate, in Exchange Online's 5.7.64."""


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def test_each_entry_has_a_title_of_its_own() -> None:
    assert len(KNOWN) == len(entries())


def is_complete(entry: Entry) -> bool:
    texts = (entry.title, *entry.causes, *entry.remedies)
    has_each = entry.causes and entry.remedies and entry.sources
    return bool(has_each and all(text and text == text.strip() for text in texts))


def test_each_entry_says_what_why_what_to_do_and_where_to_read() -> None:
    assert [entry.title for entry in entries() if not is_complete(entry)] == []


def test_each_entry_explains_its_examples() -> None:
    """So each can be reached. The one that is left when nothing else fits has none."""
    assert [
        (example, found) for entry, example in EXAMPLES if (found := explain(example)[0].title) != entry.title
    ] == []
    assert [entry for entry in entries() if not entry.examples] == [best(Reply(0, "", ""))]


@pytest.mark.parametrize("text", lines(MICROSOFT) + lines(OTHERS))
def test_documented_replies_have_an_entry_of_their_own(text: str) -> None:
    explanation = explain(text)[0]
    assert not KNOWN[explanation.title].is_generic


@pytest.mark.parametrize("status", STATUSES)
def test_each_validation_status_is_told_apart(status: str) -> None:
    text = "TenantAttribution; Relay Access Denied [ValidationStatus of 'CN=relay.contoso.com' is {}] [01K relay.test]"
    others = {explain_reply(Reply(550, "5.7.64", text.format(other))).title for other in ("Odd", "Invalid")}
    assert explain_reply(Reply(550, "5.7.64", text.format(status))).title not in others


def test_registered_codes_are_explained() -> None:
    """Not only by their subject."""
    for subject, last in REGISTERED.items():
        by_subject = explain_reply(Reply(559, f"5.{subject}.999", "")).title
        for detail in range(1, last + 1):
            enhanced = f"{subject}.{detail}"
            titles = {explain_reply(Reply(code, f"{code // 100}.{enhanced}", "")).title for code in (259, 459, 559)}
            assert by_subject not in titles, enhanced


@pytest.mark.parametrize("code", [int(code) for code in BASIC.split()])
def test_basic_codes_are_explained(code: int) -> None:
    """Not only by their class."""
    assert explain_reply(Reply(code, "", "")).title != explain_reply(Reply(code // 100 * 100 + 59, "", "")).title


def own_replies() -> list[Reply]:
    """The refusals in our source, what is filled in as x; the wording of commands' syntax is left to the codes."""
    source = Path(posthouse.__file__).parent
    files = [file for room in ("organization", "relay", "transports") for file in (source / room).rglob("*.py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    calls = [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == "Reply"]
    made = [call.args for call in calls if len(call.args) == 3]
    return [
        Reply(code.value, enhanced.value, words(text))
        for code, enhanced, text in made
        if isinstance(code, ast.Constant) and isinstance(enhanced, ast.Constant) and int(code.value) >= 400
    ]


def words(text: ast.expr) -> str:
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)


NAMED_BY_REASON = {"x [x]:x: xx", "x", "x: x"}
"""Replies that are nothing but what the system or the next hop said; their examples are in the knowledge."""


@pytest.mark.parametrize("reply", own_replies(), ids=str)
def test_our_own_replies_have_an_entry(reply: Reply) -> None:
    assert reply.text in NAMED_BY_REASON or not best(reply).is_generic


def test_it_names_only_commands_and_options_that_there_are() -> None:
    reference = (Path(__file__).parents[2] / "docs" / "reference.md").read_text("utf-8")
    advice = "\n".join(text for entry in entries() for text in (*entry.causes, *entry.remedies))
    commands = re.findall(r"`(posthouse [a-z]+(?: (?:new|set|list|show|remove|retry))?)\b", advice)
    options = re.findall(r"(?<![\w-])--[a-z-]+", advice)
    assert [word for word in {*commands, *options} if not re.search(rf"{word}\b", reference)] == []
