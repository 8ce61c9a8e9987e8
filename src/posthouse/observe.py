"""Logs: one line an event on standard error, as JSON or `key=value`. Secrets are never written."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any, Literal

import structlog
from pydantic_core import to_json

Event = MutableMapping[str, Any]
Logger = structlog.typing.FilteringBoundLogger

_SECRETS = frozenset({"authorization", "key", "passphrase", "password", "password_hash", "pfx", "secret", "token"})
_is_plain = re.compile(r"[!#-<>-~]+").fullmatch  # visible ASCII but for quotes and equals signs
_FIRST = ("timestamp", "level", "event")

logger: Logger = structlog.get_logger()


def configure(form: Literal["auto", "console", "json"] = "auto", level: int = logging.INFO, **fields: str) -> None:
    """Set up logging for this process. `auto` is `console` on a terminal, else `json`; `fields` go on every line."""
    if form == "auto":
        form = "console" if sys.stderr.isatty() else "json"
    render = _console if form == "console" else _json

    def line(_: object, method: str, event: Event) -> bytes:
        for secret in _SECRETS.intersection(event):
            event[secret] = "***"
        return render({"timestamp": _timestamp(), "level": method, **fields, **event})

    structlog.configure(
        processors=[structlog.processors.ExceptionRenderer(), line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


def _timestamp() -> str:
    """ISO 8601, UTC, milliseconds."""
    milliseconds = int(time.time() * 1000)
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


@lru_cache(maxsize=1)
def _second(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))


def _json(event: Event) -> bytes:
    return to_json(event, fallback=str)


def _console(event: Event) -> bytes:
    """`time level event key=value …`. Blanks and controls are quoted, so that what a peer sent cannot forge a line."""
    first = " ".join(str(event.pop(key)) for key in _FIRST)
    return " ".join([first, *(f"{key}={_quoted(str(value))}" for key, value in event.items())]).encode()


def _quoted(text: str) -> str:
    return text if _is_plain(text) else json.dumps(text)
