"""Who looks at a page: the administrator of the session's cookie. Whoever has none is sent to sign in."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from posthouse.admin import Actor, Administration, Authentication, Face, Permission
from posthouse.web.access import SESSION_COOKIE, csrf_token, desk_of, origin_of
from posthouse.web.pages.forms import Form, body_form
from posthouse.web.problems import Refusal

CSRF_FIELD = "csrf"
_SAFE = frozenset({"GET", "HEAD"})


class SignInFirst(Exception):
    """The page is for administrators, and nobody is signed in."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """`csrf` is what every form that changes something must send. `form` is what came in the request's body."""

    actor: Actor
    csrf: str
    form: Form

    def may(self, permission: Permission) -> bool:
        return self.actor.may(permission)


async def visitor_of(request: Request) -> Visitor:
    session = request.cookies.get(SESSION_COOKIE, "")
    actor = await run_in_threadpool(_signed_in, desk_of(request).authentication, session, origin_of(request))
    if actor is None:
        raise SignInFirst
    visitor = Visitor(actor, csrf_token(session), Form([]))
    request.state.visitor = visitor
    if request.method not in _SAFE:
        form = await same_origin_form(request)
        if not hmac.compare_digest(form.text(CSRF_FIELD).encode(), visitor.csrf.encode()):
            raise Refusal(
                HTTPStatus.FORBIDDEN, "the form is of another session; go back, reload the page and try again"
            )
        visitor = Visitor(actor, visitor.csrf, form)
    return visitor


async def same_origin_form(request: Request) -> Form:
    """A form that a page of ours sent: browsers say which site a POST comes from, and no page can change that.

    https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_ours = site in ("same-origin", "none") if site else origin is None or _host(origin) == request.headers["host"]
    if not is_ours:
        raise Refusal(HTTPStatus.FORBIDDEN, "the form is on a page of another site; open it on this one")
    return await body_form(request)


def _administration_of(request: Request, visitor: Annotated[Visitor, Depends(visitor_of)]) -> Administration:
    """His acts. A request may not name the variables of this process, so there are none."""
    return Administration(desk_of(request).store, {}, actor=visitor.actor)


def _signed_in(authentication: Authentication, session: str, origin: str) -> Actor | None:
    return authentication.by_session(session, face=Face.WEB, origin=origin) if session else None


def _host(origin: str) -> str:
    return urlsplit(origin).netloc


Visiting = Annotated[Visitor, Depends(visitor_of)]
Acting = Annotated[Administration, Depends(_administration_of)]
