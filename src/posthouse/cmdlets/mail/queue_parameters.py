"""Parameters that the cmdlets for queues and for messages share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from posthouse.admin import Administration, QueueAct
from posthouse.cmdlets.conversion import STRING, ConversionError, PSType, number
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Bound, Context, Parameter
from posthouse.cmdlets.mail.administered import administered
from posthouse.cmdlets.mail.queue_filter import parsed
from posthouse.cmdlets.mail.queued import Queued
from posthouse.cmdlets.patterns import like
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Value
from posthouse.spool import QueueFilter

USUAL: Final = 1000
_AT_ONCE: Final = 500
"""Messages: a statement takes only so many."""
_SHELL: Final = "pipe to Sort-Object and Select-Object instead"


def _to_size(value: Value) -> int | None:
    if to_text(value).lower() == "unlimited":
        return None
    found = number(to_text(value))
    if not isinstance(found, int) or found < 1:
        raise ConversionError(f'Cannot convert value "{to_text(value)}" to a number of results, or Unlimited.')
    return found


FILTER: Final = Parameter(name="Filter", type=STRING, help="Like: Status -eq 'Retry' -and LastError -like '421*'.")
SERVER: Final = Parameter(name="Server", refused="there is one queue for all of Posthouse; leave it out")
RESULT_SIZE: Final = Parameter(
    name="ResultSize", type=PSType("Unlimited", _to_size), help="1000 by default, or Unlimited."
)
PAGING: Final = (
    *(Parameter(name=name, refused=_SHELL) for name in ("BookmarkIndex", "BookmarkObject", "IncludeBookmark")),
    *(Parameter(name=name, refused=_SHELL) for name in ("ReturnPageInfo", "SearchForward", "SortOrder")),
)


def identity(note: str) -> Parameter:
    return Parameter(
        name="Identity",
        type=STRING,
        position=0,
        from_pipeline=True,
        from_pipeline_by_name=True,
        help=note,
    )


def chosen(
    context: Context, bound: Bound, found: Iterable[Queued], is_named: Callable[[Queued, str], bool]
) -> Iterator[Queued]:
    """Those that -Identity or -Filter mean. A name that means none is an error, a filter that does isn't."""
    if "Identity" in bound:
        named = [one for one in found if is_named(one, bound["Identity"])]
        if not named:
            text = (
                f"The operation couldn't be performed because object '{bound['Identity']}' couldn't be found; "
                f"Get-{context.cmdlet.name.partition('-')[2]} lists what waits."
            )
            raise PSError(text, category="NotSpecified", error_id="ObjectNotFoundException", target=bound["Identity"])
        found = named
    meets = parsed(bound["Filter"], context) if "Filter" in bound else None
    return (one for one in found if meets is None or meets(one))


def is_like(text: str, pattern: str) -> bool:
    """Equal without case, or as its wildcards say."""
    return text.lower() == pattern.lower() or like(text, pattern)


def act(context: Context, name: QueueAct, queued: Queued) -> None:
    """What is being delivered at the moment is left alone, and that is said."""
    if not context.should_process(to_text(queued)):
        return
    mail = context.service(Administration).mail
    in_delivery = 0
    for start in range(0, len(queued.message_ids), _AT_ONCE):
        ids = queued.message_ids[start : start + _AT_ONCE]
        with administered():
            in_delivery += mail.act(name, QueueFilter(message_ids=ids)).in_delivery
    if in_delivery:
        context.warning(f"{in_delivery} recipients of '{to_text(queued)}' are being delivered now and were left alone.")


def one_of(bound: Bound, *names: str) -> None:
    """Exchange has a parameter set for each: one of them has to be given."""
    if not any(name in bound for name in names):
        text = f"Parameter set cannot be resolved using the specified named parameters; give {' or '.join(names)}."
        raise PSError(text, category="InvalidArgument", error_id="AmbiguousParameterSet")
