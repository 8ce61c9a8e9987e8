"""What the operators do (about_Operators and the pages it names). The left operand's type decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from posthouse.cmdlets.conversion import ConversionError, PSType, named, number, to_boolean
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.limits import Budget
from posthouse.cmdlets.numbers import format_composite
from posthouse.cmdlets.patterns import check_length, expand, like, regex
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import ArrayList, Hashtable, PSObject, TypeReference, Value, items, type_name

Number = int | float
_INT64 = 1 << 63
_LONGEST_RANGE = 1_000_000


class Operators:
    """Holds what a run of operators needs: the budget, and the groups of the last -match."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.matches = Hashtable()

    def binary(self, operator: str, left: Value, right: Value) -> Value:
        """Every operator but -and, -or and -xor, which don't always look at both sides."""
        if operator in _ARITHMETIC:
            return _ARITHMETIC[operator](self, left, right)
        name = operator[1:]
        case_sensitive = name[0] == "c" and name[1:] in _CASED
        name = name[1:] if name[0] in "ci" and name[1:] in _CASED else name
        if name in _FILTERS:
            return self._filter(name, left, right, case_sensitive)
        return _OTHERS[name](self, left, right, case_sensitive)

    # Arithmetic

    def _add(self, left: Value, right: Value) -> Value:
        if isinstance(left, str):
            text = to_text(right)
            self.budget.charge(len(left) + len(text))
            return left + text
        if isinstance(left, list):
            self.budget.charge(len(left) + 1)
            joined = [*left, *items(right)]
            self.budget.charge(len(joined) - len(left))
            return joined
        if isinstance(left, Hashtable):
            return _merged(left, right)
        if isinstance(left, datetime) and isinstance(right, timedelta):
            return left + right
        if isinstance(left, timedelta) and isinstance(right, timedelta):
            return left + right
        if left is None:
            return right
        return _wrapped(_numeric(left, "+") + _operand(right))

    def _subtract(self, left: Value, right: Value) -> Value:
        if isinstance(left, datetime):
            if isinstance(right, datetime):
                return left.replace(tzinfo=None) - right.replace(tzinfo=None)
            if isinstance(right, timedelta):
                return left - right
        if isinstance(left, timedelta) and isinstance(right, timedelta):
            return left - right
        return _wrapped(_numeric(left, "-") - _operand(right))

    def _multiply(self, left: Value, right: Value) -> Value:
        if isinstance(left, str | list):
            count = int(_operand(right))
            if count < 0:
                raise _failed("The value must be zero or more to repeat a text or an array.")
            self.budget.charge(len(left) * count)
            return left * count
        return _wrapped(_numeric(left, "*") * _operand(right))

    def _divide(self, left: Value, right: Value) -> Value:
        divided, by = _numeric(left, "/"), _operand(right)
        if isinstance(divided, int) and isinstance(by, int):
            if by == 0:
                raise _divided_by_zero()
            return divided // by if divided % by == 0 else divided / by
        return divided / by if by else float("nan")

    def _remainder(self, left: Value, right: Value) -> Value:
        """The sign is the dividend's, as in C."""
        divided, by = _numeric(left, "%"), _operand(right)
        if by == 0:
            raise _divided_by_zero()
        rest = abs(divided) % abs(by)
        return -rest if divided < 0 else rest

    def _range(self, left: Value, right: Value) -> Value:
        first, last = int(_operand(left)), int(_operand(right))
        if abs(last - first) >= _LONGEST_RANGE:
            raise _failed(f"A range has at most {_LONGEST_RANGE} elements here.")
        self.budget.charge(abs(last - first))
        return list(range(first, last + 1)) if first <= last else list(range(first, last - 1, -1))

    def _format(self, left: Value, right: Value) -> Value:
        text = format_composite(to_text(left), list(right) if isinstance(right, list) else [right])
        self.budget.charge(len(text))
        return text

    # Comparison

    def _filter(self, name: str, left: Value, right: Value, case_sensitive: bool) -> Value:
        """An array on the left gives those of its elements for which it holds."""
        test = _FILTERS[name]
        if isinstance(left, list):
            self.budget.step(len(left))
            return [item for item in left if test(self, item, right, case_sensitive)]
        return test(self, left, right, case_sensitive)

    def matches_regex(self, left: Value, right: Value, case_sensitive: bool) -> bool:
        """-match, and what `switch -Regex` does; $Matches then has the groups."""
        text = to_text(left)
        with self._pattern(right, text, case_sensitive) as pattern:
            found = pattern.search(text)
        if found:
            names = {index: name for name, index in found.re.groupindex.items()}
            groups = [(names.get(i, i), found[i]) for i in range(found.re.groups + 1) if found[i] is not None]
            self.matches = Hashtable(groups)
        return found is not None

    # Texts

    def _replace(self, left: Value, right: Value, case_sensitive: bool) -> Value:
        parts = list(items(right))
        pattern, replacement = to_text(parts[0]) if parts else "", to_text(parts[1]) if len(parts) > 1 else ""

        def one(value: Value) -> str:
            text = to_text(value)
            with self._pattern(pattern, text, case_sensitive) as compiled:
                return compiled.sub(lambda match: self._charged(expand(replacement, match)), text)

        return [one(value) for value in left] if isinstance(left, list) else one(left)

    @contextmanager
    def _pattern(self, pattern: Value, text: str, case_sensitive: bool) -> Iterator[re.Pattern[str]]:
        """A regular expression for that text, in as much time as is left."""
        check_length(to_text(pattern), text)
        compiled = regex(to_text(pattern), ignore_case=not case_sensitive)
        with self.budget.in_time():
            yield compiled

    def _charged(self, text: str) -> str:
        self.budget.charge(len(text) + 1)
        return text

    def split(self, left: Value, right: Value = r"\s+", case_sensitive: bool = False) -> list[Value]:
        """The binary -split; without a pattern at white space, as the unary one (about_Split)."""
        parts = list(items(right)) or [""]
        pattern = to_text(parts[0])
        most = int(_operand(parts[1])) if len(parts) > 1 else 0
        simple = len(parts) > 2 and "simplematch" in to_text(parts[2]).lower()
        found: list[Value] = []
        for value in items(left):
            text = to_text(value)
            self.budget.charge(len(text) + 1)
            with self._pattern(re.escape(pattern) if simple else pattern, text, case_sensitive) as compiled:
                found += [part for part in compiled.split(text, max(0, most - 1)) if part is not None]
        return found

    def join(self, left: Value, right: Value = "", case_sensitive: bool = False) -> str:
        separator = to_text(right)
        texts = [to_text(value) for value in items(left)]
        self.budget.charge(sum(map(len, texts)) + len(separator) * len(texts))
        return separator.join(texts)

    def unary(self, operator: str, operand: Value) -> Value:
        if operator == "-not":
            return not to_boolean(operand)
        if operator == "-join":
            return self.join(operand)
        if operator == "-split":
            return self.split([to_text(part).strip() for part in items(operand)])
        if operator == "-bnot":
            return ~int(_operand(operand))
        return _wrapped(-_operand(operand) if operator == "-" else _operand(operand))


def _merged(left: Hashtable, right: Value) -> Hashtable:
    if not isinstance(right, Hashtable):
        raise _failed("A hash table can only be added to another hash table.")
    for key in right:
        if key in left:
            raise _failed(f"Item has already been added. Key in dictionary: '{to_text(key)}'")
    return Hashtable([*left.items(), *right.items()], ordered=left.ordered)


def _failed(text: str) -> PSError:
    return PSError(text)


def _divided_by_zero() -> PSError:
    return PSError("Attempted to divide by zero.", exception="System.DivideByZeroException")


def _numeric(value: Value, operator: str) -> Number:
    """The left operand of arithmetic; the right one is converted to a number, this one must be one or read as one."""
    if isinstance(value, bool | int | float):
        return int(value) if isinstance(value, bool) else value
    if value is None:
        return 0
    if isinstance(value, str):
        return _operand(value)
    method = f"op_{_NAMES[operator]}"
    text = f"Method invocation failed because [{type_name(value)}] does not contain a method named '{method}'."
    raise PSError(text, error_id="MethodNotFound")


_NAMES = {"+": "Addition", "-": "Subtraction", "*": "Multiply", "/": "Division", "%": "Modulus"}


def _operand(value: Value) -> Number:
    if isinstance(value, str):
        found = number(value) if value.strip() else 0
        if found is None:
            why = "Input string was not in a correct format."
            text = f'Cannot convert value "{value}" to type "System.Int32". Error: "{why}"'
            raise PSError(text, category="InvalidArgument", error_id="InvalidCastFromStringToInteger")
        return found
    if value is None or isinstance(value, bool | int | float):
        return int(value or 0) if value is None or isinstance(value, bool) else value
    text = f'Cannot convert the "{to_text(value)}" value of type "{type_name(value)}" to type "System.Int32".'
    raise PSError(text, category="InvalidArgument", error_id="ConvertToFinalInvalidCastException")


def _wrapped(value: Number) -> Number:
    """A whole number that needs more than 64 bits goes on as a double."""
    return value if isinstance(value, float) or -_INT64 <= value < _INT64 else float(value)


def equal(left: Value, right: Value, case_sensitive: bool = False) -> bool:
    """-eq for two single values (about_Comparison_Operators)."""
    if left is None or right is None:
        return left is right
    if isinstance(left, bool):
        return left == to_boolean(right)
    try:
        compared = compare(left, right, case_sensitive)
    except PSError:
        return False
    return compared == 0


def compare(left: Value, right: Value, case_sensitive: bool = False) -> int:
    """Below, equal or above as -1, 0, 1. Raises `PSError` where the two can't be compared."""
    if left is None or right is None:
        return (left is not None) - (right is not None)
    if isinstance(left, int | float):
        return _order(left, _operand(right))
    if isinstance(left, datetime):
        return _order(left.replace(tzinfo=None), _same(named("datetime"), right).replace(tzinfo=None))
    if isinstance(left, timedelta):
        return _order(left, _same(named("timespan"), right))
    if isinstance(left, str) or (isinstance(left, PSObject) and left.text is not None):
        first, second = to_text(left), to_text(right)
        return _order(first, second) if case_sensitive else _order(first.lower(), second.lower())
    if left is right:
        return 0
    text = f'Cannot compare "{to_text(left)}" because it is not IComparable.'
    raise PSError(text, error_id="NotIcomparable")


def _same(kind: PSType | None, value: Value) -> Value:
    assert kind
    try:
        return kind.convert(value)
    except ConversionError as error:
        raise PSError(f"Could not compare: {error}", error_id="ComparisonFailure") from None


def _order(left: Value, right: Value) -> int:
    return (left > right) - (left < right)


def is_type(value: Value, kind: Value) -> bool:
    """-is: whether a value is of a type."""
    name = (kind.name if isinstance(kind, TypeReference) else to_text(kind)).lower()
    wanted = named(name)
    actual = type_name(value)
    if wanted and wanted.name == "System.Management.Automation.PSObject":
        return isinstance(value, PSObject)
    if name.removeprefix("system.") in ("array", "object[]"):
        return isinstance(value, list) and not isinstance(value, ArrayList)
    return value is not None and (wanted.name if wanted else name).lower() in (actual.lower(), "system.object")


def _as_type(value: Value, kind: Value) -> Value:
    wanted = named(kind.name if isinstance(kind, TypeReference) else to_text(kind))
    try:
        return wanted.convert(value) if wanted else None
    except ConversionError:
        return None


def _contains(values: Value, value: Value, case_sensitive: bool) -> bool:
    return any(equal(item, value, case_sensitive) for item in items(values))


def _bits(act: Callable[[int, int], int]) -> Callable[[Operators, Value, Value, bool], Value]:
    return lambda _, left, right, __: _wrapped(act(int(_operand(left)), int(_operand(right))))


def _shift_left(left: int, right: int) -> int:
    shifted = (left << (right & 31)) & 0xFFFFFFFF
    return shifted - (1 << 32) if shifted >> 31 else shifted


_ARITHMETIC: dict[str, Callable[[Operators, Value, Value], Value]] = {
    "+": Operators._add,
    "-": Operators._subtract,
    "*": Operators._multiply,
    "/": Operators._divide,
    "%": Operators._remainder,
    "..": Operators._range,
    "-f": Operators._format,
}
_FILTERS: dict[str, Callable[[Operators, Value, Value, bool], bool]] = {
    "eq": lambda _, left, right, case: equal(left, right, case),
    "ne": lambda _, left, right, case: not equal(left, right, case),
    "gt": lambda _, left, right, case: compare(left, right, case) > 0,
    "ge": lambda _, left, right, case: compare(left, right, case) >= 0,
    "lt": lambda _, left, right, case: compare(left, right, case) < 0,
    "le": lambda _, left, right, case: compare(left, right, case) <= 0,
    "like": lambda _, left, right, case: like(to_text(left), to_text(right), ignore_case=not case),
    "notlike": lambda _, left, right, case: not like(to_text(left), to_text(right), ignore_case=not case),
    "match": Operators.matches_regex,
    "notmatch": lambda self, left, right, case: not self.matches_regex(left, right, case),
}
_OTHERS: dict[str, Callable[[Operators, Value, Value, bool], Value]] = {
    "contains": lambda _, left, right, case: _contains(left, right, case),
    "notcontains": lambda _, left, right, case: not _contains(left, right, case),
    "in": lambda _, left, right, case: _contains(right, left, case),
    "notin": lambda _, left, right, case: not _contains(right, left, case),
    "replace": Operators._replace,
    "split": Operators.split,
    "join": Operators.join,
    "is": lambda _, left, right, __: is_type(left, right),
    "isnot": lambda _, left, right, __: not is_type(left, right),
    "as": lambda _, left, right, __: _as_type(left, right),
    "band": _bits(lambda left, right: left & right),
    "bor": _bits(lambda left, right: left | right),
    "bxor": _bits(lambda left, right: left ^ right),
    "shl": _bits(_shift_left),
    "shr": _bits(lambda left, right: left >> (right & 31)),
}
_CASED = frozenset((*_FILTERS, "contains", "notcontains", "in", "notin", "replace", "split"))


def sort_key(value: Value) -> tuple[Value, ...]:
    """A key that puts values in Sort-Object's order: nothing first, then by kind, texts in any case."""
    if value is None:
        return (0,)
    if isinstance(value, bool | int | float):
        return (1, float(value))
    if isinstance(value, datetime):
        return (2, value.replace(tzinfo=None))
    if isinstance(value, timedelta):
        return (3, value)
    return (4, to_text(value).lower())
