"""The replies in a text: a line of a log, a dialogue, what a mail program shows of a bounce, or a whole bounce."""

from __future__ import annotations

import re
from collections.abc import Iterator

from posthouse.mail import Reply

_REPLY = re.compile(r"\b([245]\d\d)[ -](?:([245]\.\d{1,3}\.\d{1,3})(?!\S))?(.*)")


def replies_in(text: str | bytes) -> Iterator[Reply]:
    """The replies as they come."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    for line in text.splitlines():
        match = _REPLY.search(line)
        if match:
            yield Reply(int(match[1]), match[2] or "", match[3].strip())
