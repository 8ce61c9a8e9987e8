"""Get-MessageTraceDetail and its second version: what happened to one message on its way to one recipient.

https://learn.microsoft.com/powershell/module/exchangepowershell/get-messagetracedetailv2
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Final

from posthouse.cmdlets.conversion import DATE, INT, STRING, STRINGS
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, Parameter, View
from posthouse.cmdlets.mail.message_trace import PAGE_HELP, SIZE_HELP, by_name, found, moment, page, span
from posthouse.cmdlets.values import PSObject, Value
from posthouse.spool import EventKind, State, TraceEntry

_NAME: Final = "Microsoft.Exchange.Management.FfoReporting.MessageTraceDetail"
_EVENTS: Final = {
    EventKind.DEFERRED: "Defer",
    EventKind.WAITS: "Throttle",
    EventKind.HELD: "Suspend",
    EventKind.RELEASED: "Resume",
    EventKind.RETRIED: "Retry",
    EventKind.DSN_SENT: "DSN",
    EventKind.DSN_SUPPRESSED: "DSN suppressed",
    EventKind.DROPPED: "Drop",
}
_EVER: Final = timedelta(days=36_500)
_ENDS: Final = {State.DELIVERED: "Deliver", State.FAILED: "Fail"}


def get_message_trace_detail(context: Context, bound: Bound) -> Iterator[Value]:
    start, end = span(context, bound, _EVER)
    events = {event.lower() for event in bound.get("Event", ())}
    steps = (
        _step(entry, at, event, detail)
        for entry in found(context, bound, start, end)
        for at, event, detail in _story(entry)
        if not events or event.lower() in events
    )
    yield from islice(steps, *page(bound))


def _story(entry: TraceEntry) -> Iterator[tuple[float, str, str]]:
    by = f" by the connector '{entry.connector}'" if entry.connector else ""
    yield entry.received_at, "Receive", f"Received from {entry.client.ip or 'this server'}{by}. {_line(entry.reasons)}"
    for event in entry.events:
        yield event.at, _EVENTS[event.kind], _line(event.detail)
    if entry.state in _ENDS and entry.at is not None:
        way = f" by the connector '{entry.outbound_connector}'" if entry.outbound_connector else ""
        yield entry.at, _ENDS[entry.state], f"{entry.remote or 'This server'}{way}: {entry.reply or ''}"


def _line(text: str) -> str:
    return "; ".join(text.splitlines())


def _step(entry: TraceEntry, at: float, event: str, detail: str) -> PSObject:
    return PSObject.of(
        _NAME,
        {
            "MessageId": entry.header_message_id,
            "MessageTraceId": entry.message_id,
            "Date": moment(at),
            "Event": event,
            "Action": "",
            "Detail": detail.strip(),
            "Data": "",
        },
    )


def _cmdlet(name: str, *more: Parameter) -> Cmdlet:
    parameters = (
        Parameter(
            name="MessageTraceId",
            type=STRING,
            position=0,
            mandatory=True,
            from_pipeline_by_name=True,
            help="The id that the server's 250 told.",
        ),
        Parameter(name="RecipientAddress", type=STRINGS, position=1, mandatory=True, from_pipeline_by_name=True),
        Parameter(name="Event", type=STRINGS, help=f"Only these: {', '.join(_ALL)}."),
        Parameter(name="Action", refused="only rules of Exchange Online have actions"),
        by_name("MessageId", STRINGS, note="Of the Message-ID header."),
        by_name("SenderAddress", STRINGS, note="With * as wildcard; <> is the null reverse-path."),
        by_name("StartDate", DATE, note="When it was received; however long ago by default."),
        by_name("EndDate", DATE, note="When it was received; now by default."),
        *more,
    )
    return Cmdlet(name, parameters, get_message_trace_detail, synopsis="What happened to a message, step by step.")


_ALL: Final = ("Receive", *_EVENTS.values(), *_ENDS.values())
MESSAGE_TRACE_DETAIL = Library(
    cmdlets=(
        _cmdlet(
            "Get-MessageTraceDetail",
            Parameter(name="Page", type=INT, help=PAGE_HELP),
            Parameter(name="PageSize", type=INT, help=SIZE_HELP),
            Parameter(name="ProbeTag", refused="Microsoft keeps it for its own use"),
        ),
        _cmdlet("Get-MessageTraceDetailV2"),
    ),
    views={_NAME: View(("Date", "Event", "Detail"))},
)
