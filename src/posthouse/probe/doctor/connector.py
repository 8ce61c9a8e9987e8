"""The way that an outbound connector's mail goes: source address, own certificate, hosts, each host's answers."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from ipaddress import ip_address

from posthouse.mail import domain_of
from posthouse.net.certificates import CertificateError, Identity
from posthouse.net.dns import DnsError
from posthouse.net.verification import Verifier
from posthouse.organization import OutboundConnector, TransportKind
from posthouse.organization.routing import route
from posthouse.probe.doctor import basic_authentication
from posthouse.probe.doctor.case import Case
from posthouse.probe.doctor.certificates import certificate_steps, is_by_public_ca, names_step, usage_step
from posthouse.probe.doctor.conversation import Conversation
from posthouse.probe.doctor.domain import is_microsoft
from posthouse.probe.doctor.in_order import in_order
from posthouse.probe.doctor.step import About, Area, Status, Step
from posthouse.probe.doctor.visit import Way, visit
from posthouse.spool import SpoolError

_HOSTS = 10
_ADDRESSES = 10
"""Of each host. Enough for any real destination, and an end to one that lists hundreds."""


async def steps(case: Case, connector: OutboundConnector) -> AsyncGenerator[Step, None]:
    about = About(Area.CONNECTOR, connector.name)
    if not connector.enabled:
        yield about.warning("it is not enabled, so it carries nothing", "posthouse connector set outbound … --enabled")
    if connector.transport is TransportKind.MAILBOX:
        yield _mailbox_step(about, case)
        return
    for step in basic_authentication.steps(case.organization, connector, about):
        yield step
    if connector.source_address:
        yield (step := _source_step(about, connector.source_address))
        if step.status is Status.FAILED:
            yield about.skipped("its hosts: there is no address to call them from")
            return
    identity: Identity | None = None
    if connector.client_certificate is not None:
        found, identity = await asyncio.to_thread(_certificate, case, connector, about)
        for step in found:
            yield step
        if identity is None:
            yield about.skipped("its hosts: the relay doesn't call them without the certificate, and lets mail wait")
            return
    async with aclosing(_host_steps(case, connector, about, identity)) as found:
        async for step in found:
            yield step


def _mailbox_step(about: About, case: Case) -> Step:
    folder = case.settings.data_dir / "mailboxes"
    if os.access(folder if folder.exists() else case.settings.data_dir, os.W_OK | os.X_OK):
        return about.ok(f"mailboxes can be written below {folder}")
    return about.failed(f"this user can't write below {folder}", "give the folder to the user that posthouse runs as")


def _source_step(about: About, address: str) -> Step:
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((address, 0))
    except OSError as error:
        what = "is not one of this machine's" if error.errno == errno.EADDRNOTAVAIL else error.strerror
        return about.failed(
            f"source_address {address} {what}", "set it to an address of this machine; behind NAT that is the inner one"
        )
    return about.ok(f"source_address {address} can be used")


def _certificate(case: Case, connector: OutboundConnector, about: About) -> tuple[Sequence[Step], Identity | None]:
    """What is to be said of it; and itself, if it can be used. Blocking."""
    assert connector.client_certificate is not None
    try:
        identity = case.identity(connector.client_certificate, "its client certificate")
    except (CertificateError, SpoolError, KeyError) as error:
        return (about.failed(f"its client certificate can't be read: {error}", "set it again from its file"),), None
    verifier = Verifier(case.organization.trusted_roots)
    found = [*certificate_steps(about, identity, verifier, chain_matters=True)]
    found += usage_step(about, identity.certificate), names_step(about, identity, case.organization.domain_names)
    if any(map(is_microsoft, connector.smart_hosts)) and not is_by_public_ca(identity):
        remedy = "get one from a public CA: Microsoft 365 takes no other"
        found.append(about.failed("its certificate is by no public CA", remedy))
    return found, identity


async def _host_steps(
    case: Case, connector: OutboundConnector, about: About, identity: Identity | None
) -> AsyncGenerator[Step, None]:
    """The way to each host at the same time."""
    recipients = tuple(each for each in case.recipients if route(case.organization, each).connector is connector)
    names = list(connector.smart_hosts)
    for domain in dict.fromkeys(map(domain_of, recipients)) if connector.use_mx_record else ():
        try:
            exchangers = [mx.host for mx in await case.resolver.mx_hosts(domain)]
        except DnsError as error:
            yield about.failed(f"MX look-up of {domain}: {error}", "mail for it does not leave; check the domain")
        else:
            yield about.ok(f"mail for {domain} goes to {', '.join(exchangers)}")
            names += exchangers
    if connector.use_mx_record and not recipients:
        yield about.skipped("its hosts: it delivers by MX; name a recipient that it carries with --external")
    way = Way(case, connector, about, identity, recipients)
    async with aclosing(in_order(_to_host(way, name) for name in list(dict.fromkeys(names))[:_HOSTS])) as found:
        async for step in found:
            yield step


async def _to_host(way: Way, name: str) -> AsyncGenerator[Step, None]:
    about, connector = way.about, way.connector
    try:
        addresses = (await way.case.resolver.addresses(name))[:_ADDRESSES]
    except DnsError as error:
        yield about.failed(f"{name}: {error}", "check its name, and the name servers")
        return
    if connector.source_address:
        version = ip_address(connector.source_address).version
        addresses = [ip for ip in addresses if ip_address(ip).version == version]
        if not addresses:
            yield about.failed(
                f"{name} has no IPv{version} address, as source_address is", "set another source_address"
            )
            return
    outcomes = await _call(way, addresses)
    reached = {ip: call for ip, call in zip(addresses, outcomes, strict=True) if isinstance(call, Conversation)}
    failures = {ip: error for ip, error in zip(addresses, outcomes, strict=True) if isinstance(error, OSError)}
    for ip, error in failures.items():
        yield _unreachable(about, f"{name} [{ip}]:{connector.port}", error, is_only_one=not reached)
    for spare in list(reached.values())[1:]:
        spare.abort()
    if not reached:
        return
    ip, conversation = next(iter(reached.items()))
    yield about.ok(f"{name} [{ip}]:{connector.port} is reached")
    async with aclosing(visit(way, name, ip, conversation)) as found:
        async for step in found:
            yield step


async def _call(way: Way, addresses: Sequence[str]) -> Sequence[Conversation | BaseException]:
    """All at once, as each may take its time to fail."""
    port, source = way.connector.port, way.connector.source_address
    calls = [asyncio.create_task(Conversation.open(ip, port, source, way.timeout)) for ip in addresses]
    try:
        return await asyncio.gather(*calls, return_exceptions=True)
    except asyncio.CancelledError:
        for call in calls:
            if call.done() and not call.cancelled() and call.exception() is None:
                call.result().abort()
        raise


def _unreachable(about: About, place: str, error: OSError, *, is_only_one: bool) -> Step:
    text, remedy = _why(error)
    return about.failed(f"{place}: {text}", remedy) if is_only_one else about.warning(f"{place}: {text}", remedy)


def _why(error: OSError) -> tuple[str, str]:
    """Told apart, because who must act differs: the other side, a firewall or provider on the way, or this machine."""
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return (
            "no answer: something on the way drops the packets, as many ISPs and clouds do on port 25",
            "have port 25 opened by firewall and provider, or send by a host that takes mail on port 587",
        )
    match error.errno:
        case errno.ECONNREFUSED:
            return "refused: the host is there, and nobody listens on this port", "check the host's name and the port"
        case errno.ENETUNREACH | errno.EHOSTUNREACH:
            return (
                "no route: this machine has no way to this address",
                "check its network; for IPv6 often none is set up",
            )
        case _:
            return f"{error.strerror or error}", "check address, port and network"
