"""Error records: what `$_` is in a catch block, and what is printed (about_Throw, about_Try_Catch_Finally)."""

from __future__ import annotations

from dataclasses import dataclass, field

from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.powershell import syntax as s
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, PSObject, Value

_RECORD = "System.Management.Automation.ErrorRecord"


@dataclass(slots=True, eq=False)
class ErrorRecord(PSObject):
    """What a script sees of an error."""

    error: PSError = field(kw_only=True)


def error_record(error: PSError) -> ErrorRecord:
    exception = PSObject.of(error.exception, {"Message": error.message, "InnerException": None}, error.message)
    place = error.place
    invocation = {
        "MyCommand": error.command,
        "ScriptLineNumber": place.line if place else 0,
        "OffsetInLine": place.column if place else 0,
        "Line": place.text if place else "",
        "PositionMessage": _position(error),
    }
    properties = {
        "Exception": exception,
        "TargetObject": error.target,
        "CategoryInfo": _category_info(error),
        "FullyQualifiedErrorId": error.error_id,
        "InvocationInfo": PSObject.of("System.Management.Automation.InvocationInfo", invocation),
    }
    return ErrorRecord(_RECORD, Hashtable(properties), error.message, error=error)


def thrown(value: Value) -> PSError:
    """What `throw` raises: a text, an exception, or an error record that was caught before."""
    if isinstance(value, ErrorRecord):
        value.error.stop = True
        return value.error
    text = to_text(value) if value is not None else "ScriptHalted"
    error = PSError(text, category="OperationStopped", error_id=text, target=value, stop=True)
    if isinstance(value, PSObject) and value.type_name.endswith("Exception"):
        error.exception, error.target = value.type_name, None
    return error


def handles(catch: s.Catch, error: PSError) -> bool:
    if not catch.types:
        return True
    known = {error.exception.lower(), "system.exception", "system.management.automation.runtimeexception"}
    return any(f".{name}".endswith(f".{kind.lower()}") for kind in catch.types for name in known)


def error_text(error: PSError) -> str:
    """As Windows PowerShell prints an error: the message, where, its category and id."""
    before = f"{error.command} : " if error.command else ""
    return (
        f"{before}{error.message}\n{_position(error)}"
        f"    + CategoryInfo          : {_category_info(error).text}\n"
        f"    + FullyQualifiedErrorId : {error.error_id}\n \n"
    )


def _position(error: PSError) -> str:
    place = error.place
    if place is None:
        return ""
    where = f"At {place.file}:{place.line} char:{place.column}\n"
    if not place.text:
        return where
    return f"{where}+ {place.text}\n+ {' ' * (place.column - 1)}{'~' * place.length}\n"


def _category_info(error: PSError) -> PSObject:
    target = to_text(error.target)
    properties = {
        "Category": error.category,
        "Activity": error.command,
        "Reason": error.exception.rpartition(".")[2],
        "TargetName": target,
        "TargetType": "String" if target else "",
    }
    text = "{Category}: ({TargetName}:{TargetType}) [{Activity}], {Reason}".format_map(properties)
    return PSObject.of("System.Management.Automation.ErrorCategoryInfo", properties, text)
