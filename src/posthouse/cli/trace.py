"""`posthouse trace`: what happened to messages."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from posthouse.cli.options import Config, Json, administration, moment
from posthouse.cli.output import show_rows

_COLUMNS = {
    "received": "Received",
    "id": "Message",
    "sender": "From",
    "recipient": "To",
    "status": "Status",
    "connector": "In by",
    "outbound_connector": "Out by",
    "reply": "Last reply",
}


def trace(
    sender: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="With * as wildcard at either end.")] = "",
    recipient: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="With * as wildcard at either end.")] = "",
    since: Annotated[str, typer.Option(metavar="WHEN", help="2026-11-24, 2026-11-24T15:30, or an age: 2h.")] = "",
    until: Annotated[str, typer.Option(metavar="WHEN", help="The same.")] = "",
    status: Annotated[str, typer.Option(metavar="STATUS", help="waiting, held, delivered, failed or dropped.")] = "",
    message_id: Annotated[str, typer.Option("--id", metavar="ID", help="Ours, or the Message-ID header's.")] = "",
    subject: Annotated[str, typer.Option(metavar="TEXT", help="A part of it.")] = "",
    connector: Annotated[str, typer.Option(metavar="NAME", help="Inbound or outbound.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 100,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Search what happened to messages, newest first."""
    from posthouse.admin.shown import shown_entry
    from posthouse.spool import TraceFilter

    wanted = TraceFilter(
        sender=sender,
        recipient=recipient,
        since=moment(since),
        until=moment(until),
        state=state_named(status),
        message_id=message_id,
        subject=subject,
        connector=connector,
    )
    with administration(config) as admin:
        rows = [shown_entry(entry) for entry in islice(admin.mail.trace(wanted), limit)]
    show_rows(rows, _COLUMNS, as_json=as_json)


def state_named(word: str) -> Any:
    """The state of that name; None for no name."""
    from posthouse.spool import State

    if not word:
        return None
    try:
        return State(word)
    except ValueError:
        raise typer.BadParameter(f'"{word}" is no status; write one of {", ".join(State)}') from None
