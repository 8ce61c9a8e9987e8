"""The static members that a script may use: `[string]::IsNullOrEmpty($x)`, `[datetime]::UtcNow`. Nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from posthouse.cmdlets.conversion import DATE, DOUBLE, INT, ConversionError
from posthouse.cmdlets.encodings import CHARSETS, encoding
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.limits import Budget
from posthouse.cmdlets.numbers import format_composite
from posthouse.cmdlets.operators import compare
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Value, items

Clock = Callable[[], datetime]


def _joined(separator: Value, *values: Value) -> str:
    return to_text(separator).join(to_text(part) for value in values for part in items(value))


def _rounded(value: Value, digits: Value = 0) -> float:
    """To even, as .NET rounds and Python too."""
    return round(DOUBLE.convert(value), INT.convert(digits))


def _span(unit: str) -> Callable[[Value], timedelta]:
    return lambda count: timedelta(**{unit: DOUBLE.convert(count)})


_METHODS: Mapping[tuple[str, str], Callable[..., Value]] = {
    ("string", "isnullorempty"): lambda text: to_text(text) == "",
    ("string", "isnullorwhitespace"): lambda text: not to_text(text).strip(),
    ("string", "join"): _joined,
    ("string", "format"): lambda pattern, *values: format_composite(to_text(pattern), values),
    ("math", "round"): _rounded,
    ("math", "floor"): lambda value: float(DOUBLE.convert(value) // 1),
    ("math", "ceiling"): lambda value: float(-(-DOUBLE.convert(value) // 1)),
    ("math", "truncate"): lambda value: float(int(DOUBLE.convert(value))),
    ("math", "abs"): lambda value: abs(value if isinstance(value, int) else DOUBLE.convert(value)),
    ("math", "max"): lambda first, second: first if compare(first, second) >= 0 else second,
    ("math", "min"): lambda first, second: first if compare(first, second) <= 0 else second,
    ("datetime", "parse"): DATE.convert,
    ("timespan", "fromdays"): _span("days"),
    ("timespan", "fromhours"): _span("hours"),
    ("timespan", "fromminutes"): _span("minutes"),
    ("timespan", "fromseconds"): _span("seconds"),
}
_PROPERTIES: dict[tuple[str, str], Callable[[Clock], Value]] = {
    ("datetime", "now"): lambda now: now(),
    ("datetime", "utcnow"): lambda now: now().astimezone(UTC),
    ("datetime", "today"): lambda now: now().replace(hour=0, minute=0, second=0, microsecond=0),
    ("environment", "newline"): lambda _: "\n",
    ("string", "empty"): lambda _: "",
    ("int", "maxvalue"): lambda _: (1 << 31) - 1,
    ("int", "minvalue"): lambda _: -(1 << 31),
    ("math", "pi"): lambda _: 3.141592653589793,
    ("net.servicepointmanager", "securityprotocol"): lambda _: _PROTOCOLS["systemdefault"],
    ("net.servicepointmanager", "servercertificatevalidationcallback"): lambda _: None,
}
# https://learn.microsoft.com/dotnet/api/system.net.securityprotocoltype
_PROTOCOLS = {"systemdefault": 0, "ssl3": 48, "tls": 192, "tls11": 768, "tls12": 3072, "tls13": 12288}
_MODERN = _PROTOCOLS["tls12"] | _PROTOCOLS["tls13"]
_PROPERTIES |= {
    ("net.securityprotocoltype", name): lambda _, number=number: number for name, number in _PROTOCOLS.items()
}
_PROPERTIES |= {
    ("text.encoding", name.lower()): lambda _, charset=charset: encoding(charset) for name, charset in CHARSETS.items()
}
_ALIASES = {"int32": "int"}


def _key(kind: str, name: str) -> tuple[str, str]:
    short = kind.lower().removeprefix("system.")
    return _ALIASES.get(short, short), name.lower()


def known(kind: str, name: str, *, method: bool) -> bool:
    return _key(kind, name) in (_METHODS if method else _PROPERTIES)


def get(kind: str, name: str, now: Clock) -> Value:
    return _PROPERTIES[_key(kind, name)](now)


def _set_protocol(value: Value) -> str:
    """A script that asks for TLS 1.2, as older .NET wants it, gets what it asks for."""
    words = [word.strip() for part in items(value) for word in to_text(part).split(",")]
    wanted = [_PROTOCOLS.get(word.lower(), word) for word in words]
    bits = [INT.convert(number) for number in wanted]
    modern = any(number & _MODERN or number == 0 for number in bits)
    return "" if modern else "SecurityProtocol is not acted on: mail goes out with TLS 1.2 or newer."


def _set_validation(value: Value) -> str:
    if value is None:
        return ""
    return "ServerCertificateValidationCallback is not acted on: certificates are checked as always."


_SETTERS: Mapping[tuple[str, str], Callable[[Value], str]] = {
    ("net.servicepointmanager", "securityprotocol"): _set_protocol,
    ("net.servicepointmanager", "servercertificatevalidationcallback"): _set_validation,
}


def settable(kind: str, name: str) -> bool:
    return _key(kind, name) in _SETTERS


def put(kind: str, name: str, value: Value) -> str:
    """`[kind]::name = value`; returns a warning, or "". Raises `PSError`."""
    try:
        return _SETTERS[_key(kind, name)](value)
    except ConversionError as error:
        text = f'Exception setting "{name}": "{error}"'
        raise PSError(text, error_id="ExceptionWhenSetting") from None


def _size(arguments: tuple[Value, ...]) -> int:
    """What a method may make of its arguments at most: all of them, with the first between any two."""
    parts = [part for argument in arguments for part in items(argument)]
    lengths = [len(part) if isinstance(part, str) else 1 for part in parts]
    return sum(lengths) + lengths[0] * len(lengths) if lengths else 0


def invoke(kind: str, name: str, arguments: tuple[Value, ...], budget: Budget) -> Value:
    """Raises `PSError`."""
    budget.charge(_size(arguments))
    try:
        return _METHODS[_key(kind, name)](*arguments)
    except (ConversionError, TypeError, ValueError, OverflowError) as error:
        why = str(error) if isinstance(error, ConversionError) else "Its arguments do not fit the method."
        text = f'Exception calling "{name}" with "{len(arguments)}" argument(s): "{why}"'
        raise PSError(text, error_id="MethodException") from None
