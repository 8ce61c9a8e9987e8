"""A program that runs beside the workers: started by command line, started again when it dies, ended with us."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from types import TracebackType

from posthouse import observe

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_END_SECONDS = 5.0

log = observe.logger


class Companion:
    """Its standard input ends when we do, however that comes about. No command, no companion."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._pause = _FIRST_PAUSE
        self._started_at = 0.0
        self._start_at = 0.0

    def __enter__(self) -> Companion:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._forget(self._process)

    def look_after(self) -> None:
        """Start it where it isn't running: at once, and after a pause that grows while it keeps dying."""
        now = time.monotonic()
        if self._process is not None and (status := self._process.poll()) is not None:
            self._forget(self._process)
            self._pause = _FIRST_PAUSE if now - self._started_at > _LONGEST_PAUSE else self._pause
            self._start_at = now + self._pause
            log.error("admin address died", status=status, hint="the mail goes on", again_in_seconds=self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        if self._command and self._process is None and now >= self._start_at:
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE)
            self._started_at = now

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        self._process = None
