"""From a script's text to our syntax tree, by tree-sitter-powershell. What is outside the subset is refused here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Literal, cast

from tree_sitter import Language, Node, Parser
from tree_sitter_powershell import language

from posthouse.cmdlets.powershell import syntax as s
from posthouse.cmdlets.powershell.declarations import DeclarationReader
from posthouse.cmdlets.powershell.expressions import REFUSED, is_target
from posthouse.cmdlets.powershell.source import Source
from posthouse.cmdlets.powershell.tokens import DOUBLE_QUOTES, SINGLE_QUOTES, Kind

_MOST_CHARACTERS = 1 << 20
_Keyword = Literal["break", "continue", "return", "throw", "exit"]
_ASSIGNMENTS = ("=", "+=", "-=", "*=", "/=", "%=")
_WRAPPERS = ("pipeline", "pipeline_chain")


def parse(text: str, file: str) -> tuple[s.Code, Source]:
    """Raises `ScriptRefused`, or `IncompleteScript` where more text could make it whole."""
    source = Source(text.removeprefix("\ufeff"), file)
    if len(text) > _MOST_CHARACTERS:
        source.refuse(0, f"The script has more than {_MOST_CHARACTERS} characters.")
    try:
        return _Reader(source).script(), source
    except RecursionError:
        source.refuse(0, "The script is nested too deeply; name inner parts with variables.")


@cache
def _parser() -> Parser:
    return Parser(Language(language()))


class _Reader(DeclarationReader):
    def script(self) -> s.Code:
        root = _parser().parse((self.masked.text + "\n").encode("ascii")).root_node
        if root.has_error:
            self._refuse_error(root)
        return self.code(root, root)

    def _refuse_error(self, root: Node) -> None:
        error = next((node for node in _errors(root) if not self._is_empty_block(node)), None)
        if error is None:
            return
        if error.is_missing:
            self.refuse(error, f"Missing '{error.type}' here.")
        rest = self.text(error).split()
        what = _described(rest[0]) if rest else "end"
        self.refuse(error, f"Unexpected {what} in expression or statement.")

    def _is_empty_block(self, node: Node) -> bool:
        """The grammar misses a `;` in a script block without a statement."""
        before, after = self.masked.text[: node.start_byte].rstrip(), self.masked.text[node.end_byte :].lstrip()
        return node.is_missing and node.type == ";" and before.endswith("{") and after.startswith("}")

    # Statements

    def block(self, node: Node | None) -> s.Block:
        """The statements within a node that holds a list of them, however deep."""
        if node is None:
            return ()
        found: list[s.Statement] = []
        for child in node.named_children:
            if child.type in ("statement_list", "script_block", "script_block_body", "statement_block"):
                found += self.block(child)
            elif child.type not in ("empty_statement", "param_block", "named_block_list"):
                found.append(self.statement(child))
        return tuple(found)

    def statement(self, node: Node) -> s.Statement:
        reader = _STATEMENTS.get(node.type)
        if reader:
            return reader(self, node)
        if node.type in REFUSED:
            self.refuse(node, REFUSED[node.type])
        return s.Pipeline(*self.span(node), (self.expression(node),))

    def _pipeline(self, node: Node) -> s.Statement:
        while node.type in _WRAPPERS and node.child_count == 1:
            node = node.children[0]
        if node.type in _STATEMENTS and node.type not in (*_WRAPPERS, "command"):
            return self.statement(node)
        parts = node.children if node.type in _WRAPPERS else [node]
        stages = [self._stage(part) for part in parts if part.type not in ("|", "redirections")]
        redirections = [one for part in parts if part.type == "redirections" for one in part.named_children]
        return s.Pipeline(*self.span(node), tuple(stages), self.discarded(redirections))

    def _stage(self, node: Node) -> s.Expression | s.Command:
        return self.command(node) if node.type == "command" else self.expression(node)

    def _assignment(self, node: Node) -> s.Assignment:
        target, operator, value = node.named_children
        if self.text(operator) not in _ASSIGNMENTS:
            self.refuse(operator, f"Unexpected token '{self.text(operator)}' in expression or statement.")
        left = self.expression(target)
        if not is_target(left):
            self.refuse(
                target, "The assignment expression is not valid; only a variable or a property can be assigned."
            )
        return s.Assignment(*self.span(node), left, self.text(operator), self.statement(value))

    def _if(self, node: Node) -> s.If:
        clauses = [self._clause(node)]
        otherwise: s.Block = ()
        for child in node.named_children:
            if child.type == "elseif_clauses":
                clauses += [self._clause(clause) for clause in child.named_children]
            elif child.type == "else_clause":
                otherwise = self.block(child)
        return s.If(*self.span(node), tuple(clauses), otherwise)

    def _clause(self, node: Node) -> tuple[s.Statement, s.Block]:
        condition, body = node.named_children[:2]
        return self.statement(condition), self.block(body)

    def _foreach(self, node: Node) -> s.ForEach:
        self.refuse_among(node)
        variable, values, body = node.named_children
        name = self.expression(variable)
        if not isinstance(name, s.Variable):
            self.refuse(variable, "foreach needs a variable.")
        return s.ForEach(*self.span(node), name, self.statement(values), self.block(body))

    def _for(self, node: Node) -> s.For:
        parts = {child.type: child for child in node.named_children}

        def part(name: str) -> s.Statement | None:
            return self.statement(parts[name].named_children[0]) if name in parts else None

        body = self.block(parts["statement_block"])
        return s.For(*self.span(node), part("for_initializer"), part("for_condition"), part("for_iterator"), body)

    def _while(self, node: Node) -> s.While:
        condition, body = node.named_children
        return s.While(*self.span(node), self.statement(condition.named_children[0]), self.block(body))

    def _do(self, node: Node) -> s.While:
        body, condition = node.named_children
        until = any(child.type == "until" for child in node.children)
        asked = self.statement(condition.named_children[0])
        return s.While(*self.span(node), asked, self.block(body), once=True, until=until)

    def _switch(self, node: Node) -> s.Switch:
        options: list[str] = []
        value: s.Statement | None = None
        clauses: list[tuple[s.Expression | None, s.Block]] = []
        for child in node.named_children:
            if child.type == "switch_parameters":
                options = self.text(child).lower().split()
            elif child.type == "switch_condition":
                if child.named_children[0].type == "switch_filename":
                    self.refuse(child, "switch -File is not run here; scripts can't read files.")
                value = self.statement(child.named_children[0])
            elif child.type == "switch_body":
                clauses = [
                    self._switch_clause(clause) for body in child.named_children for clause in body.named_children
                ]
        if "-parallel" in options:
            self.refuse(node, "switch -Parallel is not run here.")
        assert value is not None
        match = "regex" if "-regex" in options else "wildcard" if "-wildcard" in options else "exact"
        return s.Switch(*self.span(node), value, tuple(clauses), match, "-casesensitive" in options)

    def _switch_clause(self, node: Node) -> tuple[s.Expression | None, s.Block]:
        condition, body = node.named_children
        text = self.text(condition)
        if text.lower() == "default":
            return None, self.block(body)
        token = self.masked.tokens.get(condition.start_byte)
        if token and token.kind is Kind.COMMAND:
            return s.Constant(*self.span(condition), text), self.block(body)
        return self.expression(condition), self.block(body)

    def _try(self, node: Node) -> s.Try:
        body = self.block(node.named_children[0])
        catches: list[s.Catch] = []
        cleanup: s.Block = ()
        for child in node.named_children[1:]:
            if child.type == "catch_clauses":
                catches += [self._catch(clause) for clause in child.named_children]
            elif child.type == "finally_clause":
                cleanup = self.block(child)
        if len(node.named_children) == 1:
            self.refuse(node, "The Try statement is missing its Catch or Finally block.")
        return s.Try(*self.span(node), body, tuple(catches), cleanup)

    def _catch(self, node: Node) -> s.Catch:
        types = [
            kind for child in node.named_children if child.type == "catch_type_list" for kind in child.named_children
        ]
        return s.Catch(
            *self.span(node), tuple(self.type_name(kind) for kind in types), self.block(node.named_children[-1])
        )

    def _flow(self, node: Node) -> s.Flow:
        self.refuse_among(node)
        value = self.statement(node.named_children[0]) if node.named_children else None
        keyword = cast("_Keyword", node.children[0].type.lower())
        return s.Flow(*self.span(node), keyword, value)

    def _function(self, node: Node) -> s.Function:
        if node.children[0].type.lower() != "function":
            self.refuse(node, "filter and workflow are not run here; use a function.")
        name = self.text(node.named_children[0])
        parts = {child.type: child for child in node.named_children[1:]}
        declared = parts.get("function_parameter_declaration")
        body = parts.get("script_block")
        parameters = self.parameters(declared) if declared else ()
        code = self.code(node, body)
        return s.Function(*self.span(node), name, replace(code, parameters=parameters + code.parameters))

    def read_part(self, source: Source) -> s.Block:
        return _Reader(source).script().body


def _described(token: str) -> str:
    """A string may be a password."""
    return "string" if token[0] in SINGLE_QUOTES + DOUBLE_QUOTES else f"token '{token}'"


def _errors(node: Node) -> Iterator[Node]:
    """What the grammar could not read, in the order of the text."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            yield node
        waiting += [child for child in reversed(node.children) if child.has_error]


_STATEMENTS: dict[str, Callable[[_Reader, Node], s.Statement]] = {
    "pipeline": _Reader._pipeline,
    "pipeline_chain": _Reader._pipeline,
    "command": _Reader._pipeline,
    "assignment_expression": _Reader._assignment,
    "if_statement": _Reader._if,
    "foreach_statement": _Reader._foreach,
    "for_statement": _Reader._for,
    "while_statement": _Reader._while,
    "do_statement": _Reader._do,
    "switch_statement": _Reader._switch,
    "try_statement": _Reader._try,
    "flow_control_statement": _Reader._flow,
    "function_statement": _Reader._function,
}
