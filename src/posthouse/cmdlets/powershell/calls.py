"""What a call of a cmdlet or function is made of: splatted arguments, and the parameters that a function declares."""

from __future__ import annotations

from posthouse.cmdlets.binding import Given
from posthouse.cmdlets.conversion import ANY, BOOLEAN, SWITCH, named
from posthouse.cmdlets.errors import Place
from posthouse.cmdlets.interface import Parameter
from posthouse.cmdlets.powershell import syntax as s
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, Value, items


def splatted(value: Value, place: Place) -> list[Given]:
    """A hashtable gives parameters by name, an array gives positions (about_Splatting)."""
    if isinstance(value, Hashtable):
        return [Given(place, to_text(key), part, has_value=True) for key, part in value.items()]
    return [Given(place, value=part) for part in items(value) if value is not None]


def declared(parameter: s.ScriptParameter, position: int) -> Parameter:
    kind = named(parameter.type) if parameter.type else ANY
    return Parameter(
        name=parameter.name,
        type=kind or ANY,
        position=None if kind is SWITCH else position,
        mandatory=parameter.mandatory,
        values=parameter.values,
        allow_empty=kind is BOOLEAN,
    )
