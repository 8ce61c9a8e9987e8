"""The options of `connector new` and `connector set`, derived from the fields of the connectors."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer

from posthouse.cli.options import separated
from posthouse.organization.connectors import ClientCertificateRef, SenderCredential

_GIVEN_APART = ("name",)


def option_parameters(model: type) -> list[inspect.Parameter]:
    """A keyword parameter for each field of `model`, its default None: not given."""
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                kind | None, typer.Option(flag, help=text, show_default=False, metavar=_metavar(kind))
            ],
        )
        for name, kind, flag, text in _options(model)
    ]


def values_given(model: type, options: Mapping[str, object]) -> dict[str, Any]:
    """The options that were given, in the shape of an organization file's connector. None unsets a key."""
    given = {option: value for option, value in options.items() if value is not None}
    values: dict[str, Any] = {}
    for name, kind in get_type_hints(model).items():
        parts = {option[len(name) + 1 :]: value for option, value in given.items() if _belongs(option, name, kind)}
        if parts:
            values[name] = _value(kind, parts)
    return values


def _metavar(kind: Any) -> str | None:
    return "VALUE" if kind in (str, list[str]) else None


def _options(model: type) -> Iterator[tuple[str, Any, str, str]]:
    for name, kind in get_type_hints(model).items():
        if name not in _GIVEN_APART:
            yield from _options_of_field(name, _required(kind))


def _options_of_field(name: str, kind: Any) -> Iterator[tuple[str, Any, str, str]]:
    flag = _flag(name)
    if kind is bool:
        yield name, bool, f"{flag}/--no-{flag.removeprefix('--')}", ""
    elif kind == tuple[SenderCredential, ...]:
        yield (
            name,
            list[str],
            flag,
            "USER=VARIABLE, the variable holds the password; USER alone keeps it. Several: commas.",
        )
    elif get_origin(kind) is tuple:
        yield name, list[str], flag, 'Several: repeat it, or put commas between. "" is none.'
    elif kind is ClientCertificateRef:
        yield name, str, flag, 'A PFX file. "" is none.'
        yield f"{name}_password_env", str, _flag(f"{name}_password_env"), "The variable that holds its password."
    elif dataclasses.is_dataclass(kind):
        for field in dataclasses.fields(kind):
            yield f"{name}_{field.name}", int, _flag(f"{name}_{field.name}"), "0 is no limit."
    else:
        yield name, kind, flag, ""


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


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
