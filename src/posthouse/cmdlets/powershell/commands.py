"""What can be called: cmdlets, functions and script blocks (about_Functions_Advanced, about_Script_Blocks)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from posthouse.cmdlets.binding import Binding, Given, bind, bind_item, require
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Services
from posthouse.cmdlets.limits import Budget
from posthouse.cmdlets.powershell import syntax as s
from posthouse.cmdlets.powershell.calls import as_cmdlet, default_of, splatted
from posthouse.cmdlets.powershell.evaluation import Evaluator
from posthouse.cmdlets.powershell.flow import Return
from posthouse.cmdlets.powershell.records import error_record
from posthouse.cmdlets.powershell.running import Preferences, Running, inherited, without_common
from posthouse.cmdlets.powershell.scope import Frame
from posthouse.cmdlets.registry import Registry
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import ArrayList, Hashtable, PSObject, ScriptBlock, Value, items

PS_CMDLET_METHODS = frozenset(("shouldprocess",))
_MOST_ERRORS = 256  # that $Error keeps


@dataclass(slots=True, eq=False)
class Block:
    """A script block as a value (`values.ScriptBlock`): it runs in the frame that it was written in."""

    commands: Commands
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
            yield from self.commands.run_block((*self.code.begin, *self.code.process, *self.code.body), frame)
        except Return:
            return


class Commands(Evaluator):
    """The functions that were defined, and the errors that were reported. `show_error` prints one."""

    def __init__(
        self, registry: Registry, services: Services, budget: Budget, show_error: Callable[[PSError], None]
    ) -> None:
        super().__init__(registry, services, budget)
        self.show_error = show_error
        self.functions: dict[str, tuple[s.Function, Frame]] = {}
        self.reported = 0
        self.failed = False

    def script_block(self, code: s.Code, frame: Frame) -> ScriptBlock:
        return Block(self, code, frame, code.source)

    def report(self, error: PSError) -> None:
        """Keep an error in $Error, and show it."""
        self.reported += 1
        self.keep_error(error)
        if not error.silent:
            self.failed = True
            self.show_error(error)

    def keep_error(self, error: PSError) -> Value:
        record = error_record(error)
        self.errors.insert(0, record)
        del self.errors[_MOST_ERRORS:]
        return record

    # Functions

    def _as_cmdlet(self, function: s.Function, defined: Frame, caller: Frame) -> Cmdlet:
        """A function as its caller runs it: it sees the caller's variables."""

        def run(context: Context, bound: Bound) -> Iterator[Value]:
            frame = caller.inner().at(defined.source)
            inherited(frame.scope, bound.common)
            frame.scope.set("PSCmdlet", _ps_cmdlet(context))
            self.set_parameters(function.code, bound, frame)
            try:
                yield from self._run_code(function.code, context.cmdlet, bound, frame)
            except Return:
                return

        return as_cmdlet(function.name, function.code, run)

    def set_parameters(self, code: s.Code, bound: Bound, frame: Frame) -> None:
        """Those that aren't given have their defaults, which may name those before them."""
        for parameter in code.parameters:
            default = None if parameter.default is None else self.evaluate(parameter.default, frame)
            given = parameter.name in bound
            value = bound[parameter.name] if given else default_of(parameter, default)
            frame.scope.set(parameter.name, value)
        frame.scope.set("args", list(items(bound.get("args", []))))
        frame.scope.set("PSBoundParameters", Hashtable(bound))

    def _run_code(self, code: s.Code, cmdlet: Cmdlet, bound: Bound, frame: Frame) -> Iterator[Value]:
        """`process` runs for each object of the pipeline, or once; a body without it finds them in $input."""
        yield from self.run_block(code.begin, frame)
        if code.process:
            for item in bound.pipeline if bound.piped else (None,):
                if bound.piped:
                    self._set_from_pipeline(cmdlet, bound, item, frame)
                yield from self.run_block(code.process, frame.with_item(item))
        elif bound.piped:
            given = list(self.charged(bound.pipeline))
            frame.scope.set("input", given)
            for item in given[-1:] if any(p.from_pipeline for p in cmdlet.parameters) else ():
                self._set_from_pipeline(cmdlet, bound, item, frame)
        yield from self.run_block(code.body, frame)

    def _set_from_pipeline(self, cmdlet: Cmdlet, bound: Bound, item: Value, frame: Frame) -> None:
        binding = Binding(cmdlet, dict(bound))
        if any(p.from_pipeline or p.from_pipeline_by_name for p in cmdlet.parameters):
            for name, value in bind_item(binding, item).items():
                frame.scope.set(name, value)

    # Commands

    def command(self, node: s.Command, frame: Frame, stream: Iterator[Value] | None) -> Iterator[Value]:
        try:
            cmdlet = self._cmdlet(node.name, frame)
            binding = bind(cmdlet, self._arguments(node, frame))
            require(binding.missing(pipeline=stream is not None), cmdlet)
            yield from self._discarding(self._run(binding, node, frame, stream), node.discarded)
        except PSError as error:
            error.place = error.place or frame.place(node)
            error.silent = error.silent or "2" in node.discarded
            raise

    def _cmdlet(self, name: str, frame: Frame) -> Cmdlet:
        if name.lower() in self.functions:
            return self._as_cmdlet(*self.functions[name.lower()], frame)
        cmdlet = self.registry.cmdlet(name)
        if cmdlet is None:
            text = f"The term '{name}' is not recognized as the name of a cmdlet or function."
            raise PSError(text, category="ObjectNotFound", error_id="CommandNotFoundException")
        return cmdlet

    def _discarding(self, values: Iterator[Value], discarded: str) -> Iterator[Value]:
        for value in values:
            if "1" not in discarded:
                yield value

    def _run(self, binding: Binding, node: s.Command, frame: Frame, stream: Iterator[Value] | None) -> Iterator[Value]:
        output = self._kept_in(binding, "OutVariable", frame)
        each = binding.values.get("PipelineVariable")
        for value in self._called(binding, self._running(binding, node, frame), stream):
            if output is not None:
                self.budget.charge(1)
                output.append(value)
            if each:
                frame.scope.set(each, value)
            yield value

    def _running(self, binding: Binding, node: s.Command, frame: Frame) -> Running:
        errors = self._kept_in(binding, "ErrorVariable", frame)

        def report(error: PSError) -> None:
            error.place = error.place or frame.place(node)
            error.silent = error.silent or "2" in node.discarded
            self.report(error)
            if errors is not None:
                errors.append(self.errors[0])

        return Running(
            binding.cmdlet,
            self.services,
            self.registry,
            self.operators,
            Preferences.of(binding.cmdlet, binding.values, frame.scope.get, quiet="3" in node.discarded),
            report,
            frame.scope.get,
            self._kept_in(binding, "WarningVariable", frame),
        )

    def _kept_in(self, binding: Binding, parameter: str, frame: Frame) -> ArrayList | None:
        """The list in the variable that -OutVariable or another names; with a + before it, what is there stays."""
        name = to_text(binding.values.get(parameter))
        if not name:
            return None
        bare = name.removeprefix("+")
        held = frame.scope.get(bare) if name != bare else None
        kept = held if isinstance(held, ArrayList) else ArrayList(() if held is None else items(held))
        self.assign_variable(bare, kept, frame)
        return kept

    def _called(self, binding: Binding, running: Running, stream: Iterator[Value] | None) -> Iterator[Value]:
        values = without_common(binding.values)
        if binding.cmdlet.whole or stream is None:
            items_of = self._counted(stream or iter(()))
            yield from self._call_cmdlet(
                running, Bound(values, items_of, piped=stream is not None, common=binding.values)
            )
            return
        for item in self._counted(stream):
            try:
                given = {**values, **bind_item(binding, item)}
                require([p for p in binding.missing(pipeline=False) if p.name not in given], binding.cmdlet)
            except PSError as error:
                running.error(error)
                continue
            yield from self._call_cmdlet(running, Bound(given))

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
            place = frame.place(element)
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


def _ps_cmdlet(context: Context) -> PSObject:
    """$PSCmdlet (about_Functions_Advanced_Methods): what asks -WhatIf and -Confirm."""
    made = PSObject.of("System.Management.Automation.PSScriptCmdlet", {"ParameterSetName": "__AllParameterSets"})
    made.methods = {"ShouldProcess": context.should_process}
    return made
