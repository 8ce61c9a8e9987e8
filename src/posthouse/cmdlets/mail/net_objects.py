"""What stands for a .NET object: a `PSObject` whose properties are checked when a script assigns them."""

from __future__ import annotations

from collections.abc import Callable

from posthouse.cmdlets.conversion import ConversionError, PSType
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Services
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Value, items


def setting(name: str, convert: Callable[[Value], Value]) -> Callable[[Value], Value]:
    """For `PSObject.setters`: a value that doesn't convert is refused as .NET does it."""

    def setter(value: Value) -> Value:
        try:
            return convert(value)
        except (ConversionError, ValueError) as error:
            text = f'Exception setting "{name}": "{error}"'
            raise PSError(text, error_id="ExceptionWhenSetting") from None

    return setter


def flags(name: str, *values: str) -> PSType:
    """An enumeration of which several may be named, as an array or a text with commas; as .NET shows it."""
    spelled = {value.lower(): value for value in values}

    def convert(value: Value) -> str:
        words = [word.strip() for part in items(value) for word in to_text(part).split(",") if word.strip()]
        for word in words:
            if word.lower() not in spelled:
                raise ConversionError(
                    f'Cannot convert value "{word}" to type "{name}". Error: "Unable to match the identifier name '
                    f"{word} to a valid enumerator name. Specify one of the following enumerator names and try again: "
                    f'{", ".join(values)}"'
                )
        return ", ".join(spelled[word.lower()] for word in words)

    return PSType(name, convert, values)


def warn(services: Services, sentence: str) -> None:
    """For methods of .NET objects, which run without a cmdlet."""
    services.host.write("warning", f"WARNING: {sentence[:1].upper()}{sentence[1:]}\n")
