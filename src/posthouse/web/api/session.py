"""Signing in with a password, for a browser; and making the first administrator."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from posthouse.admin import Actor, Face
from posthouse.admin.authentication import SESSION_SECONDS
from posthouse.web.access import CSRF_HEADER, SESSION_COOKIE, Asking, TheDesk, actor_of, csrf_token, origin_of
from posthouse.web.conditions import answer
from posthouse.web.problems import Refusal
from posthouse.web.shapes import Given, Password, Secret

router = APIRouter(tags=["Session"])


Code = Annotated[str, Field(max_length=32, description="Of the authenticator app, where one is used.")]


class SignIn(Given):
    name: Annotated[str, Field(min_length=1, max_length=320)]
    password: Secret
    code: Code = ""


class SetUp(Given):
    secret: Secret = Field(description="From the link that `posthouse serve` prints when it starts first.")
    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Password


class NewPassword(Given):
    password: Secret = Field(description="The one of now.")
    new: Password
    code: Code = ""


class Session(BaseModel):
    """Who asks, and what he may do."""

    name: str
    roles: list[str]
    csrf: str | None = Field(description=f"What {CSRF_HEADER} must be; null with an API token, which needs none.")


@router.post("/session", summary="Sign in", response_model=Session)
def sign_in(request: Request, desk: TheDesk, body: SignIn) -> Response:
    """Sets the session's cookie. Too many failures cost waiting: 429 with Retry-After."""
    origin = origin_of(request)
    session = desk.authentication.sign_in(body.name, body.password, body.code, face=Face.REST, origin=origin)
    actor = desk.authentication.by_session(session, face=Face.REST, origin=origin)
    response = JSONResponse(_told(actor, session))
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


@router.get("/session", summary="Show who asks", response_model=Session)
def show_session(request: Request, actor: Asking) -> Response:
    by_token = "authorization" in request.headers
    return answer(request, _told(actor, None if by_token else request.cookies.get(SESSION_COOKIE)))


@router.delete("/session", summary="Sign out", status_code=204, dependencies=[Depends(actor_of)])
def sign_out(request: Request, desk: TheDesk) -> Response:
    """Ends the session of the cookie; an API token has none."""
    if session := request.cookies.get(SESSION_COOKIE):
        desk.authentication.sign_out(session, face=Face.REST, origin=origin_of(request))
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
    return response


@router.post("/session/password", summary="Change one's own password", status_code=204)
def change_password(request: Request, actor: Asking, desk: TheDesk, body: NewPassword) -> None:
    """Whatever one's roles. All one's sessions end, this one too: sign in again with the new one."""
    if not actor.is_administrator:
        raise Refusal(HTTPStatus.FORBIDDEN, "only administrators have a password here; sign in as one")
    authentication, origin = desk.authentication, origin_of(request)
    session = authentication.change_password(
        actor.name, body.password, body.new, body.code, face=Face.REST, origin=origin
    )
    authentication.sign_out(session, face=Face.REST, origin=origin)


@router.post("/setup", summary="Make the first administrator", status_code=204)
def set_up(request: Request, desk: TheDesk, body: SetUp) -> None:
    """With the secret of the set-up link: once, and while there is none."""
    desk.authentication.set_up(body.secret, body.name, body.password, face=Face.REST, origin=origin_of(request))


def _told(actor: Actor | None, session: str | None) -> dict[str, object]:
    return {
        "name": actor.name if actor else "",
        "roles": [role.value for role in actor.roles] if actor else [],
        "csrf": csrf_token(session) if session else None,
    }
