"""The clock, new objects and help."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from posthouse.cmdlets import members
from posthouse.cmdlets.binding import parameters_of
from posthouse.cmdlets.conversion import ARRAY, DATE, HASHTABLE, INT, STRING, STRINGS, SWITCH
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.generic.objects import INPUT, pipeline
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Parameter
from posthouse.cmdlets.numbers import format_value
from posthouse.cmdlets.patterns import like
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, PSObject, Value, items

_COMMAND_INFO = "System.Management.Automation.CmdletInfo"


def get_date(context: Context, bound: Bound) -> Iterator[Value]:
    date = bound.get("Date", context.services.now())
    fields = {
        name: bound[name.capitalize()]
        for name in ("year", "month", "day", "hour", "minute", "second")
        if name.capitalize() in bound
    }
    try:
        date = date.replace(**fields)
    except ValueError as error:
        raise PSError(f"Cannot make that date: {error}.", category="InvalidArgument", error_id="Date") from None
    yield format_value(date, bound["Format"]) if "Format" in bound else date


def new_timespan(context: Context, bound: Bound) -> Iterator[Value]:
    if "Start" in bound or "End" in bound:
        start, end = (bound.get(name, context.services.now()).replace(tzinfo=None) for name in ("Start", "End"))
        yield end - start
        return
    units = ("Days", "Hours", "Minutes", "Seconds")
    yield timedelta(**{unit.lower(): bound.get(unit, 0) for unit in units})


def new_object(context: Context, bound: Bound) -> Iterator[Value]:
    """Of the few types that are known here."""
    kind = context.registry.net_type(bound["TypeName"])
    if kind is None:
        text = f"Cannot find type [{bound['TypeName']}]: verify that the assembly containing this type is loaded."
        raise PSError(text, category="InvalidType", error_id="TypeNotFound")
    made = kind.new(context.services, list(items(bound.get("ArgumentList", []))))
    for key, value in bound.get("Property", Hashtable()).items():
        if isinstance(made, PSObject) and made.setters is None:
            made.properties[key] = value
        else:
            members.put(made, to_text(key), value)
    yield made


def add_member(_context: Context, bound: Bound) -> Iterator[Value]:
    """Adds a note property to each object."""
    given = bound.get("NotePropertyMembers") or Hashtable([(bound.get("Name", ""), bound.get("Value"))])
    for item in pipeline(bound):
        if isinstance(item, PSObject):
            for name, value in given.items():
                item.properties[to_text(name)] = value
        if bound.get("PassThru"):
            yield item


def get_command(context: Context, bound: Bound) -> Iterator[Value]:
    patterns = bound.get("Name") or ["*"]
    for cmdlet in context.registry.cmdlets:
        verb, _, noun = cmdlet.name.partition("-")
        fits = any(like(cmdlet.name, pattern) for pattern in patterns)
        if fits and like(verb, bound.get("Verb", "*")) and like(noun, bound.get("Noun", "*")):
            properties = {"CommandType": "Cmdlet", "Name": cmdlet.name, "Synopsis": cmdlet.synopsis}
            yield PSObject.of(_COMMAND_INFO, properties, cmdlet.name)


def get_help(context: Context, bound: Bound) -> Iterator[Value]:
    name = bound.get("Name", "Get-Help")
    cmdlet = context.registry.cmdlet(name)
    if cmdlet is None:
        text = f"Get-Help could not find {name}; Get-Command lists the cmdlets."
        raise PSError(text, category="ResourceUnavailable", error_id="HelpNotFound")
    aliases = f" (also {', '.join(cmdlet.aliases)})" if cmdlet.aliases else ""
    yield f"{cmdlet.name}{aliases}: {cmdlet.synopsis}".rstrip(": ")
    for parameter in parameters_of(cmdlet):
        yield PSObject.of("Help.Parameter", _parameter_row(parameter))


def _parameter_row(parameter: Parameter) -> dict[str, Value]:
    notes = [f"not taken: {parameter.refused}"] if parameter.refused else [parameter.help] if parameter.help else []
    if parameter.choices:
        notes.append("one of " + ", ".join(parameter.choices))
    return {
        "Parameter": f"-{parameter.name}",
        "Type": "switch" if parameter.is_switch else parameter.type.name.rpartition(".")[2],
        "Mandatory": parameter.mandatory,
        "Notes": "; ".join(notes),
    }


def _numbers(*names: str) -> Iterable[Parameter]:
    return (Parameter(name=name, type=INT) for name in names)


HOSTING = (
    Cmdlet(
        "Get-Date",
        (
            Parameter(name="Date", type=DATE, aliases=("LastWriteTime",), position=0, from_pipeline=True),
            Parameter(name="Format", type=STRING, help="As .NET writes dates: g, o, s, u, yyyy-MM-dd, …"),
            Parameter(name="UFormat", refused="use -Format"),
            *_numbers("Year", "Month", "Day", "Hour", "Minute", "Second"),
        ),
        get_date,
        synopsis="The date and time.",
    ),
    Cmdlet(
        "New-TimeSpan",
        (
            Parameter(name="Start", type=DATE, position=0),
            Parameter(name="End", type=DATE, position=1),
            *_numbers("Days", "Hours", "Minutes", "Seconds"),
        ),
        new_timespan,
        synopsis="A length of time.",
    ),
    Cmdlet(
        "New-Object",
        (
            Parameter(name="TypeName", type=STRING, position=0, mandatory=True),
            Parameter(name="ArgumentList", type=ARRAY, aliases=("Args",), position=1),
            Parameter(name="Property", type=HASHTABLE),
            Parameter(name="ComObject", refused="COM objects are not known here"),
        ),
        new_object,
        synopsis="Makes an object of a type that is known here.",
    ),
    Cmdlet(
        "Add-Member",
        (
            INPUT,
            Parameter(name="NotePropertyMembers", type=HASHTABLE),
            Parameter(name="MemberType", type=STRING, values=("NoteProperty",), position=0),
            Parameter(name="Name", type=STRING, aliases=("NotePropertyName",), position=1),
            Parameter(name="Value", aliases=("NotePropertyValue",), position=2),
            Parameter(name="PassThru", type=SWITCH),
            Parameter(name="Force", type=SWITCH),
        ),
        add_member,
        synopsis="Adds a property to objects.",
        whole=True,
    ),
    Cmdlet(
        "Get-Command",
        (
            Parameter(name="Name", type=STRINGS, position=0),
            Parameter(name="Verb", type=STRING),
            Parameter(name="Noun", type=STRING),
        ),
        get_command,
        aliases=("gcm",),
        synopsis="Lists the cmdlets.",
    ),
    Cmdlet(
        "Get-Help",
        (Parameter(name="Name", type=STRING, position=0), Parameter(name="Full", type=SWITCH)),
        get_help,
        aliases=("help", "man"),
        synopsis="Shows what a cmdlet does, and its parameters.",
    ),
)
