"""The mail that the test sender sends: text and attachments as MIME, all of it 7-bit so that any server takes it."""

from __future__ import annotations

import email.policy
import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage

from posthouse.mail.address import parse_address
from posthouse.mail.headers import format_date

_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Attachment:
    """`content_type` is guessed from the name where it isn't given."""

    name: str
    content: bytes
    content_type: str = ""


def compose(
    *,
    sender: str,
    recipients: Sequence[str],
    subject: str,
    body: str,
    attachments: Sequence[Attachment] = (),
    message_id: str,
    at: float,
) -> bytes:
    """A whole message with CRLF line ends. Only addresses that are not ASCII make a header in UTF-8 (RFC 6532)."""
    is_ascii = sender.isascii() and all(map(str.isascii, recipients))
    policy = (email.policy.SMTP if is_ascii else email.policy.SMTPUTF8).clone(cte_type="7bit")
    mail = EmailMessage(policy)
    mail["Date"] = format_date(at)
    mail["From"] = _address(sender or "MAILER-DAEMON@localhost")
    mail["To"] = [_address(recipient) for recipient in recipients]
    mail["Subject"] = " ".join(subject.split())
    mail["Message-ID"] = f"<{message_id}>"
    mail.set_content(body, cte="quoted-printable" if not body.isascii() else None)
    for attachment in attachments:
        content_type = attachment.content_type or mimetypes.guess_type(attachment.name)[0] or "application/octet-stream"
        maintype, _, subtype = content_type.partition("/")
        mail.add_attachment(attachment.content, maintype=maintype, subtype=subtype, filename=attachment.name)
    return mail.as_bytes()


def with_crlf(raw: bytes) -> bytes:
    """A message from a file, with the line ends that it travels with."""
    return _LINE_END.sub(b"\r\n", raw)


def _address(address: str) -> Address:
    mailbox = parse_address(address)
    return Address(username=mailbox.local_part, domain=address.rpartition("@")[2])
