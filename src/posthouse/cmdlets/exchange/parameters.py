"""Parameters that several cmdlets have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from posthouse.cmdlets.conversion import STRING, SWITCH
from posthouse.cmdlets.exchange.types import COUNT
from posthouse.cmdlets.interface import Bound, Parameter
from posthouse.cmdlets.values import PSObject

INTERNAL = "Microsoft keeps it for its own use"
ON_PREMISES = "it belongs to Exchange Server and its Active Directory"

IDENTITY = Parameter(
    name="Identity",
    type=STRING,
    position=0,
    mandatory=True,
    from_pipeline=True,
    from_pipeline_by_name=True,
    help="The Name, or the Guid that Get- shows. Renaming changes the Guid.",
)
ANY_IDENTITY = Parameter(
    name="Identity",
    type=STRING,
    position=0,
    from_pipeline=True,
    from_pipeline_by_name=True,
    allow_empty=True,
    help="The Name, or the Guid. $null is all, as in Exchange.",
)
RESULT_SIZE = Parameter(name="ResultSize", type=COUNT, help="At most so many, 1000 by default; or Unlimited.")
FORCE = Parameter(name="Force", type=SWITCH, help="Taken: nothing asks here.")

_USUAL = 1000


def refused(reason: str, names: str, *, switches: str = "") -> tuple[Parameter, ...]:
    """Parameters that Microsoft has and that aren't taken here."""
    return (
        *(Parameter(name=name, refused=reason) for name in names.split()),
        *(Parameter(name=name, type=SWITCH, refused=reason) for name in switches.split()),
    )


DOMAIN_CONTROLLER = refused(ON_PREMISES, "DomainController")


def limited(objects: Iterable[PSObject], bound: Bound) -> Iterator[PSObject]:
    """As many as -ResultSize says."""
    size = bound.get("ResultSize", _USUAL)
    return islice(objects, size or None)
