"""What a script says: to whoever started it, or to the next command."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from posthouse.cmdlets.conversion import INT, STRING, STRINGS, SWITCH
from posthouse.cmdlets.display import cell
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.generic.objects import pipeline
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Parameter
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Value, items

_CATEGORIES = (
    *("NotSpecified", "InvalidArgument", "InvalidData", "InvalidOperation", "InvalidType", "ObjectNotFound"),
    *("OperationStopped", "OperationTimeout", "PermissionDenied", "ResourceUnavailable", "SyntaxError", "WriteError"),
)


def write_output(_context: Context, bound: Bound) -> Iterator[Value]:
    for value in pipeline(bound):
        yield from [value] if bound.get("NoEnumerate") else items(value)


def write_host(context: Context, bound: Bound) -> Iterator[Value]:
    separator = to_text(bound.get("Separator", " "))
    values = [bound["Object"]] if "Object" in bound else list(bound.pipeline)
    for value in values or [""]:
        parts = [cell(part) if isinstance(part, datetime) else to_text(part) for part in items(value)]
        text = separator.join(parts) + ("" if bound.get("NoNewline") else "\n")
        context.services.host.write("host", text)
    yield from ()


def write_warning(context: Context, bound: Bound) -> Iterator[Value]:
    context.warning(bound["Message"])
    yield from ()


def write_verbose(context: Context, bound: Bound) -> Iterator[Value]:
    context.verbose(bound["Message"])
    yield from ()


def write_information(context: Context, bound: Bound) -> Iterator[Value]:
    if context.information:
        context.services.host.write("host", to_text(bound["MessageData"]) + "\n")
    yield from ()


def write_nothing(_context: Context, _bound: Bound) -> Iterator[Value]:
    yield from ()


def write_error(context: Context, bound: Bound) -> Iterator[Value]:
    context.error(
        PSError(
            bound["Message"],
            category=bound.get("Category", "NotSpecified"),
            error_id=bound.get("ErrorId") or "Microsoft.PowerShell.Commands.WriteErrorException",
            exception="Microsoft.PowerShell.Commands.WriteErrorException",
            target=bound.get("TargetObject"),
        )
    )
    yield from ()


def _message(name: str = "Message") -> Parameter:
    return Parameter(
        name=name, type=STRING, aliases=("Msg",), position=0, mandatory=True, from_pipeline=True, allow_empty=True
    )


MESSAGES = (
    Cmdlet(
        "Write-Output",
        (
            Parameter(name="InputObject", position=0, from_pipeline=True, rest=True, allow_empty=True),
            Parameter(name="NoEnumerate", type=SWITCH),
        ),
        write_output,
        aliases=("echo", "write"),
        synopsis="Gives objects on.",
        whole=True,
    ),
    Cmdlet(
        "Write-Host",
        (
            Parameter(name="Object", position=0, rest=True, allow_empty=True),
            Parameter(name="Separator"),
            Parameter(name="NoNewline", type=SWITCH),
            Parameter(name="ForegroundColor", type=STRING, help="Taken: nothing is coloured."),
            Parameter(name="BackgroundColor", type=STRING, help="Taken: nothing is coloured."),
        ),
        write_host,
        synopsis="Shows a text.",
        whole=True,
    ),
    Cmdlet("Write-Warning", (_message(),), write_warning, synopsis="Shows a warning."),
    Cmdlet("Write-Verbose", (_message(),), write_verbose, synopsis="Shows a text where -Verbose asks for it."),
    Cmdlet(
        "Write-Information",
        (
            Parameter(name="MessageData", position=0, mandatory=True, from_pipeline=True, allow_empty=True),
            Parameter(name="Tags", type=STRINGS, position=1, help="Taken: they are not shown."),
        ),
        write_information,
        synopsis="Shows a text where -InformationAction or $InformationPreference is Continue.",
    ),
    Cmdlet("Write-Debug", (_message(),), write_nothing, synopsis="Taken: shows nothing."),
    Cmdlet(
        "Write-Progress",
        (
            Parameter(name="Activity", type=STRING, position=0),
            Parameter(name="Status", type=STRING, position=1),
            Parameter(name="Id", type=INT, position=2),
            Parameter(name="CurrentOperation", type=STRING),
            *(Parameter(name=name, type=INT) for name in ("ParentId", "PercentComplete", "SecondsRemaining")),
            Parameter(name="Completed", type=SWITCH),
        ),
        write_nothing,
        synopsis="Taken: shows nothing.",
    ),
    Cmdlet(
        "Write-Error",
        (
            _message(),
            Parameter(name="Category", type=STRING, values=_CATEGORIES),
            Parameter(name="ErrorId", type=STRING),
            Parameter(name="TargetObject"),
        ),
        write_error,
        synopsis="Reports an error.",
    ),
)
