"""What a host says: greeting, EHLO, STARTTLS, its certificate, what it wants of ours, MAIL and RCPT; never DATA."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from posthouse.mail import Envelope, Recipient, Refused, Reply, domain_of
from posthouse.net.certificates import CertificateError, Identity
from posthouse.net.tls import ClientContext, TlsSession
from posthouse.net.verification import Verifier
from posthouse.organization import OutboundConnector, TlsSettings
from posthouse.probe.doctor.case import Case
from posthouse.probe.doctor.conversation import Conversation, ConversationEnded
from posthouse.probe.doctor.handshake import client_certificate_step, host_certificate_steps
from posthouse.probe.doctor.step import About, Status, Step
from posthouse.probe.send import SendOptions, send_async
from posthouse.smtp.extensions import PeerExtensions
from posthouse.smtp.transfer import mail_command, rcpt_command

_SIZE: Final = 10_000  # bytes, which any server takes


@dataclass(frozen=True, slots=True)
class Way:
    """To the hosts of a connector: with which certificate, and for which recipients it is asked."""

    case: Case
    connector: OutboundConnector
    about: About
    identity: Identity | None
    recipients: tuple[str, ...]

    @property
    def timeout(self) -> float:
        return self.case.options.timeout

    @property
    def requires_tls(self) -> bool:
        return self.connector.tls_settings is not TlsSettings.OPPORTUNISTIC


class _NoTls(Exception):
    """The host does without. What it does instead."""


class _Over(Exception):
    """The relay would not go on with this host either."""


async def visit(way: Way, name: str, ip: str, conversation: Conversation) -> AsyncGenerator[Step, None]:
    """Steps up to the first thing that ends the way. The conversation is closed at the end."""
    guest = _Visit(way, name, ip, conversation)
    try:
        async for step in guest.steps():
            yield step
    except ConversationEnded as ended:
        yield way.about.failed(f"{name}: {ended} ({guest.phase})", _why_silent(guest.phase))
    except _Over:
        yield way.about.skipped(f"{name}: MAIL and RCPT, since the relay would not go on here")
    finally:
        guest.conversation.abort()


def _why_silent(phase: str) -> str:
    if phase == "greeting":
        return (
            "is this an SMTP host and port? A firewall that inspects SMTP may be in the way, or the host is overloaded"
        )
    return "the host's log may say why; a firewall that inspects SMTP may be in the way"


class _Visit:
    """One session. `phase` is what is under way, for when it breaks off."""

    def __init__(self, way: Way, name: str, ip: str, conversation: Conversation) -> None:
        self.conversation = conversation
        self.phase = "greeting"
        self._way, self._name, self._ip = way, name, ip
        self._about = way.about
        self._extensions = PeerExtensions()
        self._is_secure = False

    async def steps(self) -> AsyncIterator[Step]:
        for greet in (self._greeting, self._hello):
            yield (step := await greet())
            if step.status is not Status.OK:
                raise _Over
        async for step in self._secure():
            yield step
        accepted: list[str] = []
        async for recipient, step in self._ask():
            yield step
            if step.status is Status.OK:
                accepted.append(recipient)
        await self.conversation.quit()
        if self._way.case.options.send:
            yield await self._send(accepted)

    async def _greeting(self) -> Step:
        reply = await self.conversation.reply()
        if not reply.is_positive:
            return self._about.refused(f"{self._name} greets with", reply)
        return self._about.ok(f"{self._name} greets: {_first_line(reply)}")

    async def _hello(self) -> Step:
        """A 5yz to EHLO means a server from before 1993 (RFC 5321 4.1.4)."""
        self.phase = "EHLO"
        hostname = self._way.case.settings.hostname
        reply = await self.conversation.command(f"EHLO {hostname}")
        self._extensions = PeerExtensions.parse(reply.text) if reply.is_positive else PeerExtensions()
        if reply.is_permanent:
            self.phase = "HELO"
            reply = await self.conversation.command(f"HELO {hostname}")
        if not reply.is_positive:
            return self._about.refused(f"{self._name} refuses {self.phase} {hostname}", reply)
        return self._about.ok(f"{self._name} answers {self.phase} {hostname}")

    async def _secure(self) -> AsyncIterator[Step]:
        try:
            session = await self._starttls()
        except _NoTls as error:
            yield self._in_plain_text(str(error))
            if self._way.requires_tls:
                raise _Over from None
            return
        except (CertificateError, ConversationEnded) as error:
            yield self._in_plain_text(f"offers STARTTLS, but TLS fails: {error}")
            if self._way.requires_tls:
                raise _Over from None
            await self._start_again()
            return
        self._is_secure = True
        yield self._about.ok(f"{self._name} speaks {session.description}")
        for step in host_certificate_steps(self._about, self._way.connector, self._name, session):
            yield step
            if step.status is Status.FAILED:
                raise _Over
        step = await self._hello()
        if step.status is not Status.OK:
            yield step
            raise _Over
        yield client_certificate_step(self._about, self._name, session, has_one=self._way.identity is not None)

    async def _starttls(self) -> TlsSession:
        self.phase = "STARTTLS"
        if not self._extensions.starttls:
            raise _NoTls("does not offer STARTTLS")
        reply = await self.conversation.command("STARTTLS")
        if not reply.is_positive:
            raise _NoTls(f"refuses STARTTLS: {reply}")
        verifier = Verifier(self._way.case.organization.trusted_roots)
        session = TlsSession(ClientContext(self._way.identity, "intermediate", verifier), self._name)
        await self.conversation.shake_hands(session)
        return session

    def _in_plain_text(self, what: str) -> Step:
        text = f"{self._name} {what}"
        if self._way.requires_tls:
            return self._about.failed(
                text, f"TlsSettings {self._way.connector.tls_settings} lets mail wait until it does"
            )
        if self._way.identity is not None:
            return self._about.failed(
                text, "without TLS the client certificate can't be shown; is a firewall in the way?"
            )
        return self._about.warning(f"{text}, so mail goes in plain text", "set TlsSettings, if it must not")

    async def _start_again(self) -> None:
        """Call once more, for plain text, as the relay does where TLS is not required."""
        self.conversation.abort()
        self.phase = "calling again in plain text"
        connector = self._way.connector
        try:
            self.conversation = await Conversation.open(
                self._ip, connector.port, connector.source_address, self._way.timeout
            )
        except OSError as error:
            raise ConversationEnded(f"it is not reached: {error}") from None
        for greet in (self._greeting, self._hello):
            if (await greet()).status is not Status.OK:
                raise _Over

    async def _ask(self) -> AsyncIterator[tuple[str, Step]]:
        sender = self._way.case.sender
        if self._way.connector.credential:
            text = f"{self._name}: MAIL and RCPT, for which one must sign in; see the credentials"
            yield "", self._about.skipped(text)
            return
        if not self._way.recipients:
            text = f"{self._name}: MAIL and RCPT, since no recipient that is asked about goes this way"
            yield "", self._about.skipped(f"{text}; see --internal and --external")
        for recipient in self._way.recipients:
            yield recipient, await self._transaction(sender, recipient)

    async def _transaction(self, sender: str, recipient: str) -> Step:
        """MAIL, RCPT, RSET: nothing is sent."""
        kind = "internal" if domain_of(recipient) in self._way.case.organization.domain_names else "external"
        place = f"{self._name} answers for the {kind} recipient {recipient} from {sender}"
        envelope = Envelope(sender, (Recipient(recipient),), None, None, smtputf8=not (sender + recipient).isascii())
        try:
            if shortfall := self._extensions.shortfall(envelope, _SIZE):
                raise Refused(shortfall)
            self.phase = "MAIL"
            reply = await self.conversation.command(mail_command(envelope, _SIZE, self._extensions))
            if reply.is_positive:
                self.phase = "RCPT"
                reply = await self.conversation.command(rcpt_command(envelope.recipients[0], self._extensions))
            await self.conversation.command("RSET")
        except Refused as refused:
            reply = refused.reply
        return self._about.ok(f"{place}: {reply}") if reply.is_positive else self._about.refused(place, reply)

    async def _send(self, recipients: Sequence[str]) -> Step:
        if not recipients:
            return self._about.skipped(f"{self._name}: no test mail, since no recipient was accepted")
        connector = self._way.connector
        result = await send_async(
            SendOptions(
                server=self._ip,
                port=connector.port,
                source=connector.source_address,
                sender=self._way.case.sender,
                recipients=tuple(recipients),
                tls="starttls" if self._is_secure else "none",
                identity=self._way.identity if self._is_secure else None,
                trusted_roots=self._way.case.organization.trusted_roots,
                helo=self._way.case.settings.hostname,
                timeout=self._way.timeout,
            )
        )
        if result.error is None:
            return self._about.ok(
                f"{self._name} took a test mail to {', '.join(recipients)}: {result.replies[0].reply}"
            )
        refusal = next((one.reply for one in result.replies if not one.reply.is_positive), None)
        if refusal is not None:
            return self._about.refused(f"{self._name} refused the test mail", refusal)
        return self._about.failed(
            f"the test mail was not sent: {result.error}", "run posthouse send to see the dialogue"
        )


def _first_line(reply: Reply) -> str:
    return str(reply).partition("\n")[0]
