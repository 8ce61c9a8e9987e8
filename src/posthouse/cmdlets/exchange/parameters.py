"""Parameters that several cmdlets have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from posthouse.cmdlets.conversion import PARAMETER_BOOLEAN, STRING, SWITCH, ConversionError, PSType
from posthouse.cmdlets.exchange.types import COUNT, MULTI
from posthouse.cmdlets.interface import Bound, Parameter
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import PSObject, Value

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
ANY_IDENTITY = replace(
    IDENTITY, mandatory=False, allow_empty=True, help="The Name, or the Guid. $null is all, as in Exchange."
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


def only(name: str, kind: PSType, value: Value, reason: str) -> Parameter:
    """A parameter of Microsoft's for what isn't done here. Scripts say so all the same: that one value is taken."""
    spelled = _SPELLED.get(kind, to_text(value))

    def convert(given: Value) -> Value:
        if kind.convert(given) != value:
            raise ConversionError(f"Only {spelled} is taken here: {reason}.")
        return value

    return Parameter(name=name, type=PSType(kind.name, convert), help=f"Only {spelled}: {reason}.")


def never(reason: str, names: str) -> tuple[Parameter, ...]:
    """Those of `only` that switch something on."""
    return tuple(only(name, PARAMETER_BOOLEAN, False, reason) for name in names.split())


_SPELLED = {PARAMETER_BOOLEAN: "$false", MULTI: "$null"}
DOMAIN_CONTROLLER = refused(ON_PREMISES, "DomainController")


def limited(objects: Iterable[PSObject], bound: Bound) -> Iterator[PSObject]:
    """As many as -ResultSize says."""
    size = bound.get("ResultSize", _USUAL)
    return islice(objects, size or None)
