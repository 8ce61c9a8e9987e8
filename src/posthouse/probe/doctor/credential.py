"""What signs in: can a token be had with it, and do the hosts of its connectors take it?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from posthouse.net.apart import apart
from posthouse.net.certificates import CertificateError
from posthouse.net.verification import Verifier
from posthouse.organization import OutboundConnector, TransportKind
from posthouse.organization.connectors import Credential, CredentialKind
from posthouse.probe.doctor.case import Case
from posthouse.probe.doctor.step import About, Area, Status, Step
from posthouse.spool import SpoolError
from posthouse.transports.connection import SessionFailed, Timeouts
from posthouse.transports.dial import Dialler
from posthouse.transports.hosts import HostFinder
from posthouse.transports.sign_in import Account, SignInFailed, scopes_of
from posthouse.transports.tokens import NoToken, SharedTokens


async def steps(case: Case, credential: Credential) -> AsyncGenerator[Step, None]:
    about = About(Area.CREDENTIAL, credential.name)
    is_password = credential.kind is CredentialKind.BASIC
    for scope in () if is_password else scopes_of(case.organization, credential):
        yield (step := await _token_step(case, about, credential, scope))
        if step.status is Status.FAILED:
            return
    connectors = [each for each in case.organization.outbound if credential.name in each.credential]
    for connector in connectors:
        if connector.transport is TransportKind.SMTP:
            yield await _sign_in_step(case, about, credential, connector)
    if is_password and not connectors:
        yield about.skipped("not checked: no outbound connector signs in with it")


async def _token_step(case: Case, about: About, credential: Credential, scope: str) -> Step:
    who = "Azure" if credential.kind is CredentialKind.MANAGED_IDENTITY else credential.authority
    try:
        token = await apart(3 * case.options.timeout, lambda: case.tokens.obtain(credential, scope, afresh=True))
    except NoToken as error:
        return about.failed(f"no token: {error.problem}", error.remedy)
    except TimeoutError:
        return about.failed(f"no token: {who} takes too long", "is a firewall or a proxy in the way?")
    until = datetime.fromtimestamp(token.expires_at, UTC)
    return about.ok(f"{who} gives a token, for {urlsplit(scope).hostname}, good until {until:%H:%M} UTC")


async def _sign_in_step(case: Case, about: About, credential: Credential, connector: OutboundConnector) -> Step:
    """As the relay does it, to the first host that answers."""
    try:
        dialler = await asyncio.to_thread(_dialler, case, credential, connector)
        async with aclosing(HostFinder(connector, case.resolver).hosts("")) as hosts:
            async for host in hosts:
                connection = await dialler.dial(host)
                connection.quit()
                await connection.lost
                return about.ok(f'{connection.name} signs {credential.user} in, for the connector "{connector.name}"')
    except (CertificateError, SpoolError, KeyError) as error:
        return about.failed(f"its secret can't be read: {error}", "store it again")
    except SessionFailed as failure:
        step = about.refused(f'nobody is signed in for the connector "{connector.name}"', failure.reply)
        return replace(step, status=Status.FAILED) if isinstance(failure, SignInFailed) else step
    raise AssertionError("there is a host, or it is said why not")


def _dialler(case: Case, credential: Credential, connector: OutboundConnector) -> Dialler:
    """Blocking."""
    password = case.secret(credential.secret).decode() if credential.kind is CredentialKind.BASIC else ""
    certificate = connector.client_certificate
    return Dialler(
        connector,
        helo_name=case.settings.hostname,
        client_identity=case.identity(certificate, "client certificate") if certificate else None,
        verifier=Verifier(case.organization.trusted_roots),
        timeouts=Timeouts(*[case.options.timeout] * 8),
        account=Account(credential, SharedTokens(case.tokens), password),
    )
