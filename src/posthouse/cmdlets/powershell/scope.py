"""Variables, and the frame that code runs in (about_Scopes)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from posthouse.cmdlets.errors import Place, PSError
from posthouse.cmdlets.powershell.source import Source
from posthouse.cmdlets.powershell.syntax import Node
from posthouse.cmdlets.values import Value

_DEEPEST = 30  # functions within functions


_NOTHING = object()
"""What a variable holds that was assigned the output of a command that had none: $null, but no value in a pipeline."""


@dataclass(slots=True, eq=False)
class Scope:
    """Reads what outer scopes have, writes its own."""

    outer: Scope | None = None
    variables: dict[str, Value] = field(default_factory=dict[str, Value])

    def get(self, name: str) -> Value:
        """$null where there is no such variable."""
        value = self._held(name)
        return None if value is _NOTHING else value

    def set_nothing(self, name: str) -> None:
        self.set(name, _NOTHING)

    def is_nothing(self, name: str) -> bool:
        return self._held(name) is _NOTHING

    def _held(self, name: str) -> Value:
        scope: Scope | None = self._of(name)
        key = _bare(name)
        while scope:
            if key in scope.variables:
                return scope.variables[key]
            scope = scope.outer
        return None

    def set(self, name: str, value: Value) -> None:
        self._of(name).variables[_bare(name)] = value

    def _of(self, name: str) -> Scope:
        """`global:` and `script:` mean the outermost scope."""
        scope = self
        if name.lower().startswith(("global:", "script:")):
            while scope.outer:
                scope = scope.outer
        return scope


def _bare(name: str) -> str:
    return name.lower().rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Frame:
    """`source` has the code, `item` is `$_`; `guarded` is whether a `try` around it waits for an error."""

    scope: Scope
    source: Source
    item: Value = None
    guarded: bool = False
    depth: int = 0

    def with_item(self, item: Value) -> Frame:
        return replace(self, item=item)

    def at(self, source: Source) -> Frame:
        return replace(self, source=source)

    def place(self, node: Node) -> Place:
        return self.source.place(node.start, node.end)

    def in_try(self) -> Frame:
        return replace(self, guarded=True)

    def inner(self) -> Frame:
        """For the body of a function."""
        if self.depth >= _DEEPEST:
            raise PSError("The script failed due to call depth overflow.", error_id="CallDepthOverflow", stop=True)
        return replace(self, scope=Scope(self.scope), item=None, depth=self.depth + 1)
