"""Mail flow > Explain: what a reply means, and what to do."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from posthouse.analysis import explain
from posthouse.web.pages.forms import query_form
from posthouse.web.pages.rendering import render
from posthouse.web.pages.visitor import Visiting

router = APIRouter()

EXAMPLES: Final = (
    "550 5.7.64 TenantAttribution; Relay Access Denied",
    "550 5.7.30 Basic authentication is not supported for Client Submission",
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant",
    "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS 1.2",
    "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources",
    "432 4.3.2 Concurrent connections limit exceeded",
    "550 5.4.1 Recipient address rejected: Access denied",
)


@router.get("/explain")
def ask(request: Request, _: Visiting) -> Response:
    """A reply in the address can be linked to."""
    return _answer(request, query_form(request).text("q"))


@router.post("/explain")
def answer(request: Request, visitor: Visiting) -> Response:
    """What was pasted may tell of people, so it doesn't stand in an address."""
    return _answer(request, visitor.form.secret("q"))


def _answer(request: Request, asked: str) -> Response:
    found = explain(asked) if asked.strip() else ()
    return render(request, "tools/explain.html", asked=asked, found=found, examples=EXAMPLES)
