"""What strangers wrote, made fit to stand in a line of ours: a header, a log, a row, a terminal."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def one_line(text: str) -> str:
    """Each run of control characters, C1 and line separators included, as one space."""
    return _CONTROL.sub(" ", text)
