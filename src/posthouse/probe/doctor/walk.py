"""The walk: configuration, accepted domains, the way of each outbound connector, credentials; in this order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing, closing
from pathlib import Path

from posthouse.net.dns import Resolver
from posthouse.organization import (
    Organization,
    OrganizationError,
    OutboundConnector,
    TransportKind,
    from_document,
)
from posthouse.probe.doctor import configuration, connector, credential, domain, graph
from posthouse.probe.doctor.case import Case, Options
from posthouse.probe.doctor.in_order import in_order
from posthouse.probe.doctor.step import About, Area, Step
from posthouse.settings import Settings, SettingsError, load
from posthouse.spool import Organizations, Secrets, SpoolError, Store, open_store
from posthouse.transports.tokens import TokenSource

_about = About(Area.CONFIGURATION, "settings")


async def examine(config: Path | None = None, options: Options | None = None) -> AsyncGenerator[Step, None]:
    """Each step as it ends; closing the generator ends the walk. `config` is as for all commands."""
    try:
        settings = load(config)
    except SettingsError as error:
        for line in error.lines:
            yield _about.failed(line, "correct it in posthouse.toml or the environment, and run doctor again")
        return
    yield configuration.settings_step(settings)
    try:
        store = await asyncio.to_thread(open_store, settings.store_url, settings.data_dir, make=False)
    except SpoolError as error:
        yield _about.failed(f"the store can't be opened: {error}", "if it is yet to be made: posthouse apply FILE")
        return
    with closing(store):
        async with aclosing(_examine_store(settings, store, options or Options())) as steps:
            async for step in steps:
                yield step


async def _examine_store(settings: Settings, store: Store, options: Options) -> AsyncGenerator[Step, None]:
    try:
        organization = from_document((await asyncio.to_thread(Organizations(store).load)).document or {})
    except (SpoolError, OrganizationError) as error:
        yield _about.failed(f"the organization can't be read: {error}", "apply its file again")
        return
    yield _about.ok(f"the store can be read: {store.name}")
    case = _case(settings, store, organization, options)
    for step in await asyncio.to_thread(lambda: [*configuration.steps(case)]):
        yield step
    for name in _unknown(case):
        yield About(Area.CONNECTOR, name).failed("there is no outbound connector of this name", _known(organization))
    async with aclosing(in_order(_walks(case))) as steps:
        async for step in steps:
            yield step


async def examine_credential(
    name: str, config: Path | None = None, options: Options | None = None
) -> AsyncGenerator[Step, None]:
    """The steps of one credential. Raises `SettingsError`, `SpoolError`, `OrganizationError`."""
    settings = load(config)
    with closing(await asyncio.to_thread(open_store, settings.store_url, settings.data_dir, make=False)) as store:
        organization = from_document((await asyncio.to_thread(Organizations(store).load)).document or {})
        case = _case(settings, store, organization, options or Options())
        found = [each for each in organization.credentials if each.name.casefold() == name.casefold()]
        if not found:
            names = ", ".join(each.name for each in organization.credentials) or "none"
            about = About(Area.CREDENTIAL, name)
            yield about.failed("there is no credential of this name", f"there are: {names}")
        for one in found:
            async with aclosing(credential.steps(case, one)) as steps:
                async for step in steps:
                    yield step


def _case(settings: Settings, store: Store, organization: Organization, options: Options) -> Case:
    resolver = Resolver(settings.delivery.nameservers, lifetime=options.timeout)
    tokens = TokenSource(store, own_roots=organization.trusted_roots)
    return Case(settings, organization, resolver, Secrets(store).get, tokens, options)


def _walks(case: Case) -> Iterator[AsyncIterator[Step]]:
    for accepted in case.organization.accepted_domains:
        yield domain.steps(case, accepted.name)
    for chosen in _chosen(case):
        way = graph if chosen.transport is TransportKind.GRAPH else connector
        yield way.steps(case, chosen)
    for one in case.organization.credentials:
        yield credential.steps(case, one)


def _chosen(case: Case) -> Iterable[OutboundConnector]:
    wanted = {name.casefold() for name in case.options.connectors}
    for each in case.organization.outbound:
        if each.name.casefold() in wanted or (not wanted and each.enabled):
            yield each


def _unknown(case: Case) -> list[str]:
    known = {each.name.casefold() for each in case.organization.outbound}
    return [name for name in case.options.connectors if name.casefold() not in known]


def _known(organization: Organization) -> str:
    return f"there are: {', '.join(each.name for each in organization.outbound) or 'none'}"
