"""Errors as problem details (RFC 9457): a status, one line for whoever asked, and the fields that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from posthouse import observe
from posthouse.admin import (
    AdminError,
    AlreadyThere,
    Forbidden,
    LockedOut,
    NotFound,
    Outdated,
    SignInRefused,
    cmdlet_spelling,
)
from posthouse.mail.text import one_line
from posthouse.settings import SettingsError
from posthouse.spool import SpoolError

MEDIA_TYPE = "application/problem+json"

log = observe.logger

_STATUS: Mapping[type[AdminError], HTTPStatus] = {
    NotFound: HTTPStatus.NOT_FOUND,
    AlreadyThere: HTTPStatus.CONFLICT,
    Outdated: HTTPStatus.PRECONDITION_FAILED,
    Forbidden: HTTPStatus.FORBIDDEN,
    LockedOut: HTTPStatus.TOO_MANY_REQUESTS,
    SignInRefused: HTTPStatus.UNAUTHORIZED,
    AdminError: HTTPStatus.UNPROCESSABLE_ENTITY,
}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_MOST_TOLD, _LONGEST_FIELD = 20, 100
_OF_ITEM = re.compile(r'[a-z_]+ (?:"[^"]*"|[0-9]+): ([a-z_]+): (.*)')
_OF_ORGANIZATION = re.compile(r"([a-z_]+): (.*)")


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="The field, as the request spells it; parts are joined by dots.")
    detail: str = Field(description="What is wrong with it, and what is allowed.")


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="`about:blank`: the status says it all.", examples=["about:blank"])
    title: str = Field(description="The status in words.", examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="One line: what is wrong, and what to do.")
    errors: list[FieldError] = Field(default=[], description="The fields that it is about, where it is about some.")


class Refusal(Exception):
    """A request that can't be answered as it is."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def problem(
    status: int,
    detail: str,
    errors: Iterable[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    fields = [FieldError(field=field, detail=text) for field, text in errors]
    body = Problem(
        type="about:blank", title=HTTPStatus(status).phrase, status=status, detail=one_line(detail), errors=fields
    )
    return JSONResponse(body.model_dump(), status, headers, MEDIA_TYPE)


def problem_of(error: Exception, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """What a refusal by us, by `admin` or by the store is answered with."""
    told = dict(headers or {})
    if isinstance(error, Refusal):
        return problem(error.status, error.detail, headers={**error.headers, **told})
    if not isinstance(error, AdminError):
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers={"Retry-After": "5", **told})
    status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
    if isinstance(error, LockedOut):
        told["Retry-After"] = str(int(error.seconds) + 1)
    if status is HTTPStatus.UNAUTHORIZED:
        told["WWW-Authenticate"] = "Bearer"
    fields = [found for line in error.lines if (found := _field_of(line))]
    return problem(status, "; ".join(error.lines), fields, told)


def _field_of(line: str) -> tuple[str, str] | None:
    """The field that a line is about, where the organization's checks name one."""
    found = _OF_ITEM.fullmatch(line) or _OF_ORGANIZATION.fullmatch(line)
    return (cmdlet_spelling(found[1]), found[2]) if found else None


def add_handlers(app: FastAPI) -> None:
    """Have every error of the app answered so."""
    for kind in (Refusal, AdminError, SpoolError, SettingsError):
        app.add_exception_handler(kind, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _bug)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    return problem_of(error)


async def _invalid(_: Request, error: Any) -> JSONResponse:
    """What pydantic found, the first of it; never with the input, which may hold a secret."""
    found = islice(error.errors(), _MOST_TOLD)
    errors = [(".".join(map(str, one["loc"][1:])) or str(one["loc"][0]), one["msg"]) for one in found]
    errors = [(field[:_LONGEST_FIELD], text) for field, text in errors]
    detail = "; ".join(f"{field}: {text}" for field, text in errors)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors)


async def _http_error(request: Request, error: Any) -> JSONResponse:
    headers = error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(_allowed(request))}
    return problem(error.status_code, str(error.detail), headers=headers)


def _allowed(request: Request) -> Iterator[str]:
    """All methods of the path (RFC 9110 15.5.6): each has a route of its own, and Starlette tells those of one."""
    for method in _METHODS:
        scope = {"type": "http", "method": "GET" if method == "HEAD" else method, "path": request.url.path}
        if any(route.matches({**scope, "headers": []})[0] is Match.FULL for route in request.app.routes):
            yield method


async def _bug(request: Request, error: Exception) -> JSONResponse:
    log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is a mistake in Posthouse; its log says more")
