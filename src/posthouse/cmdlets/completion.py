"""What may stand at the end of a line that somebody is typing: a cmdlet, a parameter, or one of its values."""

from __future__ import annotations

import re

from posthouse.cmdlets.binding import find, parameters_of
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.registry import Registry

_COMMAND_START = re.compile(r"[|;({=\n]")
_WORD = re.compile(r"\S+")


def completions(line: str, registry: Registry) -> list[str]:
    """What the last word of `line` may become."""
    command = _COMMAND_START.split(line)[-1].lstrip()
    words = _WORD.findall(command)
    typed = words.pop() if words and not command.endswith(" ") else ""
    if not words:
        return sorted(cmdlet.name for cmdlet in registry.cmdlets if cmdlet.name.lower().startswith(typed.lower()))
    cmdlet = registry.cmdlet(words[0])
    if cmdlet is None:
        return []
    if typed.startswith("-"):
        found = (f"-{parameter.name}" for parameter in parameters_of(cmdlet) if not parameter.refused)
        return sorted(name for name in found if name.lower().startswith(typed.lower()))
    if not words[-1].startswith("-"):
        return []
    try:
        choices = find(cmdlet, words[-1][1:]).choices
    except PSError:
        return []
    before, comma, last = typed.rpartition(",")
    return sorted(before + comma + choice for choice in choices if choice.lower().startswith(last.lower()))
