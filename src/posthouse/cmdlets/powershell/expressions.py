"""From the grammar's nodes to our expressions and commands."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NoReturn

from tree_sitter import Node

from posthouse.cmdlets import statics
from posthouse.cmdlets.conversion import named, number
from posthouse.cmdlets.powershell import syntax as s
from posthouse.cmdlets.powershell.scanner import Masked, mask
from posthouse.cmdlets.powershell.source import Source
from posthouse.cmdlets.powershell.strings import read_string
from posthouse.cmdlets.powershell.tokens import DASH, Kind

REFUSED = {
    "class_statement": "Classes are not run here; use [pscustomobject]@{…}.",
    "enum_statement": "Enumerations are not run here; use texts.",
    "trap_statement": "trap is not run here; use try and catch.",
    "data_statement": "data sections are not run here.",
    "inlinescript_statement": "Workflows are not run here.",
    "parallel_statement": "Workflows are not run here.",
    "sequence_statement": "Workflows are not run here.",
    "foreach_parameter": "foreach -Parallel is not run here.",
    "stop_parsing": "The stop-parsing token --% is not run here; programs can't be started.",
    "invokation_foreach_expression": ".foreach is not run here; use ForEach-Object.",
    "label": "Labels are not run here.",
    "label_expression": "Labels are not run here.",
    "command_invokation_operator": "The operators & and . are not run here; write the cmdlet's name itself.",
}
_BLANKS = re.compile(r"\s+")
_MEMBER_PARTS = 3
_EXCERPT = 40


class ExpressionReader(ABC):
    """Reads one text: a script, or what is within a `$( )` of a string."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.masked: Masked = mask(source)

    @abstractmethod
    def block(self, node: Node | None) -> s.Block: ...

    @abstractmethod
    def statement(self, node: Node) -> s.Statement: ...

    @abstractmethod
    def code(self, node: Node, body: Node | None) -> s.Code: ...

    @abstractmethod
    def read_part(self, source: Source) -> s.Block: ...

    def refuse(self, node: Node, sentence: str) -> NoReturn:
        self.source.refuse(node.start_byte, sentence)

    def refuse_among(self, node: Node) -> None:
        for child in node.children:
            if child.type in REFUSED:
                self.refuse(child, REFUSED[child.type])

    def text(self, node: Node) -> str:
        """What a node is in the script; a masked token may be longer than its mask."""
        token = self.masked.tokens.get(node.start_byte)
        return self.source.text[node.start_byte : max(node.end_byte, token.end if token else 0)]

    def span(self, node: Node) -> tuple[int, int]:
        return self.source.base + node.start_byte, self.source.base + node.end_byte

    def expression(self, node: Node) -> s.Expression:
        while node.type in _TRANSPARENT and node.child_count == 1:
            node = node.children[0]
        if node.type in _OPERATORS:
            return self._binary(node)
        reader = _EXPRESSIONS.get(node.type)
        if reader is None:
            self.refuse(node, REFUSED.get(node.type, f"'{_excerpt(self.text(node))}' is not run here."))
        return reader(self, node)

    def _binary(self, node: Node) -> s.Binary:
        left, operator, right = node.children
        text = self.text(operator).lower()
        sign = ".." if text.strip().startswith(".") else DASH.sub("-", text)
        return s.Binary(*self.span(node), sign, self.expression(left), self.expression(right))

    def _array(self, node: Node) -> s.Expression:
        parts = [self.expression(child) for child in node.named_children]
        return s.ArrayLiteral(*self.span(node), tuple(parts))

    def _unary(self, node: Node) -> s.Expression:
        if node.child_count == 1:
            return self.expression(node.children[0])
        operator, operand = node.children
        sign = self.text(operator).lower()
        sign = DASH.sub("-", sign)
        value = self.expression(operand)
        if sign == ",":
            return s.ArrayLiteral(*self.span(node), (value,))
        return s.Unary(*self.span(node), "-not" if sign == "!" else sign, value)

    def _increment(self, node: Node) -> s.Increment:
        before = node.type.startswith("pre_")
        by = 1 if "increment" in node.type else -1
        target = self.expression(node.named_children[0])
        if not is_target(target):
            self.refuse(node, "The operator works only on variables or on properties.")
        return s.Increment(*self.span(node), target, by, before)

    def _cast(self, node: Node) -> s.Cast:
        kind, operand = node.named_children
        return s.Cast(*self.span(node), self.type_name(kind), self.expression(operand))

    def type_name(self, node: Node) -> str:
        name = _BLANKS.sub("", self.text(node))[1:-1]
        generic = any(part.type == "generic_type_name" for child in node.named_children for part in child.children)
        if generic and not named(name):
            self.refuse(node, "Of the generic types only System.Collections.Generic.List is known here.")
        return name

    def _type(self, node: Node) -> s.TypeLiteral:
        return s.TypeLiteral(*self.span(node), self.type_name(node))

    def _literal(self, node: Node) -> s.Expression:
        token = self.masked.tokens.get(node.start_byte)
        if token is None:
            self.refuse(node, f"Unexpected token '{self.text(node)}' in expression or statement.")
        raw = self.source.text[token.start : token.end]
        found = number(raw) if token.kind in (Kind.NUMBER, Kind.WORD) else None
        if found is not None:
            return s.Constant(self.source.base + token.start, self.source.base + token.end, found, raw)
        if token.kind is Kind.NUMBER:
            self.refuse(node, f"The numeric constant {_excerpt(raw)} is not valid.")
        return read_string(self.source, token, self.read_part)

    def _variable(self, node: Node) -> s.Expression:
        text = self.text(node)
        if text.startswith("@"):
            return s.Splat(*self.span(node), text[1:])
        name = text[2:-1] if text.startswith("${") else text[1:]
        return s.Variable(*self.span(node), name)

    def _member(self, node: Node) -> s.Expression:
        target, separator, member = node.children[:3]
        static = separator.type == "::"
        name = self._member_name(member)
        if len(node.children) == _MEMBER_PARTS:
            return s.Member(*self.span(node), self.expression(target), name, static)
        if not isinstance(name, str):
            self.refuse(member, "A method's name must be written out here.")
        return s.Call(*self.span(node), self.expression(target), name, self._arguments(node.children[3]), static)

    def _member_name(self, node: Node) -> str | s.Expression:
        inner = node.named_children[0] if node.named_children else node
        if inner.type == "simple_name" or inner is node:
            return self.text(node)
        name = self.expression(inner)
        return name.value if isinstance(name, s.Constant) and isinstance(name.value, str) else name

    def _arguments(self, node: Node) -> tuple[s.Expression, ...]:
        """A comma separates arguments, where it isn't in brackets."""
        return tuple(
            self.expression(argument)
            for listed in node.named_children
            for argument in listed.named_children
            if argument.type == "argument_expression"
        )

    def _index(self, node: Node) -> s.Index:
        target, index = node.named_children
        return s.Index(*self.span(node), self.expression(target), self.expression(index))

    def _parenthesis(self, node: Node) -> s.Parenthesis:
        return s.Parenthesis(*self.span(node), self.statement(node.named_children[0]))

    def _sub_expression(self, node: Node) -> s.SubExpression:
        return s.SubExpression(*self.span(node), self.block(node))

    def _array_of(self, node: Node) -> s.ArrayOf:
        return s.ArrayOf(*self.span(node), self.block(node))

    def _hash(self, node: Node) -> s.HashLiteral:
        entries = [entry for body in node.named_children for entry in body.named_children if entry.type == "hash_entry"]
        return s.HashLiteral(*self.span(node), tuple(self._entry(entry) for entry in entries))

    def _entry(self, node: Node) -> tuple[s.Expression, s.Statement]:
        key, value = node.named_children[:2]
        name = key.named_children[0]
        if name.type == "simple_name":
            return s.Constant(*self.span(name), self.text(name)), self.statement(value)
        return self.expression(name), self.statement(value)

    def _script_block(self, node: Node) -> s.Code:
        return self.code(node, next((child for child in node.named_children if child.type == "script_block"), None))

    # Commands

    def command(self, node: Node) -> s.Command:
        self.refuse_among(node)
        token = self.masked.tokens.get(node.start_byte)
        name = self.text(node.named_children[0])
        if token is None or token.kind is not Kind.COMMAND:
            if name.lower() in ("begin", "process", "end"):
                self.refuse(node, "begin, process and end blocks are run in functions only.")
            self.refuse(node, f"Unexpected token '{_excerpt(name)}' in expression or statement.")
        elements = node.child_by_field_name("command_elements")
        if elements:
            self.refuse_among(elements)
        parts = elements.children if elements else []
        redirections = [part for part in parts if part.type == "redirection"]
        words = [part for part in parts if part.type != "redirection"]
        return s.Command(*self.span(node), name, self._elements(words), self.discarded(redirections))

    def discarded(self, redirections: list[Node]) -> str:
        """The streams that go to $null: 1 is the output, 2 errors, 3 warnings; * is all (about_Redirection)."""
        streams = "".join(self.text(node).partition(">")[0].strip() or "1" for node in redirections)
        return streams.replace("*", "12345")

    def _elements(self, nodes: list[Node]) -> tuple[s.Option | s.Expression, ...]:
        found: list[s.Option | s.Expression] = []
        colon = False
        for node in nodes:
            if node.type == "command_argument_sep":
                colon = colon or self.text(node).startswith(":")
            elif node.type == "command_parameter":
                found.append(s.Option(*self.span(node), self.text(node)[1:]))
            elif node.type == "argument_list":
                found.append(self._call(node, found.pop() if found else None))
            else:
                value = self.expression(node)
                found.append(_with_value(found.pop(), value) if colon and found else value)
                colon = False
        return tuple(found)

    def _call(self, node: Node, member: s.Option | s.Expression | None) -> s.Call:
        """Among a command's arguments the grammar gives those of a method apart from its name."""
        name = member.name if isinstance(member, s.Member) else None
        if not isinstance(member, s.Member) or not isinstance(name, str):
            self.refuse(node, "Unexpected token '(' in expression or statement.")
        end = self.source.base + node.end_byte
        return s.Call(member.start, end, member.target, name, self._arguments(node), member.static)


def _with_value(option: s.Option | s.Expression, value: s.Expression) -> s.Option | s.Expression:
    return s.Option(option.start, value.end, option.name, value) if isinstance(option, s.Option) else value


def is_target(expression: s.Expression) -> bool:
    """Whether it can be assigned."""
    if isinstance(expression, s.ArrayLiteral):
        return all(is_target(item) for item in expression.items)
    if isinstance(expression, s.Cast):
        return is_target(expression.operand)
    if isinstance(expression, s.Member) and expression.static:
        kind, name = expression.target, expression.name
        return isinstance(kind, s.TypeLiteral) and isinstance(name, str) and statics.settable(kind.name, name)
    return isinstance(expression, s.Variable | s.Index | s.Member)


def _excerpt(text: str) -> str:
    line = text.split("\n", 1)[0]
    return line if len(line) <= _EXCERPT else line[:_EXCERPT] + "…"


_BINARY = ("logical", "bitwise", "comparison", "additive", "multiplicative", "format", "range")
_OPERATORS = frozenset(f"{name}{kind}" for name in _BINARY for kind in ("_expression", "_argument_expression"))
_TRANSPARENT = _OPERATORS | {
    "pipeline",
    "pipeline_chain",
    "unary_expression",
    "array_literal_expression",
    "argument_expression",
    "left_assignment_expression",
    "integer_literal",
    "string_literal",
    "key_expression",
    "switch_clause_condition",
}
_EXPRESSIONS: dict[str, Callable[[ExpressionReader, Node], s.Expression]] = {
    "array_literal_expression": ExpressionReader._array,
    "expression_with_unary_operator": ExpressionReader._unary,
    "pre_increment_expression": ExpressionReader._increment,
    "pre_decrement_expression": ExpressionReader._increment,
    "post_increment_expression": ExpressionReader._increment,
    "post_decrement_expression": ExpressionReader._increment,
    "cast_expression": ExpressionReader._cast,
    "type_literal": ExpressionReader._type,
    "decimal_integer_literal": ExpressionReader._literal,
    "verbatim_string_characters": ExpressionReader._literal,
    "variable": ExpressionReader._variable,
    "member_access": ExpressionReader._member,
    "invokation_expression": ExpressionReader._member,
    "element_access": ExpressionReader._index,
    "parenthesized_expression": ExpressionReader._parenthesis,
    "sub_expression": ExpressionReader._sub_expression,
    "array_expression": ExpressionReader._array_of,
    "hash_literal_expression": ExpressionReader._hash,
    "script_block_expression": ExpressionReader._script_block,
}
