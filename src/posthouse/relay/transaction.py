"""One mail transaction: what was decided about it, and the content as it comes in (RFC 5321 3.3)."""

from __future__ import annotations

from collections.abc import Iterator

from posthouse.mail import Body, Client, Content, Envelope, MemoryContent, Message, Recipient, Refused, Reply, headers
from posthouse.organization import (
    Attribution,
    ConnectorType,
    Organization,
    Rewriter,
    internal_headers_retained,
    route,
)
from posthouse.relay.budget import Budget
from posthouse.smtp import MailFrom
from posthouse.spool import Incoming, NewMessage, Spool

IN_MEMORY = 256 << 10
"""Bytes of a message kept in memory while it arrives; the rest goes to a file. A header must fit."""
ROUTES_TOLD = 10
"""Recipients whose routing the trace gives reasons for."""
_PARTS = 1024
"""Pieces that come one by one are joined at this number, since each is an object of its own."""
HOP_LIMIT = 50
OWN_HOP_LIMIT = 3

HEADER_TOO_BIG = Reply(552, "5.3.4", "Message header size exceeds fixed limit")
LOOP = Reply(554, "5.4.6", "Hop count exceeded - possible mail loop")


class Transaction:
    """From MAIL to the end of data. `organization` is the snapshot that it is judged by throughout."""

    __slots__ = (
        "_file",
        "_in_memory",
        "_is_ascii",
        "_parts",
        "_spool",
        "attribution",
        "facts",
        "hostname",
        "id",
        "mail",
        "organization",
        "recipients",
    )

    def __init__(
        self,
        message_id: str,
        mail: MailFrom,
        organization: Organization,
        attribution: Attribution,
        hostname: str,
        spool: Spool,
    ) -> None:
        self.id = message_id
        self.mail = mail
        self.organization = organization
        self.attribution = attribution
        self.hostname = hostname
        self.recipients: list[Recipient] = []
        self.facts: headers.HeaderFacts | None = None
        self._spool = spool
        self._parts: list[bytes] = []
        self._in_memory = 0
        self._is_ascii = True
        self._file: Incoming | None = None

    def add_content(self, data: bytes) -> None:
        """Take a piece. Raises `StoreUnavailable` where it can't be put on disk, `Refused` for its header."""
        self._is_ascii = self._is_ascii and data.isascii()
        if self._file is not None:
            self._file.write(data)
            return
        self._parts.append(data)
        self._in_memory += len(data)
        if self._in_memory > IN_MEMORY:
            self._spill()
        elif len(self._parts) >= _PARTS:
            self._parts = [b"".join(self._parts)]

    def finish(self, client: Client, tls: str, at: float, budget: Budget) -> NewMessage:
        """The message as it is spooled, with its Received line on top; leased to this worker if the budget has room.

        Raises `Refused` for a loop, `StoreUnavailable` where the disk takes no more.
        """
        if self.facts is None:
            self._take_header()
        facts = self.facts
        assert facts is not None
        if facts.received > HOP_LIMIT or facts.received_by_us >= OWN_HOP_LIMIT:
            raise Refused(LOOP)
        connector = self.attribution.connector
        trace_line = headers.received_line(
            client=client,
            hostname=self.hostname,
            message_id=self.id,
            recipient=self.recipients[0].forward_path if len(self.recipients) == 1 else None,
            at=at,
            tls=tls,
            connector=connector.name if connector else None,
        )
        reverse_path = self._reverse_path()
        prefix = trace_line + self._completion(facts, reverse_path, at)
        content = self._content(prefix)
        envelope = self._envelope(reverse_path)
        message = Message(self.id, at, envelope, content, connector.name if connector else None, client)
        reasons = self._reasons()
        leased = budget.reserve(content, len(self.recipients))
        return NewMessage(message, facts.subject, facts.message_id, reasons, leased=leased)

    def discard(self) -> None:
        """Forget the content; a file that it was going to is removed."""
        self._parts.clear()
        if self._file is not None:
            self._file.discard()
            self._file = None

    def _reasons(self) -> str:
        """For the trace: why the message was taken, and why the (first) recipients go the way they go."""
        paths = (recipient.forward_path for recipient in self.recipients[:ROUTES_TOLD])
        routes = dict.fromkeys(route(self.organization, path).reason for path in paths)
        return "\n".join((*self.attribution.reasons, *self._rewritings(), *routes))

    def _rewritings(self) -> Iterator[str]:
        connector = self.attribution.connector
        if connector and connector.rewrite_from and (became := self._reverse_path()) != self.mail.reverse_path:
            yield f"{connector.name}: its RewriteFrom makes <{self.mail.reverse_path}> <{became}>"

    def _spill(self) -> None:
        self._take_header()
        file = self._file = self._spool.incoming()
        for part in self._parts[1:]:
            file.write(part)
        del self._parts[1:]

    def _take_header(self) -> None:
        """Survey and clean the header. Afterwards the first part is it, or begins with it if it needed no change."""
        first = self._parts[0] if self._parts else b""
        end = headers.split(first)
        if end == len(first) and len(self._parts) > 1:
            first = b"".join(self._parts)
            end = headers.split(first)
            self._parts = [first]
        if end > IN_MEMORY:
            raise Refused(HEADER_TOO_BIG)
        block = first[:end]
        clean = headers.well_formed(block)
        if not internal_headers_retained(self.attribution):
            clean = headers.remove(clean, headers.INTERNAL_PREFIXES)
        if rewriter := self._rewriter:
            clean = rewriter.header(clean)
        if clean is not block:
            self._parts[:1] = [clean, first[end:]]
        self.facts = headers.survey(clean, self.hostname)

    @property
    def _rewriter(self) -> Rewriter | None:
        """Of the connector, if it gives senders another address."""
        connector = self.attribution.connector
        return self.organization.rewriters[connector.name] if connector and connector.rewrite_from else None

    def _reverse_path(self) -> str:
        """Policy has judged the one that the client gave; the mail goes on with what it becomes, if it is rewritten."""
        rewriter = self._rewriter
        return rewriter.address(self.mail.reverse_path) if rewriter else self.mail.reverse_path

    def _completion(self, facts: headers.HeaderFacts, reverse_path: str, at: float) -> bytes:
        connector = self.attribution.connector
        if connector is None or connector.connector_type is not ConnectorType.ON_PREMISES:
            return b""
        return headers.completed(facts, reverse_path=reverse_path, hostname=self.hostname, message_id=self.id, at=at)

    def _envelope(self, reverse_path: str) -> Envelope:
        """Claims 8BITMIME and SMTPUTF8 only where needed: many clients always do, and not every next hop has them."""
        mail = self.mail
        body, smtputf8 = mail.body, mail.smtputf8
        if self._is_ascii:
            body = Body.SEVEN_BIT
            paths = (reverse_path, *(recipient.forward_path for recipient in self.recipients))
            smtputf8 = smtputf8 and not all(map(str.isascii, paths))
        return Envelope(reverse_path, tuple(self.recipients), mail.ret, mail.envid, smtputf8, body)

    def _content(self, prefix: bytes) -> Content:
        if self._file is None:
            return MemoryContent((prefix, *self._parts))
        return self._file.finish(b"".join((prefix, *self._parts)))
