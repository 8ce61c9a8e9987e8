"""What the server says: replies queued for one write, and the count of those that were errors."""

from __future__ import annotations

from typing import Final

from posthouse.mail import Reply
from posthouse.smtp.events import ServerLimits

TOO_MANY_ERRORS: Final = Reply(421, "4.7.0", "Too many errors")
TOO_MANY_COMMANDS: Final = Reply(421, "4.7.0", "Too many commands without a message")


class Outgoing:
    """`closing`: the last word is queued."""

    __slots__ = ("_commands", "_errors", "_limits", "_queued", "closing")

    def __init__(self, limits: ServerLimits) -> None:
        self.closing = False
        self._limits = limits
        self._queued: list[bytes] = []
        self._errors = 0
        self._commands = 0

    def queue(self, reply: Reply) -> None:
        """221 and 421 are last words (RFC 5321 3.8)."""
        self._queued.append(reply.encode())
        if reply.code in (221, 421):
            self.closing = True

    def answer(self, reply: Reply) -> None:
        """Queue the reply to a command, which may be one error too many."""
        self.queue(reply)
        if reply.code >= 400 and not self.closing:
            self._errors += 1
            if self._errors == self._limits.errors:
                self.queue(TOO_MANY_ERRORS)

    def close(self, reply: Reply) -> None:
        self.queue(reply)
        self.closing = True

    def challenge(self, line: bytes) -> None:
        self._queued.append(line)

    def count_command(self) -> bool:
        """Count a command that brings no message nearer; False once they are too many."""
        self._commands += 1
        if 0 < self._limits.commands_without_mail < self._commands:
            self.queue(TOO_MANY_COMMANDS)
        return not self.closing

    def message_completed(self) -> None:
        self._errors = self._commands = 0

    def take(self) -> bytes:
        queued, self._queued = self._queued, []
        return b"".join(queued)
