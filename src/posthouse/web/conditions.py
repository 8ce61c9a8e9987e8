"""ETag and If-Match (RFC 9110 8.8.3, 13.1.1; RFC 6585 3): nobody overwrites what he has not seen."""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse, Response

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


def _condition(
    if_match: Annotated[
        str | None,
        Header(description="The ETag of what you have seen, or `*`. Without it the answer is 428, if it is old 412."),
    ] = None,
) -> Condition:
    if not if_match:
        raise Refusal(
            HTTPStatus.PRECONDITION_REQUIRED, "say what you have seen: send the ETag that a GET gave you in If-Match"
        )
    return Condition(if_match)


IfMatch = Annotated[Condition, Depends(_condition)]


def answer(request: Request, body: Any, *, tagged: object = None) -> Response:
    """The body with the ETag of it, or of what it is made from; 304 where the client has that already."""
    tag = tag_of(body if tagged is None else tagged)
    known = [known.strip().removeprefix("W/") for known in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    return JSONResponse(body, headers={"ETag": tag})
