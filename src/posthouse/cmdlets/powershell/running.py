"""A cmdlet that is running: what it sees, and what its common parameters and the preferences make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from posthouse.cmdlets.binding import COMMON, SHOULD_PROCESS
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Cmdlet, Service, Services
from posthouse.cmdlets.operators import Operators
from posthouse.cmdlets.powershell.scope import Scope
from posthouse.cmdlets.registry import Registry
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Value

_COMMON_NAMES = frozenset(parameter.name for parameter in COMMON + SHOULD_PROCESS)
QUIET = ("silentlycontinue", "ignore")
_PREFERENCES = {
    "ErrorAction": "ErrorActionPreference",
    "WarningAction": "WarningPreference",
    "InformationAction": "InformationPreference",
    "WhatIf": "WhatIfPreference",
}
_ANSWERS = '[Y] Yes  [A] Yes to All  [N] No  [L] No to All  [?] Help (default is "Y"): '
_HELP = "Y - Continue with this one. A - With all. N - Skip this one. L - Skip all."


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the common parameters say, else the preference variables (about_Preference_Variables)."""

    error: str
    warning: str
    verbose: bool
    information: bool
    what_if: bool
    confirm: bool

    @classmethod
    def of(
        cls, cmdlet: Cmdlet, given: Mapping[str, Value], variable: Callable[[str], Value], *, quiet: bool = False
    ) -> Preferences:
        """`quiet` is whether warnings go to $null."""

        def action(name: str) -> str:
            return to_text(given.get(name) or variable(_PREFERENCES[name])).lower()

        return cls(
            error=action("ErrorAction") or "continue",
            warning="ignore" if quiet else action("WarningAction") or "continue",
            verbose=given.get("Verbose", to_text(variable("VerbosePreference")).lower() == "continue"),
            information=action("InformationAction") == "continue",
            what_if=given.get("WhatIf", bool(variable("WhatIfPreference"))),
            confirm=given.get("Confirm", cmdlet.confirm and to_text(variable("ConfirmPreference")).lower() != "none"),
        )


def without_common(values: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name not in _COMMON_NAMES}


def inherited(scope: Scope, given: Mapping[str, Value]) -> None:
    """What the common parameters of a function say holds for the commands in it."""
    for parameter, preference in _PREFERENCES.items():
        if parameter in given:
            scope.set(preference, given[parameter])
    for switch in ("Verbose", "Debug"):
        if switch in given:
            scope.set(f"{switch}Preference", "Continue" if given[switch] else "SilentlyContinue")
    if "Confirm" in given:
        scope.set("ConfirmPreference", "Low" if given["Confirm"] else "None")


@dataclass(slots=True, eq=False)
class Running:
    """The context of one call (`interface.Context`). `report` shows an error, `warnings` keeps those that are told."""

    cmdlet: Cmdlet
    services: Services
    registry: Registry
    operators: Operators
    preferences: Preferences
    report: Callable[[PSError], None]
    variable: Callable[[str], Value]
    warnings: list[Value] | None = None
    answered: bool | None = None

    def service(self, kind: type[Service]) -> Service:
        return self.services.service(kind)

    def should_process(self, target: str, action: str = "") -> bool:
        operation = f'Performing the operation "{action or self.cmdlet.name}" on target "{target}".'
        if self.preferences.what_if:
            self.services.host.write("host", f"What if: {operation}\n")
            return False
        if not self.preferences.confirm:
            self.verbose(operation)
            return True
        return self._confirmed(operation)

    def _confirmed(self, operation: str) -> bool:
        if self.answered is not None:
            return self.answered
        host = self.services.host
        if not host.interactive:
            text = f"{self.cmdlet.name} asks for a confirmation, and nobody is there to answer; add -Confirm:$false."
            raise PSError(text, error_id="InvalidOperation", stop=self.preferences.error == "stop")
        host.write("host", f"\nConfirm\nAre you sure you want to perform this action?\n{operation}\n")
        while True:
            answer = host.ask(_ANSWERS).strip().lower()[:1] or "y"
            if answer in "al":
                self.answered = answer == "a"
            if answer in "yanl":
                return answer in "ya"
            host.write("host", _HELP + "\n")

    def warning(self, text: str) -> None:
        if self.warnings is not None:
            self.operators.budget.charge(len(text))
            self.warnings.append(text)
        if self.preferences.warning == "stop":
            raise PSError(text, error_id="ActionPreferenceStop", stop=True)
        if self.preferences.warning not in QUIET:
            self.services.host.write("warning", f"WARNING: {text}\n")

    def verbose(self, text: str) -> None:
        if self.preferences.verbose:
            self.services.host.write("verbose", f"VERBOSE: {text}\n")

    @property
    def information(self) -> bool:
        return self.preferences.information

    def wait(self, seconds: float) -> None:
        self.operators.budget.wait(seconds)

    def error(self, error: PSError) -> None:
        """Show it and go on, as the preference says; `Stop` raises it."""
        error.command = error.command or self.cmdlet.name
        if self.preferences.error == "stop":
            error.stop = True
        if error.stop:
            raise error
        error.silent = self.preferences.error in QUIET
        if self.preferences.error != "ignore":
            self.report(error)

    def operate(self, operator: str, left: Value, right: Value) -> Value:
        return self.operators.binary(operator, left, right)

    def charge(self, size: int) -> None:
        self.operators.budget.charge(size)
