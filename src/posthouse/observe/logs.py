"""Logs: one line an event on standard error, as JSON or `key=value`. Secrets are never written."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal

import structlog
from pydantic_core import to_json

Event = MutableMapping[str, Any]
Logger = structlog.typing.FilteringBoundLogger

_SECRETS = frozenset({"authorization", "key", "passphrase", "password", "password_hash", "pfx", "secret", "token"})
_FIRST = ("timestamp", "level", "event")
_is_plain = re.compile(r"[!#-<>-~]+").fullmatch  # visible ASCII but for quotes and equals signs


def configure(form: Literal["auto", "console", "json"] = "auto", **fields: str) -> None:
    """Choose how this process logs. `auto` is `console` on a terminal, else `json`; `fields` go on every line."""
    if form == "auto":
        form = "console" if sys.stderr.isatty() else "json"
    _renderer.render = _console if form == "console" else _json
    _renderer.fields = fields


def _json(event: Event) -> bytes:
    try:
        return to_json(event, fallback=str)
    except ValueError:  # bytes of a peer that are not UTF-8, decoded with surrogateescape
        return json.dumps(event, default=str).encode()


def _console(event: Event) -> bytes:
    """`time level event key=value …`. Blanks and controls are quoted, so that what a peer sent cannot forge a line."""
    first = " ".join(str(event.pop(key)) for key in _FIRST)
    return " ".join([first, *(f"{key}={_quoted(str(value))}" for key, value in event.items())]).encode()


def _quoted(text: str) -> str:
    return text if _is_plain(text) else json.dumps(text)


class _Renderer:
    """structlog's last processor. It can change its form in a forked worker, where loggers are cached already."""

    __slots__ = ("fields", "render")

    def __init__(self) -> None:
        self.render: Callable[[Event], bytes] = _json
        self.fields: dict[str, str] = {}

    def __call__(self, _: object, method: str, event: Event) -> bytes:
        for secret in _SECRETS.intersection(event):
            event[secret] = "***"
        first = {"timestamp": _timestamp(), "level": method, "event": event.pop("event")}
        return self.render({**first, **self.fields, **event})


def _timestamp() -> str:
    """ISO 8601, UTC, milliseconds."""
    milliseconds = int(time.time() * 1000)
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


@lru_cache(maxsize=1)
def _second(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))


class _StandardError:
    """Writes a line in one piece. A log that cannot be written must not stop the mail."""

    __slots__ = ()

    def write(self, line: bytes) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.buffer.write(line + b"\n")
            sys.stderr.buffer.flush()

    debug = info = warning = error = critical = write


_renderer = _Renderer()
structlog.configure(
    processors=[structlog.processors.ExceptionRenderer(), _renderer],
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    logger_factory=lambda *_: _StandardError(),
    cache_logger_on_first_use=True,
)
logger: Logger = structlog.get_logger()
