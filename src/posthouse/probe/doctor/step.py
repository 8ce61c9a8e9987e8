"""What doctor reports: one step after another, each with what was found and what to do."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from posthouse.analysis import Explanation, explain_reply
from posthouse.mail import Reply
from posthouse.mail.text import one_line


class Area(enum.StrEnum):
    CONFIGURATION = "configuration"
    DOMAIN = "domain"
    CONNECTOR = "connector"
    CREDENTIAL = "credential"


class Status(enum.StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at. `subject` is the domain, connector or credential; `remedy` what to do.

    A skipped step's `text` says why. `explanation` is of the server's reply, where one was the finding.
    """

    area: Area
    subject: str
    status: Status
    text: str
    remedy: str = ""
    explanation: Explanation | None = None


@dataclass(frozen=True, slots=True)
class About:
    """Makes the steps of one subject."""

    area: Area
    subject: str

    def ok(self, text: str) -> Step:
        return self._step(Status.OK, text)

    def warning(self, text: str, remedy: str) -> Step:
        return self._step(Status.WARNING, text, remedy)

    def failed(self, text: str, remedy: str) -> Step:
        return self._step(Status.FAILED, text, remedy)

    def skipped(self, text: str) -> Step:
        return self._step(Status.SKIPPED, text)

    def refused(self, text: str, reply: Reply) -> Step:
        """A server's refusal, with what it means. One that may pass by itself is a warning."""
        explanation = explain_reply(reply)
        remedy = explanation.remedies[0] if explanation.remedies else "look into the server's log"
        status = Status.WARNING if reply.is_transient else Status.FAILED
        return self._step(status, f"{text}: {reply}", remedy, explanation)

    def _step(self, status: Status, text: str, remedy: str = "", explanation: Explanation | None = None) -> Step:
        """Strangers' words are in many texts."""
        return Step(self.area, self.subject, status, one_line(text), one_line(remedy), explanation)
