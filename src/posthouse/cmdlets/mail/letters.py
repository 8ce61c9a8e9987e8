"""A mail as .NET's MailMessage writes it (https://learn.microsoft.com/dotnet/api/system.net.mail.mailmessage)."""

from __future__ import annotations

import email.policy
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final

from posthouse.mail import Notify
from posthouse.mail.headers import format_date
from posthouse.probe.compose import Attachment, Mailbox, content_type_of

ASCII: Final = "us-ascii"
_OF_A_MESSAGE: Final = frozenset({"from", "to", "cc", "bcc", "reply-to", "subject", "content-type", "mime-version"})
_HEADER_NAME: Final = re.compile(r"[!-9;-~]+")
_PRIORITIES: Final = {"High": ("1", "urgent", "high"), "Low": ("5", "non-urgent", "low")}


class FormatException(ValueError):
    """What .NET says of a text that is no address."""


def mailbox(text: str) -> Mailbox:
    """As `new MailAddress(text)` reads it. Raises `FormatException`."""
    if not text.strip():
        raise FormatException("The parameter 'address' cannot be an empty string.")
    try:
        found = Mailbox.parse(text)
        address = found.header
    except ValueError:
        raise _no_address() from None
    separator = next((sign for sign in ",;" if sign in found.address), "")
    if separator and found.address.count("@") > 1:
        raise FormatException(f"An invalid character was found in the mail header: '{separator}'.")
    if not address.username or not address.domain or any(sign.isspace() for sign in found.address):
        raise _no_address()
    return found


def mailboxes(text: str) -> list[Mailbox]:
    """As `MailAddressCollection.Add(text)` reads it: several, with commas. Raises `FormatException`."""
    if not text.strip():
        raise FormatException("The parameter 'addresses' cannot be an empty string.")
    return [mailbox(part) for part in re.findall(r'(?:"[^"]*"|[^,"])+|"', text)]


def _no_address() -> FormatException:
    return FormatException("The specified string is not in the form required for an e-mail address.")


def shown(one: Mailbox) -> str:
    """As `MailAddress.ToString` gives it."""
    return f'"{one.name}" <{one.address}>' if one.name else one.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A charset is a Python codec's name that mail knows too; empty, ASCII where that is enough, else UTF-8.

    `charset` is the body's. Headers are written in ASCII or UTF-8 all the same, less what `subject_charset` lacks.
    """

    sender: Mailbox
    to: Sequence[Mailbox] = ()
    cc: Sequence[Mailbox] = ()
    bcc: Sequence[Mailbox] = ()
    reply_to: Sequence[Mailbox] = ()
    subject: str = ""
    body: str = ""
    is_html: bool = False
    charset: str = ""
    subject_charset: str = ""
    priority: str = "Normal"
    headers: Sequence[tuple[str, str]] = ()
    attachments: Sequence[Attachment] = ()
    notify: Notify = Notify.ABSENT

    def __post_init__(self) -> None:
        if "\r" in self.subject or "\n" in self.subject:
            raise FormatException("The specified string is not in the form required for a subject.")
        for name, value in self.headers:
            if not _HEADER_NAME.fullmatch(name):
                raise FormatException("An invalid character was found in header name.")
            if any(sign in value for sign in "\r\n\0"):
                raise FormatException(f"An invalid character was found in the mail header: '{name}'.")

    @property
    def recipients(self) -> tuple[Mailbox, ...]:
        return (*self.to, *self.cc, *self.bcc)

    @property
    def is_mutilated(self) -> bool:
        """Whether its charsets lack some of its characters: they become question marks."""
        texts = ((self.subject, self.subject_charset), (self.body, self.charset))
        return any(_reduced(text, charset) != text for text, charset in texts)

    def content(self, at: float) -> bytes:
        """The message with CRLF line ends. It has no Message-ID, as .NET's have none: the first server adds one."""
        policy = email.policy.SMTP if self._is_ascii else email.policy.SMTPUTF8
        mail = EmailMessage(policy.clone(cte_type="7bit"))
        mail["From"] = self.sender.header
        for name, those in (("To", self.to), ("Cc", self.cc), ("Reply-To", self.reply_to)):
            if those:
                mail[name] = [one.header for one in those]
        mail["Date"] = format_date(at)
        mail["Subject"] = _reduced(self.subject, self.subject_charset)
        for name, value in self._more_headers():
            del mail[name]
            mail[name] = value
        self._set_body(mail)
        for attachment in self.attachments:
            maintype, _, subtype = (attachment.content_type or content_type_of(attachment.name)).partition("/")
            mail.add_attachment(attachment.content, maintype=maintype, subtype=subtype, filename=attachment.name)
        return mail.as_bytes()

    @property
    def _is_ascii(self) -> bool:
        return all(one.address.isascii() for one in (self.sender, *self.recipients, *self.reply_to))

    def _more_headers(self) -> Iterable[tuple[str, str]]:
        if self.priority in _PRIORITIES:
            yield from zip(("X-Priority", "Priority", "Importance"), _PRIORITIES[self.priority], strict=True)
        yield from ((name, value) for name, value in self.headers if name.lower() not in _OF_A_MESSAGE)

    def _set_body(self, mail: EmailMessage) -> None:
        """As .NET does: ASCII as quoted-printable, all else in base64."""
        subtype = "html" if self.is_html else "plain"
        charset = self.charset or (ASCII if self.body.isascii() else "utf-8")
        text = "\r\n".join(_reduced(self.body, charset).splitlines()) + "\r\n"
        if charset == ASCII:
            mail.set_content(text, subtype=subtype, charset=ASCII, cte="quoted-printable")
        else:
            mail.set_content(text.encode(charset), maintype="text", subtype=subtype, params={"charset": charset})


def _reduced(text: str, charset: str) -> str:
    """With a question mark for each character that the charset lacks."""
    return text.encode(charset, "replace").decode(charset) if charset else text
