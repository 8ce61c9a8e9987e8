"""Runs a script: statements, pipelines, commands. Everything streams: a value goes on before the next is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from posthouse.cmdlets.binding import Binding, Given, bind, bind_item, require
from posthouse.cmdlets.conversion import to_boolean
from posthouse.cmdlets.errors import Place, PSError
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Parameter, Services
from posthouse.cmdlets.limits import Budget, LimitReached
from posthouse.cmdlets.operators import equal
from posthouse.cmdlets.patterns import like
from posthouse.cmdlets.powershell import syntax as s
from posthouse.cmdlets.powershell.calls import declared, splatted
from posthouse.cmdlets.powershell.evaluation import Evaluator
from posthouse.cmdlets.powershell.records import error_record, handles, thrown
from posthouse.cmdlets.powershell.running import Preferences, Running, without_common
from posthouse.cmdlets.powershell.scope import Frame, Scope
from posthouse.cmdlets.powershell.source import Source
from posthouse.cmdlets.registry import Registry
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, ScriptBlock, Value, collected, items

_QUIET = ("silentlycontinue", "ignore")
_MOST_ERRORS = 256  # that $Error keeps


class _Break(Exception):
    """`break`, to the loop around it."""


class _Continue(Exception):
    """`continue`, to the loop around it."""


class _Return(Exception):
    """`return`, to the function or script block around it."""


class ScriptExit(Exception):
    """`exit`, out of the script."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True, eq=False)
class Block:
    """A script block as a value (`values.ScriptBlock`): it runs in the frame that it was written in."""

    interpreter: Interpreter
    code: s.Code
    frame: Frame
    source: str

    def run(self, item: Value, arguments: tuple[Value, ...] = ()) -> Iterator[Value]:
        frame = self.frame.with_item(item)
        if self.code.parameters:
            frame = frame.inner().with_item(item)
            for parameter, value in zip(self.code.parameters, arguments, strict=False):
                frame.scope.set(parameter.name, value)
        try:
            yield from self.interpreter.run_block(self.code.body, frame)
        except _Return:
            return


class Interpreter(Evaluator):
    """One session: its variables and functions stay from script to script. `show_error` prints an error."""

    def __init__(
        self, registry: Registry, services: Services, budget: Budget, show_error: Callable[[PSError], None]
    ) -> None:
        super().__init__(registry, services, budget)
        self.show_error = show_error
        self.functions: dict[str, s.Function] = {}
        self.source = Source("", "")
        self.at: Place | None = None
        self.reported = 0
        self.failed = False
        self.root = Frame(Scope())

    def run_script(self, block: s.Block, source: Source) -> Iterator[Value]:
        """Its output. Raises `PSError` for an error that ended it, `ScriptExit`, `LimitReached`, `RecursionError`."""
        self.source = source
        try:
            for statement in block:
                self.at = self.place(statement)
                yield from self.run_statement(statement, self.root)
        except (_Return, _Break, _Continue):
            return

    def script_block(self, code: s.Code, frame: Frame) -> ScriptBlock:
        return Block(self, code, frame, code.source)

    def place(self, node: s.Node) -> Place:
        return self.source.place(node.start, node.end)

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
            reached.place = reached.place or self.place(statement)
            raise
        except PSError as error:
            self.succeeded = False
            error.place = error.place or self.place(statement)
            preference = to_text(frame.scope.get("ErrorActionPreference")).lower()
            error.stop = error.stop or preference == "stop"
            if error.stop or frame.guarded:
                raise
            error.silent = preference in _QUIET
            self.report(error)

    def report(self, error: PSError) -> None:
        """Keep an error in $Error, and show it."""
        self.reported += 1
        self.errors.insert(0, error_record(error))
        del self.errors[_MOST_ERRORS:]
        if not error.silent:
            self.failed = True
            self.show_error(error)

    def _pipeline(self, node: s.Pipeline, frame: Frame) -> Iterator[Value]:
        stream: Iterator[Value] | None = None
        for stage in node.stages:
            command = isinstance(stage, s.Command)
            stream = self._command(stage, frame, stream) if command else self._first(stage, frame)
        return stream or iter(())

    def _first(self, node: s.Expression, frame: Frame) -> Iterator[Value]:
        """An expression's values; `$i++` and a method without a result have none."""
        value = self.evaluate(node, frame)
        silent = isinstance(node, s.Increment) or (isinstance(node, s.Cast) and node.type.lower() == "void")
        if silent or (value is None and isinstance(node, s.Call)):
            return
        yield from items(value)

    def _assignment(self, node: s.Assignment, frame: Frame) -> Iterator[Value]:
        value = self.value_of(node.value, frame)
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
        except _Break:
            return True
        except _Continue:
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
            except _Break:
                return True
            except _Continue:
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
        record = error_record(caught)
        self.errors.insert(0, record)
        yield from self.run_block(handler.body, frame.with_item(record))

    def _flow(self, node: s.Flow, frame: Frame) -> Iterator[Value]:
        if node.keyword == "return":
            if node.value is not None:
                yield from self.run_statement(node.value, frame)
            raise _Return
        value = self.value_of(node.value, frame) if node.value else None
        if node.keyword == "throw":
            raise thrown(value if node.value else frame.item)
        if node.keyword == "exit":
            raise ScriptExit(value & 0xFF if isinstance(value, int) else 0)
        raise _Break if node.keyword == "break" else _Continue

    def _function(self, node: s.Function, frame: Frame) -> Iterator[Value]:
        self.functions[node.name.lower()] = node
        return iter(())

    def _as_cmdlet(self, node: s.Function, frame: Frame) -> Cmdlet:
        """A function as its caller runs it: it sees the caller's variables."""
        code = node.code

        def run(_context: Context, bound: Bound) -> Iterator[Value]:
            inner = frame.inner()
            for parameter in code.parameters:
                default = self.evaluate(parameter.default, inner) if parameter.default else None
                inner.scope.set(parameter.name, bound.get(parameter.name, default))
            inner.scope.set("args", list(items(bound.get("args", []))))
            inner.scope.set("PSBoundParameters", Hashtable(bound))
            try:
                yield from self.run_block(code.body, inner)
            except _Return:
                return

        rest = Parameter(name="args", position=len(code.parameters), rest=True)
        own = tuple(declared(parameter, index) for index, parameter in enumerate(code.parameters))
        return Cmdlet(node.name, (*own, rest), run)

    # Commands

    def _command(self, node: s.Command, frame: Frame, stream: Iterator[Value] | None) -> Iterator[Value]:
        function = self.functions.get(node.name.lower())
        cmdlet = self._as_cmdlet(function, frame) if function else self.registry.cmdlet(node.name)
        try:
            if cmdlet is None:
                text = f"The term '{node.name}' is not recognized as the name of a cmdlet or function."
                raise PSError(text, category="ObjectNotFound", error_id="CommandNotFoundException")
            binding = bind(cmdlet, self._arguments(node, frame))
            require(binding.missing(pipeline=stream is not None and not cmdlet.whole), cmdlet)
            yield from self._run(binding, self._running(binding, node, frame), stream)
        except PSError as error:
            error.place = error.place or self.place(node)
            raise

    def _running(self, binding: Binding, node: s.Command, frame: Frame) -> Running:
        def report(error: PSError) -> None:
            error.place = error.place or self.place(node)
            self.report(error)

        preferences = Preferences.of(binding.cmdlet, binding.values, frame.scope.get)
        return Running(
            binding.cmdlet, self.services, self.registry, self.operators, preferences, report, frame.scope.get
        )

    def _run(self, binding: Binding, running: Running, stream: Iterator[Value] | None) -> Iterator[Value]:
        values = without_common(binding.values)
        if binding.cmdlet.whole or stream is None:
            yield from self._call_cmdlet(running, Bound(values, self._counted(stream or iter(()))))
            return
        for item in self._counted(stream):
            try:
                bound = {**values, **bind_item(binding, item)}
                require([p for p in binding.missing(pipeline=False) if p.name not in bound], binding.cmdlet)
            except PSError as error:
                running.error(error)
                continue
            yield from self._call_cmdlet(running, Bound(bound))

    def _counted(self, stream: Iterator[Value]) -> Iterator[Value]:
        for item in stream:
            self.budget.step()
            yield item

    def _call_cmdlet(self, running: Running, bound: Bound) -> Iterator[Value]:
        """An error that the cmdlet itself raises ends this object; one from elsewhere in the pipeline passes."""
        try:
            yield from running.cmdlet.run(running, bound)
        except PSError as error:
            if error.command or error.place or error.stop:
                raise
            running.error(error)

    def _arguments(self, node: s.Command, frame: Frame) -> list[Given]:
        given: list[Given] = []
        for element in node.elements:
            place = self.place(element)
            if isinstance(element, s.Option):
                value = self.evaluate(element.value, frame) if element.value else None
                raw = element.value.raw if isinstance(element.value, s.Constant) else ""
                given.append(Given(place, element.name, value, element.value is not None, raw))
            elif isinstance(element, s.Splat):
                given += splatted(self.evaluate(element, frame), place)
            else:
                raw = element.raw if isinstance(element, s.Constant) else ""
                given.append(Given(place, value=self.evaluate(element, frame), raw=raw))
        return given


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
