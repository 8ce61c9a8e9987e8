"""The list of connectors, and one connector to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from posthouse.admin import Administration, Items, Permission
from posthouse.admin.certificates import stored_identities
from posthouse.organization import InboundConnector, OutboundConnector, TransportKind
from posthouse.organization.connectors import ANY
from posthouse.spool import Use, Used
from posthouse.web.access import TheDesk
from posthouse.web.pages import shown
from posthouse.web.pages.connectors.inbound import InboundDraft
from posthouse.web.pages.connectors.outbound import outbound_facts
from posthouse.web.pages.connectors.outbound_draft import OutboundDraft
from posthouse.web.pages.connectors.wizard import KINDS, Direction, stored_connector
from posthouse.web.pages.forms import NOWHERE, query_form
from posthouse.web.pages.rendering import redirect, render, texts_of
from posthouse.web.pages.texts import Texts
from posthouse.web.pages.visitor import Acting, Visiting

router = APIRouter()

_UNKNOWN = Used({}, {}, complete=True)
"""To who may not see mail."""


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


@router.get("/connectors")
def list_connectors(request: Request, admin: Acting, visitor: Visiting) -> Response:
    query = query_form(request).text("q")
    used = admin.traffic.used() if visitor.may(Permission.VIEW_MAIL) else _UNKNOWN
    rows = list(_rows(request, admin, used))
    found = [row for row in rows if query.casefold() in f"{row.name}\n{row.comment}\n{row.how}\n{row.to}".casefold()]
    return render(request, "connectors/list.html", rows=found, any_at_all=bool(rows), query=query, exact=used.complete)


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


def _rows(request: Request, admin: Administration, used: Used) -> Iterator[Row]:
    text, organization = texts_of(request), admin.organization()
    for connector in organization.inbound:
        origin = text("Your organization") if connector.is_on_premises else text("Partner")
        how = _inbound_proof(connector, text)
        yield _row("inbound", connector, origin, text("This relay"), how, used.inbound.get(connector.name))
    for connector in organization.outbound:
        to = ", ".join(connector.recipient_domains) if connector.recipient_domains != (ANY,) else text("Everybody")
        if connector.all_accepted_domains:
            to = text("Your domains")
        how = _way_out(connector, text)
        yield _row("outbound", connector, text("This relay"), to, how, used.outbound.get(connector.name))


def _row(
    direction: Direction,
    connector: InboundConnector | OutboundConnector,
    origin: str,
    to: str,
    how: str,
    use: Use | None,
) -> Row:
    return Row(
        direction,
        connector.name,
        connector.comment,
        connector.enabled,
        origin,
        to,
        how,
        f"/connectors/{direction}/{shown.segment(connector.name)}",
        use.messages if use else 0,
        use.last if use else None,
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
