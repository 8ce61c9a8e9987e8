"""A mailbox of the stand-in of Microsoft Graph, and what is in it."""

from __future__ import annotations

import email.policy
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

LARGEST = 150 << 20
"""Of attachments and of messages; a mailbox's own limit is 35 MB unless it is raised."""


@dataclass
class Attachment:
    name: str
    content: bytes | bytearray
    content_type: str | None = None
    content_id: str | None = None
    is_inline: bool = False


@dataclass
class Item:
    """A message in a mailbox: `mime` as it came, without what is in `attachments`. `sent_at`: or begun, as a draft."""

    id: str
    mime: bytes
    folder: str
    attachments: list[Attachment] = field(default_factory=list)
    sent_at: float = field(default_factory=time.time)

    @property
    def parsed(self) -> EmailMessage:
        message = BytesParser(policy=email.policy.default).parsebytes(self.mime)
        assert isinstance(message, EmailMessage)
        return message

    def addresses(self, name: str) -> list[str]:
        """Those that the header fields of a name have."""
        headers = self.parsed.get_all(name, [])
        return [address.addr_spec for header in headers for address in header.addresses if address.domain]

    @property
    def recipients(self) -> list[str]:
        return [address for name in ("To", "Cc", "Bcc") for address in self.addresses(name)]

    @property
    def message_id(self) -> str:
        return str(self.parsed["Message-ID"] or "").strip()


@dataclass
class Mailbox:
    """`send_as` are other people's addresses that its user may put into From, `aliases` its own, which recipients see
    only if it `sends_from_alias`. `invalid` are addresses that it takes for none. `sent` are the messages that went."""

    address: str
    send_as: set[str] = field(default_factory=set)
    aliases: set[str] = field(default_factory=set)
    sends_from_alias: bool = False
    is_enabled: bool = True
    size_limit: int = LARGEST
    recipient_limit: int = 500
    invalid: set[str] = field(default_factory=set)
    items: dict[str, Item] = field(default_factory=dict)
    sent: list[Item] = field(default_factory=list)

    def may_send(self, item: Item) -> bool:
        own = {self.address.lower(), *self.aliases}
        senders, agents = ({address.lower() for address in item.addresses(name)} for name in ("From", "Sender"))
        return senders <= own | self.send_as and agents <= own

    def hide_alias(self, item: Item) -> None:
        for alias in () if self.sends_from_alias else self.aliases.intersection(item.addresses("From")):
            item.mime = item.mime.replace(alias.encode(), self.address.encode(), 1)

    @property
    def drafts(self) -> list[Item]:
        return [item for item in self.items.values() if item.folder == "drafts"]


def attachment_of(given: dict[str, Any], content: bytes | bytearray) -> Attachment:
    return Attachment(
        given["name"], content, given.get("contentType"), given.get("contentId"), given.get("isInline", False)
    )


def resource_of(item: Item) -> dict[str, Any]:
    kinds = {"toRecipients": "To", "ccRecipients": "Cc", "bccRecipients": "Bcc"}
    recipients = {
        key: [{"emailAddress": {"address": address}} for address in item.addresses(name)] for key, name in kinds.items()
    }
    sent = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(item.sent_at))
    return {
        "id": item.id,
        "sentDateTime": sent,
        "isDraft": item.folder == "drafts",
        "parentFolderId": item.folder,
        **recipients,
    }
