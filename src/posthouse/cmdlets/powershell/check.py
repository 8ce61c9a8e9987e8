"""What can be known of a script before it runs: that each command, type and method in it is one that is known here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from posthouse.cmdlets import statics
from posthouse.cmdlets.conversion import named
from posthouse.cmdlets.members import METHOD_NAMES
from posthouse.cmdlets.powershell import syntax as s
from posthouse.cmdlets.powershell.commands import PS_CMDLET_METHODS
from posthouse.cmdlets.powershell.source import Source
from posthouse.cmdlets.registry import Registry

_SCOPES = ("global", "script", "local", "private")
_NOT_RUN = {
    "invoke-expression": "It would run text as code.",
    "iex": "It would run text as code.",
    "start-process": "Programs can't be started.",
    "start-job": "Background jobs are not run here.",
    "add-type": "Code in other languages is not run here.",
}
_CASTS = ("ordered", "void")


def check(code: s.Code, source: Source, registry: Registry, functions: frozenset[str] = frozenset()) -> None:
    """Raises `ScriptRefused` at the first thing that isn't known."""
    nodes = list(_walk(code))
    known = functions | {node.name.lower() for node in nodes if isinstance(node, s.Function)}
    for node in sorted(nodes, key=lambda node: node.start):
        sentence = _problem(node, registry, known)
        if sentence:
            source.whole.refuse(node.start, sentence)


def _walk(value: object) -> Iterator[s.Node]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            waiting += item
        elif isinstance(item, s.Node):
            yield item
            waiting += [getattr(item, field.name) for field in dataclasses.fields(item)]


def _problem(node: s.Node, registry: Registry, functions: frozenset[str]) -> str:
    if isinstance(node, s.Command):
        return _command_problem(node.name, registry, functions)
    if isinstance(node, s.Variable | s.Splat):
        return _variable_problem(node.name)
    if isinstance(node, s.Cast):
        known = node.type.lower() in _CASTS or named(node.type)
        return "" if known else f"The type [{node.type}] is not known here."
    if isinstance(node, s.Call):
        return _call_problem(node, registry)
    if isinstance(node, s.Member) and node.static:
        return _static_problem(node.target, node.name, method=False, registry=registry)
    if isinstance(node, s.Function) and registry.cmdlet(node.name):
        return f"{node.name} is a cmdlet; give the function another name."
    return ""


def _command_problem(name: str, registry: Registry, functions: frozenset[str]) -> str:
    if registry.cmdlet(name) or name.lower() in functions:
        return ""
    why = _NOT_RUN.get(name.lower()) or "Check the spelling; Get-Command lists the cmdlets."
    return f"The term '{name}' is not recognized as the name of a cmdlet or function. {why}"


def _variable_problem(name: str) -> str:
    scope, colon, _ = name.partition(":")
    if not colon or scope.lower() in _SCOPES:
        return ""
    if scope.lower() == "env":
        return "The environment can't be read here; assign a variable."
    return f"A variable's name can't hold '{scope}:'; write ${{{scope}}}: for a variable before a colon."


def _call_problem(node: s.Call, registry: Registry) -> str:
    if node.static:
        return _static_problem(node.target, node.name, method=True, registry=registry)
    if node.name.lower() in METHOD_NAMES | PS_CMDLET_METHODS | registry.methods:
        return ""
    return f"The method '{node.name}' is not known here."


def _static_problem(target: s.Expression, name: str | s.Expression, *, method: bool, registry: Registry) -> str:
    if not isinstance(target, s.TypeLiteral) or not isinstance(name, str):
        return "Static members are known here only as [type]::Name."
    if statics.known(target.name, name, method=method):
        return ""
    if method and name.lower() == "new" and registry.net_type(target.name):
        return ""
    return f"[{target.name}]::{name} is not known here."
