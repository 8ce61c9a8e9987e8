"""Get-MessageTrace and its second version, which pages in another way.

https://learn.microsoft.com/powershell/module/exchangepowershell/get-messagetracev2
https://learn.microsoft.com/powershell/module/exchangepowershell/get-messagetrace
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from posthouse.admin import Administration
from posthouse.cmdlets.conversion import DATE, INT, STRING, STRINGS, PSType, array_of, enumeration
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, Parameter, View
from posthouse.cmdlets.mail.administered import administered
from posthouse.cmdlets.mail.queue_parameters import is_like
from posthouse.cmdlets.values import PSObject, Value
from posthouse.spool import State, TraceEntry, TraceFilter

NAME: Final = "Microsoft.Exchange.Management.FfoReporting.MessageTrace"
NAME_V2: Final = f"{NAME}V2"
STATUSES: Final = {
    State.WAITING: "Pending",
    State.HELD: "Pending",
    State.DELIVERED: "Delivered",
    State.FAILED: "Failed",
    State.DROPPED: "Failed",
}
_FILTERS: Final = (
    "Delivered",
    "Expanded",
    "Failed",
    "FilteredAsSpam",
    "GettingStatus",
    "None",
    "Pending",
    "Quarantined",
)
_NEVER: Final = frozenset(_FILTERS) - frozenset(STATUSES.values())
_UNASKED: Final = timedelta(hours=48)
_MOST: Final = 5000
_USUAL: Final = 1000
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9000, 1, 1, tzinfo=UTC)
_INSTANT: Final = timedelta(milliseconds=1)
"""Within it two times are the same: a date counts in microseconds, the store more finely."""

Test = Callable[[TraceEntry], bool]


def get_message_trace(context: Context, bound: Bound) -> Iterator[Value]:
    start, end = span(context, bound)
    first, behind = page(bound)
    for index, entry in enumerate(islice(found(context, bound, start, end), first, behind), first):
        yield PSObject.of(NAME, {**_row(entry), "StartDate": start, "EndDate": end, "Index": index})


def get_message_trace_v2(context: Context, bound: Bound) -> Iterator[Value]:
    size = _within(bound, "ResultSize", _MOST, _USUAL)
    start, end = span(context, bound)
    entries = found(context, bound, start, end)
    if "StartingRecipientAddress" in bound:
        entries = _after(entries, end, bound["StartingRecipientAddress"])
    last: TraceEntry | None = None
    for last in islice(entries, size):
        yield PSObject.of(NAME_V2, {**_row(last), "StartDate": start, "EndDate": end})
    if last is not None and next(entries, None) is not None:
        context.warning(
            "There are more results, use the following command to get more. Get-MessageTraceV2 -StartDate "
            f'"{start.isoformat()}" -EndDate "{moment(last.received_at).isoformat()}" '
            f'-StartingRecipientAddress "{last.forward_path}" -ResultSize {size}, with the other parameters as before.'
        )


def page(bound: Bound) -> tuple[int, int]:
    """The first that is on it, and the first that isn't any more."""
    size, number = _within(bound, "PageSize", _MOST, _USUAL), _within(bound, "Page", 1000, 1)
    return (number - 1) * size, number * size


def span(context: Context, bound: Bound, unasked: timedelta = _UNASKED) -> tuple[datetime, datetime]:
    """The last 48 hours unless dates are given; a date without a zone is UTC, as what is shown."""
    end = _utc(bound["EndDate"]) if "EndDate" in bound else context.services.now().astimezone(UTC)
    start = _utc(bound["StartDate"]) if "StartDate" in bound else end - unasked
    if start > end:
        text = "Invalid StartDate value. The StartDate can't be greater than the EndDate."
        raise PSError(text, category="InvalidArgument", error_id="InvalidStartDate")
    return start, end


def _utc(date: datetime) -> datetime:
    """No mail is beyond these years, and there Python's dates end."""
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return min(max(aware, _FIRST), _LAST).astimezone(UTC)


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _within(bound: Bound, name: str, most: int, usual: int) -> int:
    number = bound.get(name, usual)
    if not 1 <= number <= most:
        text = f"Invalid {name} value. It has to be from 1 to {most}."
        raise PSError(text, category="InvalidArgument", error_id=f"Invalid{name}")
    return number


def found(context: Context, bound: Bound, start: datetime, end: datetime) -> Iterator[TraceEntry]:
    """Newest first. What the store can filter, it does; the rest is looked at here."""
    for status in set(bound.get("Status", ())) & _NEVER:
        context.warning(f"No mail is ever {status} here; Status is Delivered, Failed or Pending.")
    tests = list(_tests(bound))
    wanted = TraceFilter(
        sender=_alone(bound.get("SenderAddress", ())),
        recipient=_alone(bound.get("RecipientAddress", ())),
        since=start.timestamp(),
        until=(end + _INSTANT).timestamp(),
        message_id=bound.get("MessageTraceId", ""),
        subject=bound.get("Subject", ""),
    )
    with administered():
        entries = context.service(Administration).mail.trace(wanted)
    return (entry for entry in entries if all(test(entry) for test in tests))


def _alone(addresses: list[str]) -> str:
    """A single pattern that the store knows too: wildcards at the ends."""
    only = addresses[0] if len(addresses) == 1 else ""
    return "" if any(sign in only.strip("*") for sign in "*?[`") else only


def _tests(bound: Bound) -> Iterable[Test]:
    if "SenderAddress" in bound:
        senders = bound["SenderAddress"]
        yield lambda entry: _any_like(entry.reverse_path or "<>", senders)
    if "RecipientAddress" in bound:
        recipients = bound["RecipientAddress"]
        yield lambda entry: _any_like(entry.forward_path, recipients)
    if "MessageTraceId" in bound:
        yield lambda entry: entry.message_id == bound["MessageTraceId"]
    if "MessageId" in bound:
        ids = {text.strip("<>") for text in bound["MessageId"]}
        yield lambda entry: entry.header_message_id.strip("<>") in ids
    if "Status" in bound:
        yield lambda entry: STATUSES[entry.state] in bound["Status"]
    if "FromIP" in bound:
        yield lambda entry: entry.client.ip == bound["FromIP"]
    if "ToIP" in bound:
        yield lambda entry: _address_in(entry.remote) == bound["ToIP"]
    if "Subject" in bound:
        subject, kind = bound["Subject"].lower(), bound.get("SubjectFilterType", "Contains")
        yield lambda entry: _SUBJECTS[kind](entry.subject.lower(), subject)


_SUBJECTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "Contains": lambda text, part: part in text,
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
}


def _any_like(address: str, patterns: list[str]) -> bool:
    return any(is_like(address, pattern) for pattern in patterns)


def _after(entries: Iterator[TraceEntry], end: datetime, recipient: str) -> Iterator[TraceEntry]:
    """Where the query before left off: behind this recipient of what was received at `end`."""
    seen = False
    for entry in entries:
        if seen or moment(entry.received_at) < end - _INSTANT:
            yield entry
        elif entry.forward_path.lower() == recipient.lower():
            seen = True


def _row(entry: TraceEntry) -> dict[str, Value]:
    return {
        "MessageId": entry.header_message_id,
        "Received": moment(entry.received_at),
        "SenderAddress": entry.reverse_path or "<>",
        "RecipientAddress": entry.forward_path,
        "Subject": entry.subject,
        "Status": STATUSES[entry.state],
        "ToIP": _address_in(entry.remote),
        "FromIP": entry.client.ip,
        "Size": entry.size,
        "MessageTraceId": entry.message_id,
    }


def _address_in(remote: str) -> str:
    """Of `mx.contoso.com [192.0.2.1]`; empty where it went into a mailbox here."""
    return remote.rpartition("[")[2].partition("]")[0] if "[" in remote else ""


def by_name(name: str, kind: PSType = STRING, position: int | None = None, *, note: str = "") -> Parameter:
    return Parameter(name=name, type=kind, position=position, from_pipeline_by_name=True, help=note)


SIZE_HELP: Final = "From 1 to 5000; 1000 by default."
PAGE_HELP: Final = "From 1 to 1000."
_COMMON: Final = (
    by_name("EndDate", DATE, 0, note="UTC where no zone is said; now by default."),
    by_name("FromIP", STRING, 1),
    by_name("MessageId", STRINGS, 2, note="Of the Message-ID header."),
    by_name("MessageTraceId", STRING, 3, note="The id that the server's 250 told."),
    by_name("RecipientAddress", STRINGS, 4, note="With * as wildcard."),
    by_name("SenderAddress", STRINGS, 6, note="With * as wildcard; <> is the null reverse-path."),
    by_name("StartDate", DATE, 7, note="48 hours before EndDate by default."),
    Parameter(name="Status", type=array_of(enumeration("System.String", *_FILTERS)), position=9),
    by_name("ToIP", STRING, 12),
)
_VIEW: Final = View(("Received", "SenderAddress", "RecipientAddress", "Subject", "Status"))
MESSAGE_TRACE = Library(
    cmdlets=(
        Cmdlet(
            "Get-MessageTrace",
            (
                *_COMMON,
                by_name("PageSize", INT, note=SIZE_HELP),
                by_name("Page", INT, note=PAGE_HELP),
                Parameter(name="ProbeTag", refused="Microsoft keeps it for its own use"),
            ),
            get_message_trace,
            synopsis="What happened to messages, newest first, a page at a time.",
        ),
        Cmdlet(
            "Get-MessageTraceV2",
            (
                *_COMMON,
                by_name("ResultSize", INT, 5, note=SIZE_HELP),
                by_name(
                    "StartingRecipientAddress", STRING, 8, note="Of the last result, with its Received as EndDate."
                ),
                by_name("Subject", STRING, 10),
                by_name(
                    "SubjectFilterType",
                    enumeration("System.String", *_SUBJECTS),
                    11,
                    note="How Subject is compared; Contains by default.",
                ),
            ),
            get_message_trace_v2,
            synopsis="What happened to messages, newest first.",
        ),
    ),
    views={NAME: _VIEW, NAME_V2: _VIEW},
)
