"""Who asks: an API token in the Authorization header, or the session that a cookie names."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from posthouse.admin import Actor, Administration, Authentication, Face
from posthouse.settings import Settings
from posthouse.spool import Store
from posthouse.web.problems import Refusal

SESSION_COOKIE = "posthouse_session"
CSRF_HEADER = "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_bearer = HTTPBearer(auto_error=False, description="An API token: `posthouse token new NAME --role ROLE`.")
_cookie = APIKeyCookie(
    name=SESSION_COOKIE,
    auto_error=False,
    description=f"From `POST /api/v1/session`. What changes something needs the header `{CSRF_HEADER}` too.",
)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the whole process works on. `config` is the settings' file, where one was named.

    `tools` bounds the test mails and walks of doctor at once: each has connections of its own.
    """

    settings: Settings
    config: Path | None
    store: Store
    authentication: Authentication
    tools: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4))


def desk_of(request: Request) -> Desk:
    return request.app.state.desk


def origin_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def csrf_token(session: str) -> str:
    """A site that has the browser send the cookie can't read it, and so can't know this."""
    return hashlib.sha256(f"csrf {session}".encode()).hexdigest()


def _known(request: Request, bearer: HTTPAuthorizationCredentials | None, session: str | None) -> Actor:
    """Whoever the token or else the session belongs to."""
    authentication, origin = desk_of(request).authentication, origin_of(request)
    if bearer is not None:
        return authentication.by_token(bearer.credentials, face=Face.REST, origin=origin)
    actor = authentication.by_session(session, face=Face.REST, origin=origin) if session else None
    if actor is None:
        raise Refusal(
            HTTPStatus.UNAUTHORIZED,
            "sign in first: send an API token as Authorization: Bearer, or POST /api/v1/session",
            {"WWW-Authenticate": "Bearer"},
        )
    return actor


def actor_of(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    session: Annotated[str | None, Depends(_cookie)],
) -> Actor:
    """For the API: by his session he changes nothing without its CSRF token."""
    actor = _known(request, bearer, session)
    if bearer is None and request.method not in _SAFE:
        given, expected = request.headers.get(CSRF_HEADER, ""), csrf_token(session or "")
        if not hmac.compare_digest(given.encode(), expected.encode()):
            text = f"the header {CSRF_HEADER} is missing or wrong; GET /api/v1/session tells its value"
            raise Refusal(HTTPStatus.FORBIDDEN, text)
    return actor


async def check_known(request: Request) -> None:
    """Raises where it isn't told who asks; before its content is read, where a page's CSRF token may be."""
    await run_in_threadpool(_known, request, await _bearer(request), await _cookie(request))


def administration_of(request: Request, actor: Annotated[Actor, Depends(actor_of)]) -> Administration:
    """His acts. There is no environment: a request may not name the variables of this process."""
    return Administration(desk_of(request).store, {}, actor=actor)


TheDesk = Annotated[Desk, Depends(desk_of)]
Asking = Annotated[Actor, Depends(actor_of)]
Acting = Annotated[Administration, Depends(administration_of)]
