"""Clients that hand in numbered mail as fast as it is taken, whatever becomes of the server meanwhile."""

from __future__ import annotations

import base64
import itertools
import random
import smtplib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from support.house import House

SIZES = (1 << 10, 20 << 10, 400 << 10)
"""As the spool keeps them: in a row, in a segment, in a file of its own."""

SENDER, RECIPIENT = "scanner@contoso.com", "user@contoso.com"
_PAUSE = 0.05  # seconds until somebody who was cut off comes again

_numbers = itertools.count(1)


def body_of(number: int) -> bytes:
    """What mail of that number says: nothing that another one does."""
    size = SIZES[number % len(SIZES)]
    text = base64.encodebytes(random.Random(number).randbytes(size * 3 // 4))
    return text.replace(b"\n", b"\r\n")


def content_of(number: int) -> bytes:
    return b"Subject: %d\r\n\r\n" % number + body_of(number)


class Load:
    """While it lasts, `clients` connections hand in mail, every other one pipelined; who is cut off comes again.

    A mail that was not answered is never repeated, so that whatever comes twice is the relay's doing.
    """

    def __init__(self, house: House, clients: int = 6) -> None:
        self._house = house
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(talk,), daemon=True)
            for talk, _ in zip(itertools.cycle((self._step_by_step, self._pipelined)), range(clients), strict=False)
        ]
        self.begun: set[int] = set()
        self.accepted: set[int] = set()
        self.refused: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, talk: Callable[[], None]) -> None:
        while not self._over.wait(_PAUSE):
            try:
                talk()
            except smtplib.SMTPResponseException as refusal:
                self.refused.append(f"{refusal.smtp_code} {refusal.smtp_error!r}")
            except smtplib.SMTPRecipientsRefused as refusal:
                self.refused.append(str(refusal.recipients))
            except (OSError, smtplib.SMTPServerDisconnected):
                pass  # killed: the numbers that it answered are accepted

    def _step_by_step(self) -> None:
        with self._house.smtp() as client:
            while not self._over.is_set():
                number = self._next()
                client.sendmail(SENDER, RECIPIENT, content_of(number))
                self.accepted.add(number)

    def _pipelined(self) -> None:
        commands = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode()
        with self._house.wire() as wire:
            if not wire.reply() or not wire.say(b"EHLO device.test\r\n"):
                return
            while not self._over.is_set():
                number = self._next()
                replies = [wire.say(commands), wire.reply(), wire.reply(), wire.say(content_of(number) + b".\r\n")]
                if "" in replies:
                    return
                if [reply[:3] for reply in replies] != ["250", "250", "354", "250"]:
                    raise smtplib.SMTPDataError(int(replies[-1][:3]), " | ".join(replies))
                self.accepted.add(number)

    def _next(self) -> int:
        number = next(_numbers)
        self.begun.add(number)
        return number
