"""The test sender: one mail to one server, and all that was said on the way.

Bad options raise ValueError. Any other problem is the result's `error`, beside the dialogue up to there.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from posthouse.analysis import Explanation, explain_reply
from posthouse.mail import Body, Envelope, Recipient, Reply, message_id
from posthouse.mail.dsn import encode_xtext
from posthouse.mail.headers import format_date
from posthouse.probe.compose import Attachment, Mailbox, compose, with_crlf
from posthouse.probe.dialogue import Dialogue, DialogueLine
from posthouse.probe.hosts import SendError, find_hosts
from posthouse.probe.options import Observer, SendOptions
from posthouse.probe.server_certificate import ServerCertificate
from posthouse.probe.session import Session

__all__ = [
    "Attachment",
    "DialogueLine",
    "Observer",
    "RecipientReply",
    "SendOptions",
    "SendResult",
    "ServerCertificate",
    "send",
    "send_async",
]


@dataclass(frozen=True, slots=True)
class RecipientReply:
    recipient: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class SendResult:
    """What came of it. `error` says in one line why not everybody was accepted; None if everybody was.

    `server` is who answered. `tls` describes version and cipher, empty in plain text. `server_certificate` is judged,
    but never a reason to stop. `client_certificate` is the subject of the one that was sent, and
    `client_certificate_authorities` are the issuers that the server named. `explanations` are for what was refused.
    """

    replies: tuple[RecipientReply, ...]
    dialogue: tuple[DialogueLine, ...]
    error: str | None
    message_id: str
    server: str = ""
    tls: str = ""
    server_certificate: ServerCertificate | None = None
    client_certificate_requested: bool = False
    client_certificate_sent: bool = False
    client_certificate: str = ""
    client_certificate_authorities: tuple[str, ...] = ()
    explanations: tuple[Explanation, ...] = ()

    @property
    def accepted(self) -> bool:
        return self.error is None

    def to_json(self) -> dict[str, Any]:
        certificate = self.server_certificate
        expires = certificate and certificate.expires and certificate.expires.isoformat()
        return {
            "accepted": self.accepted,
            **asdict(self),
            "server_certificate": certificate and {**asdict(certificate), "expires": expires},
            "explanations": [explanation.to_json() for explanation in self.explanations],
        }


def send(options: SendOptions) -> SendResult:
    """Send one mail."""
    return asyncio.run(send_async(options))


async def send_async(options: SendOptions) -> SendResult:
    """`send` for those who have an event loop."""
    dialogue = Dialogue(options.observe, options.password)
    session = Session(options, dialogue)
    own_id = new_id()
    content = content_of(options, own_id)
    envelope = envelope_of(options, content)
    error: str | None = None
    replies: tuple[Reply, ...] = ()
    said: tuple[Reply, ...] = ()
    try:
        await session.open(await find_hosts(options, dialogue))
        replies = said = await session.transact(envelope, content)
    except SendError as problem:
        error = str(problem)
        replies = session.abandon(error)
        said = (*([problem.reply] if problem.reply else []), *(reply for reply in replies if reply.text != error))
    finally:
        await session.close()
    answered = tuple(
        RecipientReply(recipient.forward_path, reply)
        for recipient, reply in zip(envelope.recipients, replies, strict=False)
    )
    identity = options.identity
    return SendResult(
        answered,
        tuple(dialogue.lines),
        error or _refusal(answered),
        own_id,
        server=session.place if session.host else "",
        tls=session.tls,
        server_certificate=session.server_certificate,
        client_certificate_requested=session.client_certificate_requested,
        client_certificate_sent=session.client_certificate_sent,
        client_certificate=identity.subject if identity and session.client_certificate_sent else "",
        client_certificate_authorities=session.client_certificate_authorities,
        explanations=explained(said),
    )


def new_id() -> str:
    return message_id(time.time_ns() // 1_000_000, secrets.randbits(77))


def content_of(options: SendOptions, own_id: str) -> bytes:
    """What goes out behind DATA."""
    if options.raw is not None:
        return with_crlf(options.raw)
    at = time.time()
    sender = Mailbox.parse(options.sender)
    return compose(
        sender=sender,
        recipients=[Mailbox.parse(recipient) for recipient in options.recipients],
        subject=options.subject or f"SMTP Relay - {format_date(at)}",
        body=options.body,
        html=options.html,
        attachments=options.attachments,
        message_id=f"{own_id}@{sender.domain or 'localhost'}",
        at=at,
    )


def envelope_of(options: SendOptions, content: bytes) -> Envelope:
    sender, *recipients = (Mailbox.parse(text).address for text in (options.sender, *options.recipients))
    return Envelope(
        sender,
        tuple(Recipient(address, options.notify) for address in recipients),
        options.ret,
        encode_xtext(options.envid) if options.envid else None,
        smtputf8=not all(map(str.isascii, (sender, *recipients))),
        body=Body.SEVEN_BIT if content.isascii() else Body.EIGHT_BIT,
    )


def explained(replies: Iterable[Reply]) -> tuple[Explanation, ...]:
    """What each refusal means; once, if several recipients got the same."""
    refusals = dict.fromkeys(reply for reply in replies if not reply.is_positive)
    found = {explanation.title: explanation for explanation in map(explain_reply, refusals)}
    return tuple(found.values())


def _refusal(replies: tuple[RecipientReply, ...]) -> str | None:
    """The first one, with the recipient that it is for."""
    for one in replies:
        if not one.reply.is_positive:
            return f"{one.recipient}: {one.reply}"
    return None
