"""A session: scripts that share variables, run one after the other, with their output shown."""

from __future__ import annotations

from posthouse.cmdlets.display import Display
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Host, Services, Stream
from posthouse.cmdlets.limits import Budget, LimitReached
from posthouse.cmdlets.powershell import Script, prepare
from posthouse.cmdlets.powershell.flow import ScriptExit
from posthouse.cmdlets.powershell.interpreter import Interpreter
from posthouse.cmdlets.powershell.records import error_text
from posthouse.cmdlets.registry import Registry
from posthouse.cmdlets.values import Value

DONE, FAILED = 0, 1


class Session:
    def __init__(self, registry: Registry, services: Services, budget: Budget | None = None) -> None:
        self.registry = registry
        self.ended = False
        self._budget = budget or Budget()
        self._host = services.host
        self._display = Display(registry, services.host.width, self._write_output, self._budget.charge)
        host = _Flushing(services.host, self._display, self._budget)
        services = Services(host, services.files, services.now, services.others)
        self._interpreter = Interpreter(registry, services, self._budget, self._show_error)

    def set(self, name: str, value: Value) -> None:
        """Give the scripts a variable."""
        self._interpreter.scope.set(name, value)

    def prepare(self, text: str, file: str) -> Script:
        """Raises `ScriptRefused`."""
        return prepare(text, file, self.registry, frozenset(self._interpreter.functions))

    def run(self, script: Script) -> int:
        """Run a script; returns the exit status. Raises `LimitReached`. `ended` is true after `exit`."""
        self._budget.refill()
        self._interpreter.failed = False
        try:
            return self._run(script)
        except LimitReached as reached:
            reached.place = reached.place or self._interpreter.at
            raise

    def _run(self, script: Script) -> int:
        try:
            for value in self._interpreter.run_script(script.code, script.source, script.bound):
                self._display.feed(value)
        except ScriptExit as leaving:
            self.ended = True
            return leaving.status
        except PSError as error:
            self._interpreter.report(error)
            return FAILED
        except RecursionError:
            overflow = PSError("The script failed due to call depth overflow.", error_id="CallDepthOverflow")
            overflow.place = self._interpreter.at
            self._interpreter.report(overflow)
            return FAILED
        finally:
            self._display.flush()
        return FAILED if self._interpreter.failed else DONE

    def _show_error(self, error: PSError) -> None:
        self._display.flush()
        text = error_text(error)
        self._budget.write(len(text))
        self._host.write("error", text)

    def _write_output(self, text: str) -> None:
        self._budget.write(len(text))
        self._host.write("output", text)


class _Flushing:
    """The host as cmdlets see it: what the pipeline has output so far is shown first."""

    def __init__(self, host: Host, display: Display, budget: Budget) -> None:
        self._host = host
        self._display = display
        self._budget = budget
        self.interactive = host.interactive
        self.width = host.width

    def write(self, stream: Stream, text: str) -> None:
        self._display.flush()
        self._budget.write(len(text))
        self._host.write(stream, text)

    def ask(self, question: str) -> str:
        self._display.flush()
        return self._host.ask(question)
