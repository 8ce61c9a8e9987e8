"""Where-Object, Select-Object, Sort-Object and the others that take objects from the pipeline and give them on."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice

from posthouse.cmdlets import members
from posthouse.cmdlets.conversion import ANY, INT, SCRIPT_BLOCK, STRING, STRINGS, SWITCH, to_boolean
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.generic.properties import Selector, expanded, is_block, properties_of, selectors
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Parameter
from posthouse.cmdlets.operators import equal, sort_key
from posthouse.cmdlets.patterns import like
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import CUSTOM_OBJECT, Hashtable, PSObject, Value, collected, items

INPUT = Parameter(name="InputObject", from_pipeline=True, allow_empty=True, help="What comes through the pipeline.")
PROPERTY = Parameter(name="Property", position=0, help="Names, script blocks, or @{Name=…;Expression={…}}.")
_COMPARISONS = (
    *("EQ", "NE", "GT", "GE", "LT", "LE", "Like", "NotLike", "Match", "NotMatch", "Contains", "NotContains", "In"),
    *("NotIn", "Is", "IsNot", "CEQ", "CNE", "CLike", "CMatch"),
)


def pipeline(bound: Bound) -> Iterable[Value]:
    """What came through the pipeline, or what -InputObject gives instead."""
    return items(bound["InputObject"]) if "InputObject" in bound else bound.pipeline


def where_object(context: Context, bound: Bound) -> Iterator[Value]:
    """With a script block, or as `Where-Object Name -eq 'x'`."""
    test = bound.get("FilterScript")
    if test is not None and is_block(test):
        yield from (item for item in pipeline(bound) if to_boolean(collected(test.run(item))))
        return
    name, wanted = to_text(bound.get("Property", test)), bound.get("Value", test if "Property" in bound else None)
    operator = next((f"-{one.lower()}" for one in _COMPARISONS if bound.get(one)), "")
    for item in pipeline(bound):
        value = members.get(item, name)
        holds = to_boolean(context.operate(operator, value, wanted) if operator else value)
        if holds != bool(bound.get("Not")):
            yield item


def for_each_object(context: Context, bound: Bound) -> Iterator[Value]:
    """With script blocks, or the name of a property or method: `ForEach-Object Name`."""
    yield from _run_once(bound.get("Begin"))
    process = [part for part in items(bound.get("Process")) if part is not None]
    for item in pipeline(bound):
        for act in process:
            if is_block(act):
                yield from act.run(item)
            else:
                yield from items(members.get(item, to_text(act)))
    yield from _run_once(bound.get("End"))


def _run_once(block: Value) -> Iterator[Value]:
    if block is not None:
        yield from block.run(None)


def select_object(context: Context, bound: Bound) -> Iterator[Value]:
    values = _chosen(context, _window(bound), bound)
    if bound.get("Unique"):
        values = _unique(values)
    yield from values


def _window(bound: Bound) -> Iterator[Value]:
    """-Skip, -First and -Last; what is beyond -First isn't made at all."""
    for name in ("Skip", "First", "Last"):
        if not 0 <= bound.get(name, 0) <= sys.maxsize:
            raise PSError(f"The value of {name} must be 0 or more.", category="InvalidArgument", error_id="Range")
    stream = iter(pipeline(bound))
    stream = islice(stream, bound.get("Skip", 0), None)
    if "Last" in bound:
        kept = list(stream)
        first = kept[: bound["First"]] if "First" in bound else []
        return iter(first + kept[max(len(first), len(kept) - bound["Last"]) :])
    return islice(stream, bound["First"]) if "First" in bound else stream


def _chosen(context: Context, stream: Iterator[Value], bound: Bound) -> Iterator[Value]:
    if "ExpandProperty" in bound:
        for item in stream:
            yield from _expanded(item, bound["ExpandProperty"])
        return
    chosen = selectors(bound.get("Property"))
    excluded = bound.get("ExcludeProperty") or []
    if excluded and not chosen:
        chosen = selectors("*")
    for item in stream:
        context.charge(len(chosen))
        yield _selected(chosen, excluded, item) if chosen else item


def _selected(chosen: list[Selector], excluded: list[str], item: Value) -> PSObject:
    """A new object with these properties; one that isn't there is $null."""
    found = PSObject.of(CUSTOM_OBJECT, {})
    for name, selector in expanded(chosen, item):
        if not any(like(name, pattern) for pattern in excluded):
            found.properties[name] = selector.get(item)
    return found


def _expanded(item: Value, name: str) -> Iterable[Value]:
    if name not in properties_of(item) and members.get(item, name) is None:
        raise PSError(
            f'Property "{name}" cannot be found.', category="InvalidArgument", error_id="ExpandPropertyNotFound"
        )
    return items(members.get(item, name))


def _unique(values: Iterable[Value]) -> Iterator[Value]:
    seen: set[str] = set()
    for value in values:
        key = _identity(value)
        if key not in seen:
            seen.add(key)
            yield value


def _identity(value: Value) -> str:
    """What two equal values have alike. Texts differ in case here."""
    properties = [(to_text(name), to_text(part)) for name, part in properties_of(value).items()]
    return f"{type(value).__name__} {to_text(value)} {properties}"


def sort_object(context: Context, bound: Bound) -> Iterator[Value]:
    chosen = selectors(bound.get("Property"))
    descending = bool(bound.get("Descending"))
    values = list(pipeline(bound))
    context.charge(len(values))
    for selector in reversed(chosen):
        values = _sorted(values, selector, descending)
    if not chosen:
        values.sort(key=sort_key, reverse=descending)
    if bound.get("Unique"):
        values = list(_first_of_equals(values, chosen))
    kept = values[: bound["Top"]] if "Top" in bound else values
    yield from kept[-bound["Bottom"] :] if "Bottom" in bound else kept


def _sorted(values: list[Value], selector: Selector, descending: bool) -> list[Value]:
    """A calculated property may say its own direction. Equal ones keep their order, also descending."""
    options = selector.options
    downwards = to_boolean(options["descending"]) if "descending" in options else descending
    if "ascending" in options:
        downwards = not to_boolean(options["ascending"])
    return sorted(values, key=lambda item: sort_key(selector.get(item)), reverse=downwards)


def _first_of_equals(values: list[Value], chosen: list[Selector]) -> Iterator[Value]:
    last: list[Value] | None = None
    for value in values:
        key = [sort_key(selector.get(value)) for selector in chosen] or [sort_key(value)]
        if key != last:
            yield value
        last = key


def group_object(context: Context, bound: Bound) -> Iterator[Value]:
    chosen = selectors(bound.get("Property"))
    groups: dict[str, tuple[list[Value], list[Value]]] = {}
    for item in pipeline(bound):
        context.charge(1)
        values = [selector.get(item) for selector in chosen] or [item]
        key = _name(values)
        groups.setdefault(key if bound.get("CaseSensitive") else key.lower(), (values, []))[1].append(item)
    if bound.get("AsHashTable"):
        as_text = bool(bound.get("AsString")) or len(chosen) > 1
        yield Hashtable((_name(values) if as_text else values[0], group) for values, group in groups.values())
        return
    for values, group in groups.values():
        yield _group(values, group, without=bool(bound.get("NoElement")))


def _name(values: list[Value]) -> str:
    return ", ".join(to_text(value) for value in values)


def _group(values: list[Value], group: list[Value], *, without: bool) -> PSObject:
    properties = {"Count": len(group), "Name": _name(values)}
    if without:
        return PSObject.of("Microsoft.PowerShell.Commands.GroupInfoNoElement", properties)
    return PSObject.of("Microsoft.PowerShell.Commands.GroupInfo", {**properties, "Group": group, "Values": values})


def measure_object(context: Context, bound: Bound) -> Iterator[Value]:
    names = [selector.name for selector in selectors(bound.get("Property"))] or [""]
    values = list(pipeline(bound))
    context.charge(len(values))
    for name in names:
        yield _measured(context, bound, name, [members.get(item, name) if name else item for item in values])


def _measured(context: Context, bound: Bound, name: str, values: list[Value]) -> PSObject:
    present = [value for value in values if value is not None]
    numbers = [context.operate("+", 0, value) for value in present] if bound.get("Sum") or bound.get("Average") else []
    total = float(sum(numbers))
    ordered = sorted(present, key=sort_key)
    properties = {
        "Count": len(present),
        "Average": total / len(numbers) if bound.get("Average") and numbers else None,
        "Sum": total if bound.get("Sum") else None,
        "Maximum": ordered[-1] if bound.get("Maximum") and ordered else None,
        "Minimum": ordered[0] if bound.get("Minimum") and ordered else None,
        "Property": name or None,
    }
    return PSObject.of("Microsoft.PowerShell.Commands.GenericMeasureInfo", properties)


def compare_object(context: Context, bound: Bound) -> Iterator[Value]:
    """What only one side has: `=>` the difference, `<=` the reference."""
    before, after = list(items(bound["ReferenceObject"])), list(items(bound["DifferenceObject"]))
    for value, others, side in [*((v, before, "=>") for v in after), *((v, after, "<=") for v in before)]:
        context.charge(len(others))
        if not any(equal(value, other) for other in others):
            yield PSObject.of(CUSTOM_OBJECT, {"InputObject": value, "SideIndicator": side})


def _switches(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name=name, type=SWITCH) for name in names)


OBJECTS = (
    Cmdlet(
        "Where-Object",
        (
            Parameter(name="FilterScript", position=0, help="A script block, or a property's name."),
            Parameter(name="Property", type=STRING),
            Parameter(name="Value", position=1),
            INPUT,
            *_switches(*_COMPARISONS, "Not"),
        ),
        where_object,
        aliases=("where", "?"),
        synopsis="Gives on the objects for which a condition holds.",
        whole=True,
    ),
    Cmdlet(
        "ForEach-Object",
        (
            Parameter(
                name="Process", aliases=("MemberName",), position=0, help="A script block, or a property's name."
            ),
            Parameter(name="Begin", type=SCRIPT_BLOCK),
            Parameter(name="End", type=SCRIPT_BLOCK),
            Parameter(name="Parallel", refused="script blocks run one after the other here; use -Process"),
            INPUT,
        ),
        for_each_object,
        aliases=("foreach", "%"),
        synopsis="Runs a script block for each object.",
        whole=True,
    ),
    Cmdlet(
        "Select-Object",
        (
            PROPERTY,
            Parameter(name="ExcludeProperty", type=STRINGS),
            Parameter(name="ExpandProperty", type=STRING),
            Parameter(name="First", type=INT),
            Parameter(name="Last", type=INT),
            Parameter(name="Skip", type=INT),
            INPUT,
            *_switches("Unique"),
        ),
        select_object,
        aliases=("select",),
        synopsis="Chooses properties of objects, or some of the objects.",
        whole=True,
    ),
    Cmdlet(
        "Sort-Object",
        (
            PROPERTY,
            Parameter(name="Top", type=INT),
            Parameter(name="Bottom", type=INT),
            INPUT,
            *_switches("Descending", "Unique"),
        ),
        sort_object,
        aliases=("sort",),
        synopsis="Sorts objects.",
        whole=True,
    ),
    Cmdlet(
        "Group-Object",
        (PROPERTY, INPUT, *_switches("NoElement", "CaseSensitive", "AsHashTable", "AsString")),
        group_object,
        aliases=("group",),
        synopsis="Groups objects that have the same properties.",
        whole=True,
    ),
    Cmdlet(
        "Measure-Object",
        (PROPERTY, INPUT, *_switches("Sum", "Average", "Maximum", "Minimum")),
        measure_object,
        aliases=("measure",),
        synopsis="Counts objects, and adds up their properties.",
        whole=True,
    ),
    Cmdlet(
        "Compare-Object",
        (
            Parameter(name="ReferenceObject", type=ANY, position=0, mandatory=True),
            Parameter(name="DifferenceObject", type=ANY, position=1, mandatory=True),
        ),
        compare_object,
        aliases=("compare", "diff"),
        synopsis="Shows in what two lists differ.",
    ),
)
