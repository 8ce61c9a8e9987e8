"""The language: a subset of PowerShell, checked as a whole before any of it runs."""

from __future__ import annotations

from dataclasses import dataclass

from posthouse.cmdlets.powershell.check import check
from posthouse.cmdlets.powershell.parser import parse
from posthouse.cmdlets.powershell.source import Source
from posthouse.cmdlets.powershell.syntax import Block
from posthouse.cmdlets.registry import Registry


@dataclass(frozen=True, slots=True)
class Script:
    """A script that may be run."""

    block: Block
    source: Source


def prepare(text: str, file: str, registry: Registry, functions: frozenset[str] = frozenset()) -> Script:
    """Read and check a script; `functions` are those that the session has. Raises `ScriptRefused`: nothing ran."""
    block, source = parse(text, file)
    check(block, source, registry, functions)
    return Script(block, source)
