"""The options of `connector new` and `connector set`, derived from the fields of the connectors."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import typer

from posthouse.cli.options import separated
from posthouse.organization.connectors import ClientCertificateRef, SenderCredential

_SEVERAL = 'Several: repeat it, or put commas between. "" is none.'
_LOGINS = "USER=VARIABLE, the variable holds the password; USER alone keeps it. Several: commas."


class _Option(NamedTuple):
    name: str
    kind: Any
    help: str = ""

    @property
    def parameter(self) -> inspect.Parameter:
        """Its default None is: not given."""
        flag = "--" + self.name.replace("_", "-")
        if self.kind is bool:
            flag = f"{flag}/--no-{flag.removeprefix('--')}"
        metavar = "VALUE" if self.kind in (str, list[str]) else None
        option = typer.Option(flag, help=self.help, show_default=False, metavar=metavar)
        annotation = Annotated[self.kind | None, option]
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def option_parameters(model: type) -> list[inspect.Parameter]:
    """A keyword parameter for each field of `model` but its name."""
    fields = [(name, _required(kind)) for name, kind in get_type_hints(model).items() if name != "name"]
    return [option.parameter for name, kind in fields for option in _options_of(name, kind)]


def _options_of(name: str, kind: Any) -> Iterator[_Option]:
    if kind == tuple[SenderCredential, ...]:
        yield _Option(name, list[str], _LOGINS)
    elif get_origin(kind) is tuple:
        yield _Option(name, list[str], _SEVERAL)
    elif kind is ClientCertificateRef:
        yield _Option(name, str, 'A PFX file. "" is none.')
        yield _Option(f"{name}_password_env", str, "The variable that holds its password.")
    elif dataclasses.is_dataclass(kind):
        yield from (_Option(f"{name}_{field.name}", int, "0 is no limit.") for field in dataclasses.fields(kind))
    else:
        yield _Option(name, kind)


def values_given(model: type, options: Mapping[str, object]) -> dict[str, Any]:
    """The options that were given, in the shape of an organization file's connector. None unsets a key."""
    given = {option: value for option, value in options.items() if value is not None}
    values: dict[str, Any] = {}
    for name, kind in get_type_hints(model).items():
        parts = {option[len(name) + 1 :]: value for option, value in given.items() if _belongs(option, name, kind)}
        if parts:
            values[name] = _value(kind, parts)
    return values


def _belongs(option: str, name: str, kind: Any) -> bool:
    return option == name or (dataclasses.is_dataclass(_required(kind)) and option.startswith(f"{name}_"))


def _value(kind: Any, parts: Mapping[str, Any]) -> object:
    """`parts` are the values of a field's options by what their names have beyond the field's."""
    required = _required(kind)
    if required is ClientCertificateRef:
        return _certificate(**{part or "pfx": value for part, value in parts.items()})
    if dataclasses.is_dataclass(required):
        return {part: value or None for part, value in parts.items()}
    value = parts[""]
    if kind == tuple[SenderCredential, ...]:
        return [_login(text) for text in separated(value)]
    if get_origin(kind) is tuple:
        return separated(value)
    if isinstance(value, enum.Enum):
        return value.value
    return value if required is kind else value or None


def _certificate(pfx: str | None = None, password_env: str | None = None) -> dict[str, str] | None:
    if pfx is None:
        raise typer.BadParameter("--client-certificate-password-env needs --client-certificate beside it")
    if not pfx:
        return None
    return {"pfx": pfx, "password_env": password_env} if password_env else {"pfx": pfx}


def _login(text: str) -> dict[str, str]:
    user, _, variable = text.partition("=")
    return {"user": user, "password_env": variable} if variable else {"user": user}


def _required(kind: Any) -> Any:
    """`int | None` without the None."""
    if get_origin(kind) in (Union, types.UnionType):
        return next(part for part in get_args(kind) if part is not type(None))
    return kind
