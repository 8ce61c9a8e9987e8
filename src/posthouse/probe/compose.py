"""The mail that the test sender sends: text and attachments as MIME, all of it 7-bit so that any server takes it."""

from __future__ import annotations

import email.policy
import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Final

from posthouse.mail.address import normalize_domain
from posthouse.mail.headers import format_date

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_CONTENT_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")
_PACKED: Final = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}

_TYPES: Final = mimetypes.MimeTypes()
"""Python's own table only: this machine's would make the same mail another one elsewhere."""
for _extension, _type in {
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".webp": "image/webp",
}.items():
    _TYPES.add_type(_type, _extension)


@dataclass(frozen=True, slots=True)
class Attachment:
    """`content_type` is guessed from the name where it isn't given. Raises ValueError for one that is none."""

    name: str
    content: bytes
    content_type: str = ""

    def __post_init__(self) -> None:
        if self.content_type and not _CONTENT_TYPE.fullmatch(self.content_type):
            raise ValueError(f"{self.content_type} is no content type; it should be like application/pdf")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address with the name that people see beside it."""

    address: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Mailbox:
        """`Name <address>` or an address. A domain that isn't ASCII becomes A-labels where the local part is ASCII.

        Whether it is a right address is for the server to say. Raises ValueError where it can't be sent at all.
        """
        if _CONTROL.search(text):
            raise ValueError(f"{text!r} holds a line break or another control character; an address is one line")
        text = text.strip()
        if not text.endswith(">"):
            return cls(_with_a_labels(text))
        name, _, address = text[:-1].rpartition("<")
        return cls(_with_a_labels(address), _unquoted(name.strip()))

    @property
    def header(self) -> Address:
        """As the header registry wants it, which adds the quotes that are needed."""
        local_part, _, domain = self.address.rpartition("@")
        if not local_part:
            local_part, domain = domain, ""
        return Address(self.name, _unquoted(local_part), domain)

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2] if "@" in self.address else ""


def _unquoted(text: str) -> str:
    """What a quoted-string stands for (RFC 5322 3.2.4); other text is as it is."""
    is_quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if is_quoted else text


def _with_a_labels(address: str) -> str:
    """With them any server takes it; UTF-8 in a domain alone would need SMTPUTF8 (RFC 6531 3.2)."""
    local_part, at, domain = address.rpartition("@")
    if at and local_part.isascii() and not domain.isascii():
        return f"{local_part}@{normalize_domain(domain)}"
    return address


def compose(
    *,
    sender: Mailbox,
    recipients: Sequence[Mailbox],
    subject: str,
    body: str,
    html: str = "",
    attachments: Sequence[Attachment] = (),
    message_id: str,
    at: float,
) -> bytes:
    """A whole message with CRLF line ends. Only addresses that are not ASCII make a header in UTF-8 (RFC 6532)."""
    is_ascii = all(mailbox.address.isascii() for mailbox in (sender, *recipients))
    policy = (email.policy.SMTP if is_ascii else email.policy.SMTPUTF8).clone(cte_type="7bit")
    mail = EmailMessage(policy)
    mail["Date"] = format_date(at)
    mail["From"] = sender.header if sender.address else Address("", "MAILER-DAEMON", "localhost")
    mail["To"] = [recipient.header for recipient in recipients]
    mail["Subject"] = " ".join(subject.split())
    mail["Message-ID"] = f"<{message_id}>"
    mail.set_content(body, cte=_encoding(body))
    if html:
        mail.add_alternative(html, subtype="html", cte=_encoding(html))
    for attachment in attachments:
        maintype, _, subtype = (attachment.content_type or content_type_of(attachment.name)).partition("/")
        mail.add_attachment(attachment.content, maintype=maintype, subtype=subtype, filename=attachment.name)
    return mail.as_bytes()


def content_type_of(name: str) -> str:
    """By the name's extension.

    Messages are octets too: in base64, which alone keeps every byte, they may not be message/rfc822 (RFC 2046 5.2.1).
    """
    content_type, packing = _TYPES.guess_type(name)
    if packing:
        return _PACKED.get(packing, "application/octet-stream")
    if not content_type or content_type.startswith(("message/", "multipart/")):
        return "application/octet-stream"
    return content_type


def with_crlf(raw: bytes) -> bytes:
    """A message from a file, with the line ends that it travels with."""
    return _LINE_END.sub(b"\r\n", raw)


def _encoding(text: str) -> str | None:
    return None if text.isascii() else "quoted-printable"
