"""Runs a script: statements, pipelines, commands. Everything streams: a value goes on before the next is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from posthouse.cmdlets.conversion import to_boolean
from posthouse.cmdlets.errors import Place, PSError
from posthouse.cmdlets.interface import Bound, Services
from posthouse.cmdlets.limits import Budget, LimitReached
from posthouse.cmdlets.operators import equal
from posthouse.cmdlets.patterns import like
from posthouse.cmdlets.powershell import syntax as s
from posthouse.cmdlets.powershell.commands import Block, Commands
from posthouse.cmdlets.powershell.flow import Break, Continue, Return, ScriptExit
from posthouse.cmdlets.powershell.records import handles, thrown
from posthouse.cmdlets.powershell.running import QUIET, inherited, without_common
from posthouse.cmdlets.powershell.scope import Frame, Scope
from posthouse.cmdlets.powershell.source import Source
from posthouse.cmdlets.registry import Registry
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Value, collected, items


class Interpreter(Commands):
    """One session: its variables and functions stay from script to script. `show_error` prints an error."""

    def __init__(
        self, registry: Registry, services: Services, budget: Budget, show_error: Callable[[PSError], None]
    ) -> None:
        super().__init__(registry, services, budget, show_error)
        self.scope = Scope()
        self.at: Place | None = None

    def run_script(self, code: s.Code, source: Source, bound: Bound) -> Iterator[Value]:
        """Its output. Raises `PSError` for an error that ended it, `ScriptExit`, `LimitReached`, `RecursionError`."""
        frame = Frame(self.scope, source)
        self.at = frame.place(code)
        inherited(frame.scope, bound)
        try:
            self.set_parameters(code, Bound(without_common(bound)), frame)
            for statement in (*code.begin, *code.process, *code.body):
                self.at = frame.place(statement)
                yield from self.run_statement(statement, frame)
        except (Return, Break, Continue):
            return

    # Statements

    def run_block(self, block: s.Block, frame: Frame) -> Iterator[Value]:
        for statement in block:
            yield from self.run_statement(statement, frame)

    def run_statement(self, statement: s.Statement, frame: Frame) -> Iterator[Value]:
        """An error ends the statement, and the next one is run, unless the error is to stop or a `try` waits for it."""
        self.budget.step()
        reported = self.reported
        try:
            yield from _RUN[type(statement)](self, statement, frame)
            if isinstance(statement, s.Pipeline | s.Assignment):
                self.succeeded = self.reported == reported
        except LimitReached as reached:
            reached.place = reached.place or frame.place(statement)
            raise
        except PSError as error:
            self.succeeded = False
            error.place = error.place or frame.place(statement)
            preference = to_text(frame.scope.get("ErrorActionPreference")).lower()
            error.stop = error.stop or preference == "stop"
            if error.stop or frame.guarded:
                raise
            error.silent = error.silent or preference in QUIET
            self.report(error)

    def _pipeline(self, node: s.Pipeline, frame: Frame) -> Iterator[Value]:
        stream: Iterator[Value] | None = None
        for stage in node.stages:
            command = isinstance(stage, s.Command)
            stream = self.command(stage, frame, stream) if command else self._first(stage, node.discarded, frame)
        return stream or iter(())

    def _first(self, node: s.Expression, discarded: str, frame: Frame) -> Iterator[Value]:
        """An expression's values; `$i++`, a method without a result, and what holds no output have none."""
        if isinstance(node, s.Parenthesis):
            outcome = self.outcome(node.inner, frame)
            if not outcome:
                return
            value = outcome[0]
        elif isinstance(node, s.Variable) and frame.scope.is_nothing(node.name):
            return
        else:
            value = self.evaluate(node, frame)
        silent = isinstance(node, s.Increment) or (isinstance(node, s.Cast) and node.type.lower() == "void")
        if silent or "1" in discarded or (value is None and isinstance(node, s.Call)):
            return
        yield from items(value)

    def _assignment(self, node: s.Assignment, frame: Frame) -> Iterator[Value]:
        outcome = self.outcome(node.value, frame)
        if not outcome and node.operator == "=" and isinstance(node.target, s.Variable):
            self.assign_variable(node.target.name, None, frame)
            frame.scope.set_nothing(node.target.name)
            return iter(())
        value = collected(outcome)
        if node.operator != "=":
            before = self.evaluate(node.target, frame)
            value = self.operators.binary(node.operator[0], before, value)
        self.assign(node.target, value, frame)
        return iter(())

    def _holds(self, condition: s.Statement, frame: Frame) -> bool:
        return to_boolean(self.value_of(condition, frame))

    def _if(self, node: s.If, frame: Frame) -> Iterator[Value]:
        for condition, body in node.clauses:
            if self._holds(condition, frame):
                return self.run_block(body, frame)
        return self.run_block(node.otherwise, frame)

    def _foreach(self, node: s.ForEach, frame: Frame) -> Iterator[Value]:
        values = self.value_of(node.values, frame)
        for value in () if values is None else list(items(values)):
            frame.scope.set(node.variable.name, value)
            if (yield from self._body(node.body, frame)):
                return

    def _body(self, body: s.Block, frame: Frame) -> Iterator[Value]:
        """One round of a loop; returns whether it was the last."""
        self.budget.step()
        try:
            yield from self.run_block(body, frame)
        except Break:
            return True
        except Continue:
            pass
        return False

    def _for(self, node: s.For, frame: Frame) -> Iterator[Value]:
        self._silently(node.first, frame)
        while node.condition is None or self._holds(node.condition, frame):
            if (yield from self._body(node.body, frame)):
                return
            self._silently(node.step, frame)

    def _silently(self, statement: s.Statement | None, frame: Frame) -> None:
        if statement is not None:
            for _ in self.run_statement(statement, frame):
                pass

    def _while(self, node: s.While, frame: Frame) -> Iterator[Value]:
        once = node.once
        while once or self._holds(node.condition, frame) != node.until:
            once = False
            if (yield from self._body(node.body, frame)):
                return

    def _switch(self, node: s.Switch, frame: Frame) -> Iterator[Value]:
        """Each value meets each clause; several may match (about_Switch)."""
        for value in list(items(self.value_of(node.value, frame))):
            inner = frame.with_item(value)
            if (yield from self._body_of_switch(node, value, inner)):
                return

    def _body_of_switch(self, node: s.Switch, value: Value, frame: Frame) -> Iterator[Value]:
        matched = False
        for condition, body in node.clauses:
            if condition is None or not self._clause_matches(node, condition, value, frame):
                continue
            matched = True
            try:
                yield from self.run_block(body, frame)
            except Break:
                return True
            except Continue:
                return False
        if not matched:
            for body in (body for condition, body in node.clauses if condition is None):
                if (yield from self._body(body, frame)):
                    return True
        return False

    def _clause_matches(self, node: s.Switch, condition: s.Expression, value: Value, frame: Frame) -> bool:
        wanted = self.evaluate(condition, frame)
        if isinstance(wanted, Block):
            return to_boolean(collected(wanted.run(value)))
        if node.match == "wildcard":
            return like(to_text(value), to_text(wanted), ignore_case=not node.case_sensitive)
        if node.match == "regex":
            return self.operators.matches_regex(value, wanted, node.case_sensitive)
        return equal(value, wanted, node.case_sensitive)

    def _try(self, node: s.Try, frame: Frame) -> Iterator[Value]:
        try:
            yield from self._caught(node, frame)
        except GeneratorExit:
            for statement in node.cleanup:
                self._silently(statement, frame)
            raise
        except BaseException:
            yield from self.run_block(node.cleanup, frame)
            raise
        yield from self.run_block(node.cleanup, frame)

    def _caught(self, node: s.Try, frame: Frame) -> Iterator[Value]:
        guarded = frame.in_try() if node.catches else frame
        try:
            yield from self.run_block(node.body, guarded)
            return
        except PSError as error:
            caught = error
        handler = next((catch for catch in node.catches if handles(catch, caught)), None)
        if handler is None:
            raise caught
        yield from self.run_block(handler.body, frame.with_item(self.keep_error(caught)))

    def _flow(self, node: s.Flow, frame: Frame) -> Iterator[Value]:
        if node.keyword == "return":
            if node.value is not None:
                yield from self.run_statement(node.value, frame)
            raise Return
        value = self.value_of(node.value, frame) if node.value else None
        if node.keyword == "throw":
            raise thrown(value if node.value else frame.item)
        if node.keyword == "exit":
            raise ScriptExit(value & 0xFF if isinstance(value, int) else 0)
        raise Break if node.keyword == "break" else Continue

    def _function(self, node: s.Function, frame: Frame) -> Iterator[Value]:
        self.functions[node.name.lower()] = node, frame
        return iter(())


_RUN: dict[type[s.Node], Callable[..., Iterator[Value]]] = {
    s.Pipeline: Interpreter._pipeline,
    s.Assignment: Interpreter._assignment,
    s.If: Interpreter._if,
    s.ForEach: Interpreter._foreach,
    s.For: Interpreter._for,
    s.While: Interpreter._while,
    s.Switch: Interpreter._switch,
    s.Try: Interpreter._try,
    s.Flow: Interpreter._flow,
    s.Function: Interpreter._function,
}
