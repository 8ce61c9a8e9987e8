"""The list of connectors, and one connector to look at."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from posthouse.admin import Administration, Items, Permission
from posthouse.admin.certificates import stored_identities
from posthouse.organization import InboundConnector, OutboundConnector, TransportKind
from posthouse.organization.connectors import ANY
from posthouse.spool import TraceFilter
from posthouse.web.access import TheDesk
from posthouse.web.pages import shown
from posthouse.web.pages.connectors.inbound import InboundDraft
from posthouse.web.pages.connectors.outbound import outbound_facts
from posthouse.web.pages.connectors.outbound_draft import OutboundDraft
from posthouse.web.pages.connectors.wizard import KINDS, Direction, stored_connector
from posthouse.web.pages.forms import NOWHERE, query_form
from posthouse.web.pages.rendering import redirect, render, texts_of
from posthouse.web.pages.texts import Texts
from posthouse.web.pages.visitor import Acting, Visiting, Visitor

router = APIRouter()

_DAY = 24 * 3600
_LOOKED_AT = 1000
"""Entries of the trace that the list counts at most: it is a hint, and the trace itself is a page away."""


@dataclass(frozen=True, slots=True)
class Row:
    """`messages` and `last_used` are of the last 24 hours; `path` leads to it."""

    direction: str
    name: str
    comment: str
    enabled: bool
    origin: str
    to: str
    how: str
    path: str
    messages: int
    last_used: float | None


@dataclass(frozen=True, slots=True)
class _Use:
    """Messages by connector, `exact` unless there are more than were looked at."""

    messages: Counter[str]
    last: dict[str, float]
    exact: bool


@router.get("/connectors")
def list_connectors(request: Request, admin: Acting, visitor: Visiting) -> Response:
    query = query_form(request).text("q")
    use = _use(admin, visitor)
    rows = list(_rows(request, admin, use))
    found = [row for row in rows if query.casefold() in f"{row.name}\n{row.comment}\n{row.how}\n{row.to}".casefold()]
    return render(request, "connectors/list.html", rows=found, any_at_all=bool(rows), query=query, exact=use.exact)


@router.post("/connectors/{direction}/{name:path}/enabled")
def switch(request: Request, admin: Acting, visitor: Visiting, direction: Direction, name: str) -> Response:
    text = texts_of(request)
    enabled = visitor.form.flag("enabled")
    Items(admin, KINDS[direction], NOWHERE).set(name, {"enabled": enabled})
    notice = text("{name} is on.", name=name) if enabled else text("{name} is off.", name=name)
    return redirect(shown.local_path(visitor.form.text("back", "/connectors")), notice)


@router.post("/connectors/{direction}/{name:path}/remove")
def remove(request: Request, admin: Acting, _: Visiting, direction: Direction, name: str) -> Response:
    Items(admin, KINDS[direction], NOWHERE).remove(name)
    return redirect("/connectors", texts_of(request)("{name} is removed.", name=name))


@router.get("/connectors/inbound/{name:path}")
def show_inbound(request: Request, admin: Acting, _: Visiting, name: str) -> Response:
    draft = InboundDraft.of_document(stored_connector(admin, "inbound", name))
    path = f"/connectors/inbound/{shown.segment(draft.name)}"
    return render(request, "connectors/connector.html", draft=draft, path_of=path, powershell=draft.script)


@router.get("/connectors/outbound/{name:path}")
def show_outbound(request: Request, admin: Acting, _: Visiting, desk: TheDesk, name: str) -> Response:
    draft = OutboundDraft.of_document(stored_connector(admin, "outbound", name))
    return render(
        request,
        "connectors/outbound/connector.html",
        draft=draft,
        path_of=f"/connectors/outbound/{shown.segment(draft.name)}",
        powershell=draft.script,
        **outbound_facts(
            draft,
            admin.organization(),
            stored_identities(desk.store, admin.organization()),
            texts_of(request),
            desk.settings,
        ),
    )


def _rows(request: Request, admin: Administration, use: _Use) -> Iterator[Row]:
    text, organization = texts_of(request), admin.organization()
    for connector in organization.inbound:
        origin = text("Your organization") if connector.is_on_premises else text("Partner")
        path = f"/connectors/inbound/{shown.segment(connector.name)}"
        yield _row("inbound", connector, origin, text("This relay"), _inbound_proof(connector, text), path, use)
    for connector in organization.outbound:
        path = f"/connectors/outbound/{shown.segment(connector.name)}"
        to = ", ".join(connector.recipient_domains) if connector.recipient_domains != (ANY,) else text("Everybody")
        if connector.all_accepted_domains:
            to = text("Your domains")
        how = _way_out(connector, text)
        yield _row("outbound", connector, text("This relay"), to, how, path, use)


def _row(
    direction: str,
    connector: InboundConnector | OutboundConnector,
    origin: str,
    to: str,
    how: str,
    path: str,
    use: _Use,
) -> Row:
    name = connector.name
    return Row(
        direction,
        name,
        connector.comment,
        connector.enabled,
        origin,
        to,
        how,
        path,
        use.messages[name],
        use.last.get(name),
    )


def _inbound_proof(connector: InboundConnector, text: Texts) -> str:
    proofs: list[str] = []
    if connector.tls_sender_certificate_name:
        proofs.append(text("Certificate {name}", name=connector.tls_sender_certificate_name))
    if addresses := connector.sender_ip_addresses:
        proofs.append(text.count("{count} address or network", "{count} addresses or networks", len(addresses)))
    if logins := connector.sender_credentials:
        proofs.append(text.count("{count} login", "{count} logins", len(logins)))
    return ", ".join(proofs) or text("Nothing: it matches nobody")


def _way_out(connector: OutboundConnector, text: Texts) -> str:
    match connector.transport:
        case TransportKind.MAILBOX:
            return text("Into mailboxes here")
        case TransportKind.GRAPH:
            return "Microsoft Graph"
        case _ if connector.use_mx_record:
            return text("By MX record")
        case _:
            return ", ".join(connector.smart_hosts)


def _use(admin: Administration, visitor: Visitor) -> _Use:
    """Of the last 24 hours, as far as he may see mail."""
    if not visitor.may(Permission.VIEW_MAIL):
        return _Use(Counter(), {}, exact=True)
    page = admin.mail.trace_page(TraceFilter(since=time.time() - _DAY), _LOOKED_AT)
    seen: set[tuple[str, str]] = set()
    last: dict[str, float] = {}
    for entry in page.entries:
        for connector in filter(None, (entry.connector, entry.outbound_connector)):
            seen.add((connector, entry.message_id))
            last[connector] = max(last.get(connector, 0.0), entry.received_at)
    return _Use(Counter(connector for connector, _ in seen), last, exact=page.cursor is None)
