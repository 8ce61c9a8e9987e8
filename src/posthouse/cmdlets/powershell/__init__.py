"""The language: a subset of PowerShell, checked as a whole before any of it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from posthouse.cmdlets.binding import Given, bind
from posthouse.cmdlets.conversion import PSType
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Bound
from posthouse.cmdlets.powershell.calls import as_cmdlet
from posthouse.cmdlets.powershell.check import check
from posthouse.cmdlets.powershell.parser import parse
from posthouse.cmdlets.powershell.source import Source
from posthouse.cmdlets.powershell.syntax import Code
from posthouse.cmdlets.registry import Registry


@dataclass(frozen=True, slots=True)
class Script:
    """A script that may be run, with what its parameters were given."""

    code: Code
    source: Source
    bound: Bound


def prepare(
    text: str,
    file: str,
    registry: Registry,
    functions: frozenset[str] = frozenset(),
    arguments: Sequence[Given] = (),
) -> Script:
    """Read and check a script; `functions` are those that the session has, `arguments` words of a command line.

    Raises `ScriptRefused`: nothing ran.
    """
    code, source = parse(text, file)
    check(code, source, registry, functions)
    return Script(code, source, _bound(code, source, arguments))


def _bound(code: Code, source: Source, arguments: Sequence[Given]) -> Bound:
    cmdlet = as_cmdlet(source.file, code, lambda _context, _bound: ())
    cmdlet = replace(cmdlet, parameters=tuple(replace(p, type=_of_words(p.type)) for p in cmdlet.parameters))
    try:
        binding = bind(cmdlet, arguments)
    except PSError as error:
        source.refuse(_start(code), error.message)
    missing = binding.missing(pipeline=False)
    if missing:
        names = " and ".join(f"-{parameter.name}" for parameter in missing)
        source.refuse(_start(code), f"The script needs {names}: add it, with a value, after the script's name.")
    return Bound(binding.values)


def _start(code: Code) -> int:
    return code.parameters[0].start if code.parameters else code.start


def _of_words(kind: PSType) -> PSType:
    """On a command line a list is one word, with commas."""
    if not kind.name.endswith("[]"):
        return kind
    return PSType(kind.name, lambda value: kind.convert(value.split(",") if isinstance(value, str) else value))
