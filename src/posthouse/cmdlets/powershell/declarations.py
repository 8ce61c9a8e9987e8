"""What scripts, functions and script blocks declare: named blocks, parameters, and the attributes of each."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tree_sitter import Node

from posthouse.cmdlets.powershell import syntax as s
from posthouse.cmdlets.powershell.expressions import ExpressionReader
from posthouse.cmdlets.values import Value

_ASKS = re.compile(r"supportsshouldprocess(?!\s*=\s*\$false)")


class DeclarationReader(ExpressionReader, ABC):
    def code(self, node: Node, body: Node | None) -> s.Code:
        """A script's, a script block's or a function's content; `node` is what stands around it."""
        if body is None:
            return s.Code(*self.span(node), (), ())
        declared = next((child for child in body.named_children if child.type == "param_block"), None)
        blocks = dict(self._named_blocks(body))
        return s.Code(
            *self.span(node),
            self.parameters(declared) if declared else (),
            blocks["end"] if "end" in blocks else () if blocks else self.block(body),
            self.source.text[body.start_byte : body.end_byte].strip("\n"),
            blocks.get("begin", ()),
            blocks.get("process", ()),
            bool(declared and _ASKS.search(self._attributes(declared))),
        )

    def _named_blocks(self, body: Node) -> Iterator[tuple[str, s.Block]]:
        """`begin`, `process` and `end` (about_Functions_Advanced_Methods)."""
        for holder in (body, *(child for child in body.named_children if child.type == "script_block_body")):
            for listed in (child for child in holder.named_children if child.type == "named_block_list"):
                for block in listed.named_children:
                    name, statements = block.named_children
                    if self.text(name).lower() not in ("begin", "process", "end"):
                        self.refuse(block, f"{self.text(name)} blocks are not run here.")
                    yield self.text(name).lower(), self.block(statements)

    def _attributes(self, declared: Node) -> str:
        return " ".join(self.text(child) for child in declared.children if child.type == "attribute_list").lower()

    def parameters(self, node: Node) -> tuple[s.ScriptParameter, ...]:
        listed = [
            child for part in node.named_children if part.type == "parameter_list" for child in part.named_children
        ]
        return tuple(self._parameter(child) for child in listed)

    def _parameter(self, node: Node) -> s.ScriptParameter:
        parts = {child.type: child for child in node.named_children}
        default = parts.get("script_parameter_default")
        value = self.expression(default.named_children[0]) if default else None
        parameter = s.ScriptParameter(*self.span(node), self.text(parts["variable"])[1:], default=value)
        for attribute in parts["attribute_list"].named_children if "attribute_list" in parts else ():
            parameter = self._with_attribute(parameter, attribute)
        return parameter

    def _with_attribute(self, parameter: s.ScriptParameter, node: Node) -> s.ScriptParameter:
        """See about_Functions_Advanced_Parameters."""
        if node.named_children[0].type == "type_literal":
            return replace(parameter, type=self.type_name(node.named_children[0]))
        name = self.text(node.named_children[0]).lower().removesuffix("attribute")
        given = dict(self._attribute_arguments(node))
        if name == "parameter":
            position = given.get("position")
            return replace(
                parameter,
                position=position if isinstance(position, int) else None,
                mandatory=bool(given.get("mandatory", False)),
                from_pipeline=bool(given.get("valuefrompipeline", False)),
                from_pipeline_by_name=bool(given.get("valuefrompipelinebypropertyname", False)),
            )
        texts = tuple(str(value) for key, value in given.items() if key.isdigit())
        change = _ATTRIBUTES.get(name)
        if change is None:
            self.refuse(node, f"The attribute {self.text(node.named_children[0])} is not known here; check the value.")
        return replace(parameter, **change(texts))

    def _attribute_arguments(self, node: Node) -> Iterator[tuple[str, Value]]:
        """By name, or by number those without one; a name alone is $true."""
        arguments = [
            argument
            for part in node.named_children
            if part.type == "attribute_arguments"
            for argument in part.named_children
        ]
        for number, argument in enumerate(arguments):
            names = [child for child in argument.named_children if child.type == "simple_name"]
            values = [child for child in argument.named_children if child.type != "simple_name"]
            value = self.expression(values[0]) if values else None
            name = self.text(names[0]).lower() if names else str(number)
            yield name, True if value is None else _literal_value(value)


def _literal_value(expression: s.Expression) -> Value:
    """What an attribute's argument says: a literal, $true or $false."""
    if isinstance(expression, s.Constant):
        return expression.value
    return isinstance(expression, s.Variable) and expression.name.lower() == "true"


_ATTRIBUTES: dict[str, Callable[[tuple[str, ...]], dict[str, Any]]] = {
    "alias": lambda texts: {"aliases": texts},
    "validateset": lambda texts: {"values": texts},
    "validatenotnullorempty": lambda _: {"not_empty": True},
    "validatenotnull": lambda _: {"not_empty": True},
    **dict.fromkeys(("allownull", "allowemptystring", "allowemptycollection"), lambda _: {"allow_empty": True}),
}
