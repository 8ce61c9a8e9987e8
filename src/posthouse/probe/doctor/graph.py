"""The way of a connector to Microsoft Graph: what its tokens allow, and the mailboxes that send."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from posthouse.net.https import client_context
from posthouse.organization import OutboundConnector
from posthouse.organization.connectors import Credential
from posthouse.probe.doctor.case import Case, Options
from posthouse.probe.doctor.step import About, Area, Status, Step
from posthouse.transports.graph.client import GraphMailbox, Request, http_client
from posthouse.transports.graph.errors import GraphFailed
from posthouse.transports.sign_in import SignInFailed
from posthouse.transports.tokens import SharedTokens

_SEND: Final = "Mail.Send"
_WRITE: Final = "Mail.ReadWrite"


async def steps(case: Case, connector: OutboundConnector) -> AsyncGenerator[Step, None]:
    about = About(Area.CONNECTOR, connector.name)
    tokens = SharedTokens(case.tokens)
    context = await asyncio.to_thread(client_context, case.organization.trusted_roots)
    async with http_client(context) as client:
        for credential in case.organization.credentials_of(connector):
            try:
                async with asyncio.timeout(3 * case.options.timeout):
                    allowed = permissions(await tokens.get(credential, f"{connector.endpoint}/.default"))
            except (SignInFailed, TimeoutError):
                yield about.skipped(f"{credential.name}: there is no token to ask {connector.endpoint} with")
                continue
            yield _permissions_step(about, credential, allowed)
            mailbox = GraphMailbox(credential, connector.endpoint, tokens, client)
            yield await _mailbox_step(about, mailbox, case.options, may_look=not allowed or _WRITE in allowed)


def permissions(token: str) -> frozenset[str]:
    """What a token names, an application's as roles, a user's as scopes; none where it can't be read. It is for Graph
    to verify it: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference"""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return frozenset((*map(str, claims.get("roles", ())), *str(claims.get("scp", "")).split()))
    except (IndexError, ValueError, AttributeError, TypeError):
        return frozenset()


def _permissions_step(about: About, credential: Credential, allowed: frozenset[str]) -> Step:
    if not allowed:
        return about.skipped(f"{credential.name}: no permissions can be read from its token")
    if _SEND not in allowed:
        return about.failed(
            f"{credential.name} may not send: its token has {', '.join(sorted(allowed))}",
            f"add the application permission {_SEND} to the app registration, and grant admin consent",
        )
    if _WRITE not in allowed:
        return about.warning(
            f"{credential.name} has {_SEND} without {_WRITE}: mail above 1.5 MB waits, and some may go twice",
            f"add the application permission {_WRITE}, and grant admin consent",
        )
    return about.ok(f"{credential.name} has {_SEND} and {_WRITE}")


async def _mailbox_step(about: About, mailbox: GraphMailbox, options: Options, *, may_look: bool) -> Step:
    """https://learn.microsoft.com/graph/api/mailfolder-get"""
    try:
        async with asyncio.timeout(options.timeout):
            await mailbox.call(Request("GET", "/mailFolders/inbox?$select=id", HTTPStatus.OK))
    except TimeoutError:
        return about.failed("Microsoft Graph takes too long to answer", "is a firewall or a proxy in the way?")
    except GraphFailed as failure:
        if failure.status == HTTPStatus.FORBIDDEN and not may_look:
            return about.skipped(f"whether {mailbox.user} has a mailbox: without {_WRITE} nobody may look")
        return replace(about.refused(f"the mailbox {mailbox.user}", failure.reply), status=Status.FAILED)
    return about.ok(f"Microsoft Graph is reached, and {mailbox.user} has a mailbox")
