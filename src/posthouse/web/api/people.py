"""Administrators, API tokens, and the audit log of what they did."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from posthouse.admin import Administration, NotFound, Role, totp
from posthouse.admin.shown import shown_administrator, shown_record, shown_token
from posthouse.settings import parse_duration
from posthouse.spool import Administrator, AuditFilter, AuditOutcome
from posthouse.web.access import Acting
from posthouse.web.conditions import Condition, IfMatch, answer, tag_of
from posthouse.web.paging import Limit, Listed, Pattern
from posthouse.web.problems import Refusal
from posthouse.web.shapes import Given, Password

router = APIRouter()

RoleName = Literal["Organization Management", "View-Only Organization Management", "Recipient and Mail Flow Operator"]
Name = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]*$")]


class NewAdministrator(Given):
    name: Name
    password: Password
    roles: list[RoleName] = Field(["Organization Management"], min_length=1)
    totp: bool = Field(False, description="Ask for codes of an authenticator app too; its secret is in the answer.")


class ChangeAdministrator(Given):
    """What is not given stays."""

    password: Password | None = None
    roles: list[RoleName] | None = Field(None, min_length=1, description="All that he then has.")
    enabled: bool | None = None
    totp: bool | None = Field(None, description="Ask for codes of an authenticator app, of a new secret; or not.")
    end_sessions: bool = False


class ShownAdministrator(BaseModel):
    name: str
    roles: list[str]
    enabled: bool
    totp: bool
    created: str
    last_sign_in: str | None


class Administrators(BaseModel):
    value: list[ShownAdministrator]
    next: str | None


class ChangedAdministrator(BaseModel):
    value: ShownAdministrator
    enrolment: str | None = Field(description="For the authenticator app (otpauth:); it is not shown again.")


def _duration(text: str) -> str:
    parse_duration(text)
    return text


class NewToken(Given):
    name: Name
    role: RoleName
    expires: Annotated[str, Field(max_length=16, pattern=r"^[0-9]{1,6}[smhd]$"), AfterValidator(_duration)] = Field(
        "90d", description="How long it is good for."
    )


class MadeToken(BaseModel):
    name: str
    token: str = Field(description="It is not shown again.")


class ShownToken(BaseModel):
    name: str
    role: str
    created: str
    created_by: str
    expires: str
    last_used: str | None


class Tokens(BaseModel):
    value: list[ShownToken]
    next: str | None


class RecordedChange(BaseModel):
    key: str
    before: Any
    after: Any


class Record(BaseModel):
    at: str
    who: str
    face: str
    origin: str
    act: str
    object: str
    outcome: str
    reason: str
    changes: list[RecordedChange]


class Records(BaseModel):
    value: list[Record]
    next: str | None


@router.get(
    "/administrators", tags=["Administrators"], summary="List the administrators", response_model=Administrators
)
def list_administrators(request: Request, admin: Acting, listed: Listed) -> Response:
    rows = [shown_administrator(who) for who in admin.administrators.list()]
    return answer(request, listed.page(rows, "name"))


@router.post(
    "/administrators",
    tags=["Administrators"],
    summary="Make an administrator",
    status_code=201,
    response_model=ChangedAdministrator,
)
def new_administrator(admin: Acting, body: NewAdministrator) -> Response:
    secret = totp.new_secret() if body.totp else None
    admin.administrators.new(body.name, body.password, _roles(body.roles), totp=secret)
    return _after(admin, body.name, secret, HTTPStatus.CREATED)


@router.get(
    "/administrators/{name}",
    tags=["Administrators"],
    summary="Show an administrator",
    response_model=ShownAdministrator,
)
def show_administrator(request: Request, admin: Acting, name: str) -> Response:
    who = _found(admin, name)
    return answer(request, shown_administrator(who), tagged=_seen(who))


@router.patch(
    "/administrators/{name}",
    tags=["Administrators"],
    summary="Change an administrator",
    response_model=ChangedAdministrator,
)
def change_administrator(admin: Acting, name: str, condition: IfMatch, body: ChangeAdministrator) -> Response:
    if body.password is not None and name.strip().lower() == admin.ledger.actor.name:
        text = "your own password is changed by POST /api/v1/session/password, which asks for the one of now"
        raise Refusal(HTTPStatus.FORBIDDEN, text)
    secret = None if body.totp is None else totp.new_secret() if body.totp else b""
    admin.administrators.set(
        name,
        password=body.password,
        roles=None if body.roles is None else _roles(body.roles),
        enabled=body.enabled,
        totp=secret,
        approve=_approving(condition),
    )
    if body.end_sessions:
        admin.administrators.end_sessions(name)
    return _after(admin, name, secret, HTTPStatus.OK)


@router.delete("/administrators/{name}", tags=["Administrators"], summary="Remove an administrator", status_code=204)
def remove_administrator(admin: Acting, name: str, condition: IfMatch) -> None:
    """His sessions end."""
    admin.administrators.remove(name, approve=_approving(condition))


@router.get("/tokens", tags=["Tokens"], summary="List the API tokens", response_model=Tokens)
def list_tokens(request: Request, admin: Acting, listed: Listed) -> Response:
    return answer(request, listed.page([shown_token(token) for token in admin.tokens.list()], "name"))


@router.post("/tokens", tags=["Tokens"], summary="Make an API token", status_code=201, response_model=MadeToken)
def new_token(admin: Acting, body: NewToken) -> Response:
    token = admin.tokens.new(body.name, Role.named(body.role), parse_duration(body.expires))
    place = f"/api/v1/tokens/{quote(body.name)}"
    return JSONResponse({"name": body.name.lower(), "token": token}, HTTPStatus.CREATED, {"Location": place})


@router.get("/tokens/{name}", tags=["Tokens"], summary="Show an API token", response_model=ShownToken)
def show_token(request: Request, admin: Acting, name: str) -> Response:
    for token in admin.tokens.list():
        if token.name == name.lower():
            return answer(request, shown_token(token), tagged=token.created_at)
    raise NotFound(f'there is no token "{name}"; GET /api/v1/tokens lists them')


@router.delete("/tokens/{name}", tags=["Tokens"], summary="Revoke an API token", status_code=204)
def remove_token(admin: Acting, name: str) -> None:
    """From the next request on it is nothing. A token never changes, so this needs no If-Match."""
    admin.tokens.remove(name)


@router.get("/audit", tags=["Audit"], summary="Search what administrators did or were refused", response_model=Records)
def search_audit(
    request: Request,
    admin: Acting,
    since: Annotated[AwareDatetime | None, Query(description="ISO 8601 with its zone.")] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
    who: Pattern = "",
    act: Annotated[Pattern, Query(description="Like Set-InboundConnector, or *-InboundConnector.")] = "",
    target: Annotated[Pattern, Query(alias="object", description="What it was done to.")] = "",
    outcome: Annotated[AuditOutcome | None, Query()] = None,
    limit: Limit = 100,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,12}\.[0-9]{1,20}\.[0-9]{1,18}$")] = None,
) -> Response:
    """Newest first. A page may be short of its limit: the search goes on from `next` until that is null."""
    wanted = AuditFilter(
        since.timestamp() if since else None, until.timestamp() if until else None, who, act, target, outcome
    )
    page = admin.audit.page(wanted, limit, cursor)
    return answer(request, {"value": [shown_record(record) for record in page.records], "next": page.cursor})


def _after(admin: Administration, name: str, secret: bytes | None, status: HTTPStatus) -> Response:
    who = _found(admin, name)
    enrolment = totp.enrolment_uri(secret, who.name) if secret else None
    headers = {"ETag": tag_of(_seen(who))}
    if status is HTTPStatus.CREATED:
        headers["Location"] = f"/api/v1/administrators/{quote(who.name)}"
    return JSONResponse({"value": shown_administrator(who), "enrolment": enrolment}, status, headers)


def _found(admin: Administration, name: str) -> Administrator:
    for who in admin.administrators.list():
        if who.name == name.lower():
            return who
    raise NotFound(f'there is no administrator "{name}"; GET /api/v1/administrators lists them')


def _seen(who: Administrator) -> object:
    """What an administrator is changed from: signing in is no change."""
    return {**shown_administrator(who), "last_sign_in": None}


def _approving(condition: Condition) -> Any:
    return lambda who: condition.check(_seen(who))


def _roles(names: list[RoleName]) -> list[Role]:
    return [Role.named(name) for name in names]
