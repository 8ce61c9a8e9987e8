"""`posthouse audit`: who did what."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from posthouse.cli.options import Config, Json, administration, moment
from posthouse.cli.output import show_json, show_table

if TYPE_CHECKING:
    from posthouse.spool import AuditOutcome, AuditRecord


def audit(
    since: Annotated[str, typer.Option(metavar="WHEN", help="2026-11-24, 2026-11-24T15:30, or an age: 2h.")] = "",
    until: Annotated[str, typer.Option(metavar="WHEN", help="The same.")] = "",
    who: Annotated[str, typer.Option(metavar="NAME", help="With * as wildcard at either end.")] = "",
    act: Annotated[str, typer.Option(metavar="CMDLET", help="Like Set-InboundConnector, or *-InboundConnector.")] = "",
    target: Annotated[str, typer.Option("--object", metavar="NAME", help="What it was done to.")] = "",
    outcome: Annotated[str, typer.Option(metavar="OUTCOME", help="ok, refused or failed.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="The newest so many.")] = 100,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Search what administrators did or were refused, newest first."""
    from posthouse.admin.shown import shown_record
    from posthouse.spool import AuditFilter

    wanted = AuditFilter(moment(since), moment(until), who, act, target, _outcome(outcome))
    with administration(config) as admin:
        records = list(islice(admin.audit.find(wanted), limit))
    if as_json:
        show_json([shown_record(record) for record in records])
    else:
        headings = ("When", "Who", "Face", "From", "Act", "Object", "Outcome", "What")
        show_table(headings, map(_cells, records))


def _outcome(word: str) -> AuditOutcome | None:
    from posthouse.spool import AuditOutcome

    if not word:
        return None
    try:
        return AuditOutcome(word)
    except ValueError:
        raise typer.BadParameter(f'"{word}" is no outcome; write one of {", ".join(AuditOutcome)}') from None


def _cells(record: AuditRecord) -> tuple[object, ...]:
    from posthouse.admin.shown import timestamp

    what = record.reason or "; ".join(f"{one.key}: {_text(one.before)} -> {_text(one.after)}" for one in record.changes)
    words = (record.who, record.face, record.origin, record.act, record.object, record.outcome.value, what)
    return (timestamp(record.at), *words)


def _text(value: object) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
