"""From the arguments that were written to a cmdlet's parameters (about_Parameters, about_Parameter_Binding).

The order is PowerShell's: named arguments, positions, then for each object of the pipeline its own value or its
properties. Error texts and ids are PowerShell's too, because administrators search for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from posthouse.cmdlets.conversion import (
    ANY,
    BOOLEAN,
    PARAMETER_BOOLEAN,
    STRING,
    STRINGS,
    SWITCH,
    ConversionError,
    PSType,
    enumeration,
)
from posthouse.cmdlets.errors import Place, PSError
from posthouse.cmdlets.interface import Cmdlet, Parameter
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, PSObject, Value, type_name

_PREFERENCES = ("SilentlyContinue", "Stop", "Continue", "Inquire", "Ignore", "Suspend", "Break")
_PREFERENCE = enumeration("System.Management.Automation.ActionPreference", *_PREFERENCES, numbered=True)
COMMON = (
    Parameter(name="ErrorAction", type=_PREFERENCE, aliases=("ea",), help="What an error does: Continue, Stop, …"),
    Parameter(name="WarningAction", type=_PREFERENCE, aliases=("wa",), help="What a warning does."),
    Parameter(name="InformationAction", type=_PREFERENCE, aliases=("infa",), help="What an information does."),
    Parameter(name="Verbose", type=SWITCH, aliases=("vb",), help="Show what the cmdlet is doing."),
    Parameter(name="Debug", type=SWITCH, aliases=("db",), help="Taken, and shows nothing more."),
    Parameter(name="ErrorVariable", type=STRING, aliases=("ev",), help="A variable that gets the errors; +name adds."),
    Parameter(name="WarningVariable", type=STRING, aliases=("wv",), help="A variable that gets the warnings."),
    Parameter(name="OutVariable", type=STRING, aliases=("ov",), help="A variable that gets the output."),
    Parameter(name="PipelineVariable", type=STRING, aliases=("pv",), help="A variable that has the last output."),
    Parameter(name="InformationVariable", aliases=("iv",), refused="what Write-Host shows is not kept"),
    Parameter(name="OutBuffer", aliases=("ob",), help="Taken: nothing is buffered."),
)
SHOULD_PROCESS = (
    Parameter(name="WhatIf", type=SWITCH, aliases=("wi",), help="Say what would be done, and don't do it."),
    Parameter(name="Confirm", type=SWITCH, aliases=("cf",), help="Ask before doing it; -Confirm:$false never asks."),
)


@dataclass(frozen=True, slots=True)
class Given:
    """An argument as written: `-name`, `-name:value`, or a value. `raw` is how a number was spelled."""

    place: Place | None = None
    name: str = ""
    value: Value = None
    has_value: bool = False
    raw: str = ""


@dataclass(slots=True)
class Binding:
    """What was bound before the pipeline runs."""

    cmdlet: Cmdlet
    values: dict[str, Value] = field(default_factory=dict[str, Value])

    def missing(self, *, pipeline: bool) -> list[Parameter]:
        """The mandatory parameters that nothing has given, nor can the pipeline if there is one."""
        return [
            parameter
            for parameter in self.cmdlet.parameters
            if parameter.mandatory
            and parameter.name not in self.values
            and not (pipeline and (parameter.from_pipeline or parameter.from_pipeline_by_name))
        ]


def parameters_of(cmdlet: Cmdlet) -> tuple[Parameter, ...]:
    """Its own, and the common ones (about_CommonParameters)."""
    return cmdlet.parameters + COMMON + (SHOULD_PROCESS if cmdlet.should_process else ())


def bind(cmdlet: Cmdlet, arguments: Sequence[Given]) -> Binding:
    """Bind what was written; the pipeline comes later, with `bind_item`. Raises `PSError`."""
    binding = Binding(cmdlet)
    positional: list[Given] = []
    waiting = list(reversed(arguments))
    while waiting:
        given = waiting.pop()
        if given.name:
            _bind_named(binding, given, waiting)
        else:
            positional.append(given)
    _bind_positions(binding, positional)
    return binding


def require(missing: Iterable[Parameter], cmdlet: Cmdlet) -> None:
    """A script can't be asked for what is missing: it is an error."""
    names = " ".join(parameter.name for parameter in missing)
    if names:
        text = f"Cannot process command because of one or more missing mandatory parameters: {names}."
        raise _error(cmdlet, text, "MissingMandatoryParameter")


def find(cmdlet: Cmdlet, name: str) -> Parameter:
    """The parameter of that name, alias, or unambiguous beginning."""
    wanted = name.lower()
    parameters = parameters_of(cmdlet)
    for parameter in parameters:
        if wanted in (parameter.name.lower(), *(alias.lower() for alias in parameter.aliases)):
            return parameter
    found = [parameter for parameter in parameters if parameter.name.lower().startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if not found:
        text = f"A parameter cannot be found that matches parameter name '{name}'."
        raise _error(cmdlet, text, "NamedParameterNotFound")
    matches = " ".join(f"-{parameter.name}" for parameter in found)
    raise _error(
        cmdlet,
        f"Parameter cannot be processed because the parameter name '{name}' is ambiguous. "
        f"Possible matches include: {matches}.",
        "AmbiguousParameter",
    )


def _bind_named(binding: Binding, given: Given, waiting: list[Given]) -> None:
    """`waiting` is what follows, the next one last: a parameter that isn't a switch takes it."""
    try:
        parameter = find(binding.cmdlet, given.name)
        if parameter.name in binding.values:
            raise _error(
                binding.cmdlet,
                f"Cannot bind parameter because parameter '{parameter.name}' is specified more than once. To provide "
                "multiple values to parameters that can accept multiple values, use the array syntax. For example, "
                '"-parameter value1,value2,value3".',
                "ParameterAlreadyBound",
            )
        if not given.has_value and parameter.is_switch:
            given = Given(given.place, given.name, True, has_value=True)
        elif not given.has_value:
            if not waiting or waiting[-1].name:
                raise _error(
                    binding.cmdlet,
                    f"Missing an argument for parameter '{parameter.name}'. Specify a parameter of type "
                    f"'{parameter.type}' and try again.",
                    "MissingArgument",
                )
            given = waiting.pop()
        _store(binding, parameter, given)
    except PSError as error:
        error.place = error.place or given.place
        raise


def _bind_positions(binding: Binding, positional: list[Given]) -> None:
    places = sorted(
        (p for p in binding.cmdlet.parameters if p.position is not None and p.name not in binding.values),
        key=lambda parameter: parameter.position or 0,
    )
    for parameter, given in zip(places, positional, strict=False):
        if parameter.rest:
            values = [given.value, *(more.value for more in positional[len(places) :])]
            given, positional = (
                Given(given.place, value=values if len(values) > 1 else given.value),
                positional[: len(places)],
            )
        _store(binding, parameter, given)
    for given in positional[len(places) :]:
        hidden = given.place is not None and not given.place.text
        shown = "this argument" if hidden else f"argument '{to_text(given.value)}'"
        text = f"A positional parameter cannot be found that accepts {shown}."
        raise _error(binding.cmdlet, text, "PositionalParameterNotFound", given.place)


def _store(binding: Binding, parameter: Parameter, given: Given) -> None:
    try:
        binding.values[parameter.name] = convert(binding.cmdlet, parameter, given.value, given.raw)
    except PSError as error:
        error.place = error.place or given.place
        raise


def convert(cmdlet: Cmdlet, parameter: Parameter, value: Value, raw: str = "") -> Value:
    """A value as the parameter's type has it. Raises `PSError`, in PowerShell's words."""
    if parameter.refused:
        text = f"The parameter '{parameter.name}' is not taken here: {parameter.refused}."
        raise _error(cmdlet, text, "ParameterRefused", category="NotImplemented")
    refuses_empty = parameter.not_empty or (parameter.mandatory and not parameter.allow_empty)
    if value is None and refuses_empty:
        raise _validation(cmdlet, parameter, "it is null", "ParameterArgumentValidationErrorNullNotAllowed")
    converted = _converted(cmdlet, parameter, value, raw)
    if refuses_empty:
        if converted == "":
            raise _validation(cmdlet, parameter, "it is an empty string", "…ErrorEmptyStringNotAllowed")
        if converted == []:
            raise _validation(cmdlet, parameter, "it is an empty array", "…ErrorEmptyArrayNotAllowed")
    return _within_set(cmdlet, parameter, converted) if parameter.values else converted


def _converted(cmdlet: Cmdlet, parameter: Parameter, value: Value, raw: str) -> Value:
    kind = PARAMETER_BOOLEAN if parameter.type is BOOLEAN else parameter.type
    try:
        if kind is STRING:
            return _one_text(value, raw)
        if kind is STRINGS and raw:
            return [raw]
        return kind.convert(value)
    except ConversionError as error:
        text = f"Cannot process argument transformation on parameter '{parameter.name}'. {error}"
        raise _error(cmdlet, text, "ParameterArgumentTransformationError", category="InvalidData") from None


def _one_text(value: Value, raw: str) -> str:
    """A number stays as it was written: `-Name 007`."""
    if isinstance(value, list | bytes):
        raise ConversionError("Cannot convert value to type System.String.")
    return raw or to_text(value)


def _within_set(cmdlet: Cmdlet, parameter: Parameter, value: Value) -> Value:
    spelled = {choice.lower(): choice for choice in parameter.values}
    found: list[str] = []
    for part in value if isinstance(value, list) else [value]:
        choice = spelled.get(to_text(part).lower())
        if choice is None:
            raise _error(
                cmdlet,
                f"Cannot validate argument on parameter '{parameter.name}'. The argument \"{to_text(part)}\" does not "
                f'belong to the set "{",".join(parameter.values)}" specified by the ValidateSet attribute. Supply an '
                "argument that is in the set and then try the command again.",
                "ParameterArgumentValidationError",
                category="InvalidData",
            )
        found.append(choice)
    return found if isinstance(value, list) else found[0]


def bind_item(binding: Binding, item: Value) -> dict[str, Value]:
    """What one object of the pipeline adds to what is bound. Raises `PSError` if it binds to nothing."""
    free = [parameter for parameter in binding.cmdlet.parameters if parameter.name not in binding.values]
    by_value = [parameter for parameter in free if parameter.from_pipeline]
    bound = {p.name: item for p in by_value if _is_of(item, p.type)}
    if not bound:
        bound = _bind_properties(binding.cmdlet, [p for p in free if p.from_pipeline_by_name], item)
    if not bound and by_value:
        bound = {by_value[0].name: convert(binding.cmdlet, by_value[0], item)}
    if not bound:
        raise _error(
            binding.cmdlet,
            "The input object cannot be bound to any parameters for the command either because the command does not "
            "take pipeline input or the input and its properties do not match any of the parameters that take "
            "pipeline input.",
            "InputObjectNotBound",
        )
    return bound


def _bind_properties(cmdlet: Cmdlet, parameters: Iterable[Parameter], item: Value) -> dict[str, Value]:
    properties = item.properties if isinstance(item, PSObject) else Hashtable()
    found: dict[str, Value] = {}
    for parameter in parameters:
        name = next((name for name in (parameter.name, *parameter.aliases) if name in properties), None)
        if name is not None:
            found[parameter.name] = convert(cmdlet, parameter, properties[name])
    return found


def _is_of(value: Value, kind: PSType) -> bool:
    return kind is ANY or type_name(value) == kind.name


def _validation(cmdlet: Cmdlet, parameter: Parameter, why: str, error_id: str) -> PSError:
    text = f"Cannot bind argument to parameter '{parameter.name}' because {why}."
    return _error(cmdlet, text, error_id.replace("…", "ParameterArgumentValidation"), category="InvalidData")


def _error(
    cmdlet: Cmdlet, text: str, error_id: str, place: Place | None = None, *, category: str = "InvalidArgument"
) -> PSError:
    error = PSError(
        text,
        category=category,
        error_id=f"{error_id},{cmdlet.name}",
        exception="System.Management.Automation.ParameterBindingException",
    )
    error.command = cmdlet.name
    error.place = place
    return error
