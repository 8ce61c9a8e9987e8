"""`posthouse queue …`: messages that are not done yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from posthouse.cli.explain import rows as explanation_rows
from posthouse.cli.options import Config, Json, administration
from posthouse.cli.output import show_json, show_rows, show_table
from posthouse.cli.trace import state_named

if TYPE_CHECKING:
    from posthouse.admin import QueueAct
    from posthouse.analysis import Explanation
    from posthouse.spool import TraceEntry

_COLUMNS = {
    "id": "Message",
    "received": "Received",
    "sender": "From",
    "recipient": "To",
    "status": "Status",
    "attempts": "Attempts",
    "due": "Due",
    "reply": "Last reply",
}

Sender = Annotated[str, typer.Option("--from", metavar="ADDRESS", help="With * as wildcard at either end.")]
To = Annotated[str, typer.Option("--to", metavar="ADDRESS", help="With * as wildcard at either end.")]

app = typer.Typer(help="Messages that are not done yet.")


@app.command("list")
def list_queue(
    sender: Sender = "",
    recipient: To = "",
    status: Annotated[str, typer.Option(metavar="STATUS", help="waiting or held.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="The oldest so many.")] = 100,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """List recipients whose mail waits or is held, oldest first."""
    from posthouse.admin.shown import shown_entry
    from posthouse.spool import QueueFilter

    wanted = QueueFilter(sender=sender, recipient=recipient, state=state_named(status))
    with administration(config) as admin:
        rows = [shown_entry(entry) for entry in islice(admin.mail.queue(wanted), limit)]
    show_rows(rows, _COLUMNS, as_json=as_json)


@app.command()
def show(
    message: Annotated[str, typer.Argument(metavar="ID", help="The message.")],
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Show all about a message, and what the last answer means."""
    from posthouse.admin.shown import shown_entry

    with administration(config) as admin:
        found = [(shown_entry(entry), _explained(entry)) for entry in admin.mail.queued(message)]
    if as_json:
        show_json([row | {"explanation": reply.to_json() if reply else None} for row, reply in found])
        return
    for row, reply in found:
        show_table(("Key", "Value"), (*_lines(row), *(explanation_rows(reply) if reply else ())))


def _explained(entry: TraceEntry) -> Explanation | None:
    """What the last answer means, where it was a refusal."""
    from posthouse.analysis import explain_reply

    return explain_reply(entry.reply) if entry.reply and not entry.reply.is_positive else None


def _lines(row: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """A line for each value, and for each of several."""
    for key, value in row.items():
        for number, part in enumerate(value if isinstance(value, list) else [value]):
            yield "" if number else key, part


def _act(act: QueueAct) -> Callable[..., None]:
    def command(
        ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="The messages.")] = None,
        sender: Sender = "",
        recipient: To = "",
        every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
        as_json: Json = False,
        config: Config = None,
    ) -> None:
        from posthouse.spool import QueueFilter

        chosen = QueueFilter(message_ids=tuple(ids or ()), sender=sender, recipient=recipient)
        if not every and chosen == QueueFilter():
            raise typer.BadParameter("name messages, --from or --to; or --all for all of them")
        with administration(config) as admin:
            change = admin.mail.act(act, chosen)
        if as_json:
            show_json({"changed": change.changed, "in_delivery": change.in_delivery})
        else:
            show_table(("Recipients changed", "Left alone, in delivery"), [(change.changed, change.in_delivery)])

    return command


_ACTS: dict[QueueAct, str] = {
    "retry": "Try deferred mail again now.",
    "hold": "Keep mail back until it is released.",
    "release": "Deliver mail that was held.",
    "drop": "Delete mail, without telling its sender.",
}
for _name, _help in _ACTS.items():
    app.command(_name, help=_help)(_act(_name))
