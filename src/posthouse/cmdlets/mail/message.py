"""Get-Message, Suspend-Message, Resume-Message, Remove-Message.

https://learn.microsoft.com/powershell/module/exchangepowershell/get-message
https://learn.microsoft.com/powershell/module/exchangepowershell/suspend-message
https://learn.microsoft.com/powershell/module/exchangepowershell/remove-message
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from posthouse.admin import QueueAct
from posthouse.cmdlets.conversion import BOOLEAN, STRING, SWITCH
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, Parameter, View
from posthouse.cmdlets.mail.queue_parameters import (
    FILTER,
    PAGING,
    RESULT_SIZE,
    SERVER,
    USUAL,
    act,
    chosen,
    identity,
    is_like,
    one_of,
)
from posthouse.cmdlets.mail.queued import MESSAGE, Queued, messages
from posthouse.cmdlets.values import Value
from posthouse.mail import received_time


def get_message(context: Context, bound: Bound) -> Iterator[Value]:
    found = _candidates(context, bound)
    if "Queue" in bound:
        queue = bound["Queue"].rpartition("\\")[2]
        found = (one for one in found if is_like(one.properties["Queue"], queue))
    for one in islice(chosen(context, bound, found, _is_named_or_in), bound.get("ResultSize", USUAL)):
        if not bound.get("IncludeRecipientInfo"):
            del one.properties["Recipients"]
        yield one


def _acting(name: QueueAct) -> Callable[[Context, Bound], Iterator[Value]]:
    def run(context: Context, bound: Bound) -> Iterator[Value]:
        one_of(bound, "Identity", "Filter")
        by_message = {one.message_ids: one for one in chosen(context, bound, _candidates(context, bound), _is_named)}
        for one in by_message.values():
            act(context, name, one)
        yield from ()

    return run


def remove_message(context: Context, bound: Bound) -> Iterator[Value]:
    """In Exchange -WithNDR is $true by default: a script that leaves it to that is told."""
    if bound.get("WithNDR"):
        text = "Nobody is told here of a message that is removed; give -WithNDR $false, and write to its sender."
        raise PSError(text, category="NotImplemented", error_id="WithNDRNotTaken")
    yield from _acting("drop")(context, bound)
    if "WithNDR" not in bound:
        context.warning("Nobody is told here of a message that is removed, as -WithNDR $false says.")


def _candidates(context: Context, bound: Bound) -> Iterable[Queued]:
    """Those that -Identity could mean: a message id leads straight to its own."""
    own_id = bound.get("Identity", "").rpartition("\\")[2]
    return messages(context, own_id if _is_message_id(own_id) else "")


def _is_named(message: Queued, name: str) -> bool:
    """By its id, with or without queue and server before it."""
    queue, _, own_id = name.rpartition("\\")
    queue = queue.rpartition("\\")[2]
    return is_like(message.message_ids[0], own_id) and (not queue or is_like(message.properties["Queue"], queue))


def _is_named_or_in(message: Queued, name: str) -> bool:
    """Or in a queue of that name, which comes through the pipeline from Get-Queue."""
    return _is_named(message, name) or is_like(message.properties["Queue"], name)


def _is_message_id(text: str) -> bool:
    try:
        received_time(text)
    except ValueError:
        return False
    return True


_HELP: Final = "The message's id, as Queue\\Id or alone. With * as wildcard."
_CHOICE: Final = (identity(_HELP), FILTER, SERVER)
MESSAGES: Final = Library(
    cmdlets=(
        Cmdlet(
            "Get-Message",
            (
                identity(_HELP),
                FILTER,
                Parameter(name="Queue", type=STRING, from_pipeline_by_name=True, help="Those of one queue."),
                Parameter(name="IncludeRecipientInfo", type=SWITCH, help="Adds Recipients."),
                RESULT_SIZE,
                SERVER,
                *PAGING,
                Parameter(name="IncludeComponentLatencyInfo", refused="there are no components; see the trace"),
            ),
            get_message,
            synopsis="The messages that wait or are held, oldest first.",
        ),
        Cmdlet(
            "Suspend-Message",
            _CHOICE,
            _acting("hold"),
            synopsis="Keeps messages back until they are resumed.",
            should_process=True,
            confirm=True,
        ),
        Cmdlet(
            "Resume-Message",
            _CHOICE,
            _acting("release"),
            synopsis="Delivers messages that were suspended.",
            should_process=True,
        ),
        Cmdlet(
            "Remove-Message",
            (*_CHOICE, Parameter(name="WithNDR", type=BOOLEAN, help="Only $false: its sender is not told.")),
            remove_message,
            synopsis="Deletes messages, without telling their senders.",
            should_process=True,
            confirm=True,
        ),
    ),
    views={MESSAGE: View(("Identity", "FromAddress", "Status", "Queue", "Subject"))},
)
