"""What expressions are worth (about_Arrays, about_Hash_Tables, about_Operators)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator

from posthouse.cmdlets import members, statics
from posthouse.cmdlets.conversion import ConversionError, named, to_boolean
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Services
from posthouse.cmdlets.limits import Budget
from posthouse.cmdlets.operators import Operators
from posthouse.cmdlets.powershell import syntax as s
from posthouse.cmdlets.powershell.scope import Frame
from posthouse.cmdlets.registry import Registry
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import ArrayList, Hashtable, TypeReference, Value, collected, items, type_name

_CONSTANTS = {"true": True, "false": False, "null": None}
_READ_ONLY = (*_CONSTANTS, "matches", "psitem", "_", "psscriptroot", "error", "?", "pscmdlet")


class Evaluator(ABC):
    """Expressions only; statements and commands are the interpreter's."""

    def __init__(self, registry: Registry, services: Services, budget: Budget) -> None:
        self.registry = registry
        self.services = services
        self.budget = budget
        self.operators = Operators(budget)
        self.errors = ArrayList()
        self.succeeded = True

    @abstractmethod
    def run_block(self, block: s.Block, frame: Frame) -> Iterator[Value]: ...

    @abstractmethod
    def run_statement(self, statement: s.Statement, frame: Frame) -> Iterator[Value]: ...

    @abstractmethod
    def script_block(self, code: s.Code, frame: Frame) -> Value: ...

    def evaluate(self, node: s.Expression, frame: Frame) -> Value:
        self.budget.step()
        return _EVALUATE[type(node)](self, node, frame)

    def value_of(self, statement: s.Statement, frame: Frame) -> Value:
        """What a statement gives to what stands around it.

        An expression alone keeps its array as it is; an assignment is also its value.
        """
        return collected(self.outcome(statement, frame))

    def outcome(self, statement: s.Statement, frame: Frame) -> list[Value]:
        """`value_of`, in a list; or an empty list where there is no output at all."""
        if isinstance(statement, s.Pipeline) and len(statement.stages) == 1:
            stage = statement.stages[0]
            if not isinstance(stage, s.Command):
                return [self.evaluate(stage, frame)]
        values = list(self.charged(self.run_statement(statement, frame)))
        if isinstance(statement, s.Assignment):
            return [self.evaluate(statement.target, frame)]
        return [values] if len(values) > 1 else values

    def charged(self, values: Iterable[Value]) -> Iterator[Value]:
        """Values that are about to be kept."""
        for value in values:
            self.budget.charge(1)
            yield value

    # Values

    def _constant(self, node: s.Constant, _frame: Frame) -> Value:
        return node.value

    def _expandable(self, node: s.Expandable, frame: Frame) -> str:
        texts = [part if isinstance(part, str) else self._text(part, frame) for part in node.parts]
        self.budget.charge(sum(map(len, texts)))
        return "".join(texts)

    def _text(self, node: s.Expression, frame: Frame) -> str:
        value = self.evaluate(node, frame)
        separator = frame.scope.get("OFS")
        if separator is not None and isinstance(value, list):
            return self.operators.join(value, separator)
        return to_text(value)

    def _variable(self, node: s.Variable, frame: Frame) -> Value:
        name = node.name.lower()
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in ("_", "psitem"):
            return frame.item
        if name == "matches":
            return self.operators.matches
        if name == "?":
            return self.succeeded
        return self.errors if name == "error" else frame.scope.get(name)

    def _splat(self, node: s.Splat, frame: Frame) -> Value:
        return frame.scope.get(node.name)

    def _array(self, node: s.ArrayLiteral, frame: Frame) -> list[Value]:
        self.budget.charge(len(node.items))
        return [self.evaluate(item, frame) for item in node.items]

    def _array_of(self, node: s.ArrayOf, frame: Frame) -> list[Value]:
        return list(self.charged(self.run_block(node.body, frame)))

    def _sub_expression(self, node: s.SubExpression, frame: Frame) -> Value:
        return collected(self.charged(self.run_block(node.body, frame)))

    def _parenthesis(self, node: s.Parenthesis, frame: Frame) -> Value:
        return self.value_of(node.inner, frame)

    def _hash(self, node: s.HashLiteral, frame: Frame, *, ordered: bool = False) -> Hashtable:
        self.budget.charge(len(node.entries))
        table = Hashtable(ordered=ordered)
        for key, value in node.entries:
            name = self.evaluate(key, frame)
            if name in table:
                text = f"Duplicate keys '{to_text(name)}' are not allowed in hash literals."
                raise PSError(text, error_id="DuplicateKeyInHashLiteral")
            table[name] = self.value_of(value, frame)
        return table

    def _code(self, node: s.Code, frame: Frame) -> Value:
        return self.script_block(node, frame)

    # Operators

    def _unary(self, node: s.Unary, frame: Frame) -> Value:
        return self.operators.unary(node.operator, self.evaluate(node.operand, frame))

    def _binary(self, node: s.Binary, frame: Frame) -> Value:
        left = self.evaluate(node.left, frame)
        if node.operator == "-and":
            return to_boolean(left) and to_boolean(self.evaluate(node.right, frame))
        if node.operator == "-or":
            return to_boolean(left) or to_boolean(self.evaluate(node.right, frame))
        right = self.evaluate(node.right, frame)
        if node.operator == "-xor":
            return to_boolean(left) != to_boolean(right)
        try:
            return self.operators.binary(node.operator, left, right)
        except (OverflowError, TypeError, ValueError) as error:
            raise PSError(f"The operator {node.operator} can't be used on these values.") from error

    def _cast(self, node: s.Cast, frame: Frame) -> Value:
        name = node.type.lower()
        if name == "ordered":
            if isinstance(node.operand, s.HashLiteral):
                return self._hash(node.operand, frame, ordered=True)
            raise PSError("The ordered attribute can be specified only on a hash literal node.")
        value = self.evaluate(node.operand, frame)
        return None if name == "void" else cast_value(node.type, value)

    def _type(self, node: s.TypeLiteral, _frame: Frame) -> TypeReference:
        kind = named(node.name)
        return TypeReference(kind.name if kind else node.name)

    def _increment(self, node: s.Increment, frame: Frame) -> Value:
        before = self.evaluate(node.target, frame)
        after = self.operators.binary("+", 0 if before is None else before, node.by)
        self.assign(node.target, after, frame)
        return after if node.before else before

    # Members

    def _member(self, node: s.Member, frame: Frame) -> Value:
        name = node.name if isinstance(node.name, str) else to_text(self.evaluate(node.name, frame))
        if node.static and isinstance(node.target, s.TypeLiteral):
            return statics.get(node.target.name, name, self.services.now)
        return members.get(self.evaluate(node.target, frame), name)

    def _call(self, node: s.Call, frame: Frame) -> Value:
        target = None if node.static else self.evaluate(node.target, frame)
        arguments = tuple(self.evaluate(argument, frame) for argument in node.arguments)
        if not node.static or not isinstance(node.target, s.TypeLiteral):
            return members.invoke(target, node.name, arguments, self.budget)
        kind = self.registry.net_type(node.target.name) if node.name.lower() == "new" else None
        if kind:
            return kind.new(self.services, arguments)
        return statics.invoke(node.target.name, node.name, arguments, self.budget)

    def _index(self, node: s.Index, frame: Frame) -> Value:
        target, index = self.evaluate(node.target, frame), self.evaluate(node.index, frame)
        if target is None:
            raise PSError("Cannot index into a null array.", error_id="NullArray")
        if isinstance(index, list):
            self.budget.charge(len(index))
            found = [element(target, one) for one in index]
            return [value for value in found if value is not None]
        return element(target, index)

    # Assignment

    def assign(self, target: s.Expression, value: Value, frame: Frame) -> None:
        if isinstance(target, s.Variable):
            self.assign_variable(target.name, value, frame)
        elif isinstance(target, s.Cast):
            self.assign(target.operand, cast_value(target.type, value), frame)
        elif isinstance(target, s.Member) and isinstance(target.target, s.TypeLiteral) and target.static:
            warning = statics.put(target.target.name, str(target.name), value)
            if warning:
                self.services.host.write("warning", f"WARNING: {warning}\n")
        elif isinstance(target, s.Member):
            name = target.name if isinstance(target.name, str) else to_text(self.evaluate(target.name, frame))
            members.put(self.evaluate(target.target, frame), name, value)
        elif isinstance(target, s.Index):
            put_element(self.evaluate(target.target, frame), self.evaluate(target.index, frame), value)
        elif isinstance(target, s.ArrayLiteral):
            self._assign_each(target, value, frame)

    def assign_variable(self, name: str, value: Value, frame: Frame) -> None:
        if name.lower() == "null":
            return
        if name.lower() in _READ_ONLY:
            text = f"Cannot overwrite variable {name} because it is read-only or constant."
            raise PSError(text, category="WriteError", error_id="VariableNotWritable")
        frame.scope.set(name, value)

    def _assign_each(self, target: s.ArrayLiteral, value: Value, frame: Frame) -> None:
        """The last variable takes what is left."""
        values = list(items(value))
        last = len(target.items) - 1
        for index, one in enumerate(target.items):
            rest = values[index:] if index == last else values[index : index + 1]
            self.assign(one, collected(rest), frame)


def cast_value(name: str, value: Value) -> Value:
    kind = named(name)
    if kind is None:
        raise PSError(f"Unable to find type [{name}].", error_id="TypeNotFound")
    try:
        return kind.convert(value)
    except ConversionError as error:
        raise PSError(
            str(error),
            category="InvalidArgument",
            error_id="InvalidCast",
            exception="System.Management.Automation.PSInvalidCastException",
        ) from None


def element(target: Value, index: Value) -> Value:
    """`target[index]`; $null beyond the end, from the end for a negative one."""
    if isinstance(target, Hashtable):
        if target.ordered and isinstance(index, int) and index not in target:
            return element(list(target.values()), index)
        return target.get(index)
    if isinstance(target, str | list | bytes):
        at = cast_value("int", index)
        return target[at] if -len(target) <= at < len(target) else None
    if isinstance(index, str):
        raise PSError(f"Unable to index into an object of type {type_name(target)}.", error_id="CannotIndex")
    return target if index in (0, -1) else None


def put_element(target: Value, index: Value, value: Value) -> None:
    if isinstance(target, Hashtable):
        target[index] = value
    elif isinstance(target, list):
        at = cast_value("int", index)
        if not -len(target) <= at < len(target):
            raise PSError("Index was outside the bounds of the array.", error_id="IndexOutOfRangeException")
        target[at] = value
    elif target is None:
        raise PSError("Cannot index into a null array.", error_id="NullArray")
    else:
        raise PSError("Unable to index into an object of this type.", error_id="CannotIndex")


_EVALUATE: dict[type[s.Node], Callable[..., Value]] = {
    s.Constant: Evaluator._constant,
    s.Expandable: Evaluator._expandable,
    s.Variable: Evaluator._variable,
    s.Splat: Evaluator._splat,
    s.ArrayLiteral: Evaluator._array,
    s.ArrayOf: Evaluator._array_of,
    s.SubExpression: Evaluator._sub_expression,
    s.Parenthesis: Evaluator._parenthesis,
    s.HashLiteral: Evaluator._hash,
    s.Code: Evaluator._code,
    s.Unary: Evaluator._unary,
    s.Binary: Evaluator._binary,
    s.Cast: Evaluator._cast,
    s.TypeLiteral: Evaluator._type,
    s.Member: Evaluator._member,
    s.Call: Evaluator._call,
    s.Index: Evaluator._index,
    s.Increment: Evaluator._increment,
}
