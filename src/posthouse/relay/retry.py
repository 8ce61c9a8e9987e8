"""When a deferred recipient is tried again, and when it is warned about or given up. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_JITTER = 0.1  # of the interval: spreads what was deferred together


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """Times in seconds. `retry_after[n]` follows attempt n + 1; the last one repeats."""

    retry_after: tuple[float, ...]
    warn_after: float
    give_up_after: float

    def next_attempt(self, *, attempts: int, now: float, chance: float) -> float:
        """Unix time of the attempt after the `attempts`-th failed; `chance` in [0, 1) places it in the jitter."""
        interval = self.retry_after[min(max(attempts, 1), len(self.retry_after)) - 1]
        return now + interval * (1 + _JITTER * (2 * chance - 1))

    def is_hopeless(self, *, received_at: float, next_attempt: float) -> bool:
        """Whether the next attempt would come after the message is given up (RFC 5321 4.5.4.1)."""
        return next_attempt > received_at + self.give_up_after

    def is_late(self, *, received_at: float, now: float) -> bool:
        """Whether the sender, if asked for, is told of the delay."""
        return now >= received_at + self.warn_after
