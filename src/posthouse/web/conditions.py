"""ETag and If-Match (RFC 9110 8.8.3, 13.1.1; RFC 6585 3): nobody overwrites what he has not seen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from posthouse.admin import Outdated
from posthouse.web.problems import Refusal


def tag_of(value: object) -> str:
    """The same for the same value, whatever process computes it."""
    canonical = json.dumps(value, sort_keys=True, default=str)
    return f'"{hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'


class Condition:
    """What a client has seen last: one of these tags, or `*` for whatever is there."""

    def __init__(self, header: str) -> None:
        self._tags = [tag.strip() for tag in header.split(",")]

    def check(self, value: object) -> None:
        """Raises `Outdated` where `value` is another than that which was seen."""
        if self._tags != ["*"] and tag_of(value) not in self._tags:
            raise Outdated("somebody has changed it since; get it again, and try with its new ETag in If-Match")


_Header = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The ETag of what you have seen, or `*`. Without it the answer is 428, if it is old 412.",
    ),
]


def _condition(if_match: _Header = None) -> Condition:
    if not if_match:
        raise Refusal(
            HTTPStatus.PRECONDITION_REQUIRED, "say what you have seen: send the ETag that a GET gave you in If-Match"
        )
    return Condition(if_match)


@dataclass(frozen=True, slots=True)
class Plan:
    """A change that may be only looked at; then nothing needs to have been seen."""

    dry_run: bool
    condition: Condition


def _plan(
    dry_run: Annotated[bool, Query(description="Only tell what would change; needs no If-Match.")] = False,
    if_match: _Header = None,
) -> Plan:
    return Plan(dry_run, _condition(if_match or "*" if dry_run else if_match))


Planned = Annotated[Plan, Depends(_plan)]
IfMatch = Annotated[Condition, Depends(_condition)]


def answer(request: Request, body: Any, *, tagged: object = None) -> Response:
    """The body, JSON unless it is a text, with the ETag of it or of what it is made from; 304 where that is known."""
    tag = tag_of(body if tagged is None else tagged)
    known = [known.strip().removeprefix("W/") for known in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    response = PlainTextResponse(body) if isinstance(body, str) else JSONResponse(body)
    response.headers["ETag"] = tag
    return response
