"""Get-Queue, Retry-Queue; Suspend-Queue and Resume-Queue are refused.

https://learn.microsoft.com/powershell/module/exchangepowershell/get-queue
https://learn.microsoft.com/powershell/module/exchangepowershell/retry-queue
https://learn.microsoft.com/powershell/module/exchangepowershell/suspend-queue
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final, NoReturn

from posthouse.cmdlets.conversion import BOOLEAN, STRING
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
from posthouse.cmdlets.mail.queued import QUEUE, Queued, queues
from posthouse.cmdlets.values import Value

_NOT_KEPT: Final = (
    "A queue can't be stopped here, since that would keep back mail to come as well. Suspend-Message keeps back what "
    "waits, Set-OutboundConnector -Enabled $false a way out."
)


def get_queue(context: Context, bound: Bound) -> Iterator[Value]:
    yield from islice(chosen(context, bound, queues(context), _is_named), bound.get("ResultSize", USUAL))


def retry_queue(context: Context, bound: Bound) -> Iterator[Value]:
    one_of(bound, "Identity", "Filter")
    for queue in chosen(context, bound, queues(context), _is_named):
        act(context, "retry", queue)
    yield from ()


def refuse(_context: Context, _bound: Bound) -> NoReturn:
    raise PSError(_NOT_KEPT, category="NotImplemented", error_id="QueueNotStopped")


def _is_named(queue: Queued, name: str) -> bool:
    """With or without the server before it."""
    return is_like(str(queue.text), name.rpartition("\\")[2])


_IDENTITY: Final = identity("The next hop, or Submission for what was not tried yet. With * as wildcard.")
QUEUES: Final = Library(
    cmdlets=(
        Cmdlet(
            "Get-Queue",
            (
                _IDENTITY,
                FILTER,
                RESULT_SIZE,
                SERVER,
                *PAGING,
                Parameter(name="Include", refused="use -Filter"),
                Parameter(name="Exclude", refused="use -Filter"),
            ),
            get_queue,
            synopsis="What waits, by the next hop that it waits for.",
        ),
        Cmdlet(
            "Retry-Queue",
            (
                _IDENTITY,
                FILTER,
                SERVER,
                Parameter(name="Resubmit", type=BOOLEAN, help="Taken: each attempt finds its way anew."),
            ),
            retry_queue,
            synopsis="Tries what waits in a queue now; a message's recipients in other queues too.",
            should_process=True,
        ),
        *(
            Cmdlet(
                f"{verb}-Queue",
                (_IDENTITY, Parameter(name="Filter", type=STRING), SERVER),
                refuse,
                synopsis="Not taken: only messages can be kept back.",
                should_process=True,
            )
            for verb in ("Suspend", "Resume")
        ),
    ),
    views={QUEUE: View(("Identity", "Status", "MessageCount", "NextHopDomain", "NextHopConnector"))},
)
