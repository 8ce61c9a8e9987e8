"""What a call is made of: splatted arguments, and the parameters that a function or a script declares."""

from __future__ import annotations

from posthouse.cmdlets.binding import Given
from posthouse.cmdlets.conversion import ANY, BOOLEAN, STRING, SWITCH, ConversionError, PSType, named
from posthouse.cmdlets.errors import Place, PSError
from posthouse.cmdlets.interface import Cmdlet, Parameter, Run
from posthouse.cmdlets.powershell import syntax as s
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, Value, items

_ZEROS = ("byte", "int", "int32", "uint32", "long", "int64", "double", "float", "single", "decimal")


def splatted(value: Value, place: Place) -> list[Given]:
    """A hashtable gives parameters by name, an array gives positions (about_Splatting)."""
    if isinstance(value, Hashtable):
        return [Given(place, to_text(key), part, has_value=True) for key, part in value.items()]
    return [Given(place, value=part) for part in items(value) if value is not None]


def as_cmdlet(name: str, code: s.Code, run: Run) -> Cmdlet:
    """A function or a script, to be bound like a cmdlet; arguments that no parameter takes are $args."""
    rest = Parameter(name="args", position=len(code.parameters), rest=True)
    own = tuple(_declared(parameter, index) for index, parameter in enumerate(code.parameters))
    return Cmdlet(name, (*own, rest), run, whole=True, should_process=code.should_process)


def _declared(parameter: s.ScriptParameter, index: int) -> Parameter:
    kind = _type(parameter)
    position = index if parameter.position is None else parameter.position
    return Parameter(
        name=parameter.name,
        type=kind,
        aliases=parameter.aliases,
        position=None if kind is SWITCH else position,
        mandatory=parameter.mandatory,
        from_pipeline=parameter.from_pipeline,
        from_pipeline_by_name=parameter.from_pipeline_by_name,
        values=parameter.values,
        allow_empty=parameter.allow_empty or kind is BOOLEAN,
        not_empty=parameter.not_empty,
    )


def _type(parameter: s.ScriptParameter) -> PSType:
    return (named(parameter.type) or ANY) if parameter.type else ANY


def default_of(parameter: s.ScriptParameter, value: Value) -> Value:
    """What a parameter is that isn't given. Without a default, $null, and what that is to its type."""
    kind = _type(parameter)
    if value is None and kind not in (STRING, SWITCH, BOOLEAN) and parameter.type.lower() not in _ZEROS:
        return None
    try:
        return bool(value) if kind is SWITCH else kind.convert(value)
    except ConversionError as error:
        text = f"Cannot process argument transformation on parameter '{parameter.name}'. {error}"
        raise PSError(text, category="InvalidData", error_id="ParameterArgumentTransformationError") from None
