"""The cmdlets and types of a library, found by any of their names in any case."""

from __future__ import annotations

from posthouse.cmdlets.interface import Cmdlet, Library, NetType, View


class Registry:
    def __init__(self, library: Library) -> None:
        self._cmdlets = {name.lower(): item for item in library.cmdlets for name in (item.name, *item.aliases)}
        self._types = {_short(name): item for item in library.types for name in item.names}
        self._views = {name.lower(): view for name, view in library.views.items()}
        self.methods = frozenset(member.lower() for item in library.types for member in item.members)

    @property
    def cmdlets(self) -> list[Cmdlet]:
        """Each once, by name."""
        return sorted({cmdlet.name: cmdlet for cmdlet in self._cmdlets.values()}.values(), key=lambda item: item.name)

    def cmdlet(self, name: str) -> Cmdlet | None:
        return self._cmdlets.get(name.lower())

    def net_type(self, name: str) -> NetType | None:
        return self._types.get(_short(name))

    def view(self, type_name: str) -> View | None:
        return self._views.get(type_name.lower())


def _short(name: str) -> str:
    """`System.` may be left out, as in PowerShell; what a generic type holds says nothing here."""
    return name.lower().removeprefix("system.").partition("[")[0]
