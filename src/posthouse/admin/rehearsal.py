"""An outbound connector before it is stored: what the organization would be, and whether mail would leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

from posthouse.admin.administration import Edit
from posthouse.admin.errors import AdminError
from posthouse.admin.references import Resolver, Stored, written
from posthouse.mail import Client, Delivery, MemoryContent, Message, received_time
from posthouse.net.dns import Resolver as DnsResolver
from posthouse.net.verification import Verifier
from posthouse.organization import Organization, OrganizationError, OutboundConnector, TransportKind, from_document
from posthouse.organization.routing import route
from posthouse.probe.doctor import Area, Options, Step, connector, credential, graph
from posthouse.probe.doctor.case import Case
from posthouse.probe.doctor.step import About
from posthouse.probe.options import SendOptions
from posthouse.probe.send import content_of, envelope_of, new_id
from posthouse.relay.exits import Exits
from posthouse.settings import Settings
from posthouse.spool import Organizations, Secrets, Store
from posthouse.transports.tokens import SharedTokens, TokenSource

_SEND_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """`secrets` are those that are stored, and those that would be."""

    organization: Organization
    secrets: Secrets
    store: Store

    def connector(self, name: str, recipient: str) -> OutboundConnector:
        """As if it were on. Raises `AdminError` where mail for the recipient goes by another one."""
        outbound = tuple(
            replace(each, enabled=True) if each.name == name else each for each in self.organization.outbound
        )
        found = route(replace(self.organization, outbound=outbound), recipient).connector
        if found is None or found.name != name:
            whose = f'by "{found.name}"' if found else "nowhere"
            raise AdminError(f"recipient: mail for {recipient} goes {whose}; name somebody whom this connector is for")
        return found


def rehearse(store: Store, edit: Edit, folder: Path) -> Rehearsal:
    """Nothing is stored. References to files are relative to `folder`. Blocking. Raises `AdminError`."""
    secrets = Secrets(store)
    before = Organizations(store).load().document or {}
    resolver = Resolver(folder, {}, Stored(before, secrets.get))
    try:
        organization = from_document(resolver.resolve(edit(written(before))))
    except OrganizationError as error:
        raise AdminError(*error.problems) from None
    return Rehearsal(organization, _WithNew(store, resolver.new_secrets), store)


async def walk(
    rehearsal: Rehearsal, way: OutboundConnector, settings: Settings, options: Options
) -> AsyncGenerator[Step, None]:
    """Doctor's steps of this connector, and of what signs in for it. With `options.send` a mail at the end, by the
    relay's own transport."""
    alone = replace(rehearsal.organization, outbound=(way,))
    resolver = DnsResolver(settings.delivery.nameservers, lifetime=options.timeout)
    tokens = TokenSource(rehearsal.store, own_roots=alone.trusted_roots)
    case = Case(settings, alone, resolver, rehearsal.secrets.get, tokens, replace(options, send=False))
    for walked in _walks(case, way):
        async with aclosing(walked) as steps:
            async for step in steps:
                yield step
    if options.send:
        yield await _sent(case, way, rehearsal)


def _walks(case: Case, way: OutboundConnector) -> Iterator[AsyncGenerator[Step, None]]:
    yield (graph if way.transport is TransportKind.GRAPH else connector).steps(case, way)
    for one in case.organization.credentials_of(way):
        yield credential.steps(case, one)


async def _sent(case: Case, way: OutboundConnector, rehearsal: Rehearsal) -> Step:
    """As the relay would."""
    about = About(Area.CONNECTOR, way.name)
    exits = Exits(
        hostname=case.settings.hostname,
        mailboxes=case.settings.data_dir / "mailboxes",
        resolver=case.resolver,
        secrets=rehearsal.secrets,
        tokens=SharedTokens(case.tokens),
    )
    await exits.prepare(case.organization, Verifier(case.organization.trusted_roots))
    try:
        transport = exits.transport(way.name)
        if transport is None:
            return about.failed("the test mail: its certificate or password can't be read", "set it again")
        message = _message(case)
        recipient = message.envelope.recipients[0].forward_path
        delivery = Delivery(message, (0,), way.name, transport.destination(recipient))
        async with asyncio.timeout(_SEND_SECONDS):
            [outcome] = await transport.deliver(delivery)
    except TimeoutError:
        return about.failed("the test mail: it takes too long", "try again; if it stays, look at the host's log")
    finally:
        await exits.close()
    if outcome.reply.is_positive:
        return about.ok(f"{outcome.remote or 'the relay'} took a test mail to {recipient}: {outcome.reply}")
    return about.refused(f"the test mail to {recipient}", outcome.reply)


def _message(case: Case) -> Message:
    options = SendOptions(server=case.settings.hostname, sender=case.sender, recipients=case.recipients[:1])
    own_id = new_id()
    content = content_of(options, own_id)
    return Message(
        own_id,
        received_time(own_id),
        envelope_of(options, content),
        MemoryContent((content,)),
        None,
        Client(ip="127.0.0.1"),
    )


class _WithNew(Secrets):
    def __init__(self, store: Store, new: Mapping[str, bytes]) -> None:
        super().__init__(store)
        self._new = new

    def get(self, name: str) -> bytes:
        return self._new[name] if name in self._new else super().get(name)
