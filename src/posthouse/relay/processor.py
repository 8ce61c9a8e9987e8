"""Which processor a worker runs on. Linux only; elsewhere the system decides, and nothing here does anything.

One thread of an interpreter runs Python at a time. Two of them on two processors wake each other at every call that
lets go of the interpreter, mostly in vain, since its owner has taken it back before the other is awake: 20 futex calls
and 6 context switches a message were measured, against 1 and 1 on one processor (docs/decisions/0007).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress


def keep_to_one(worker: int, workers: int) -> None:
    """The calling thread, and those that it starts, stay on one processor: the workers spread over all there are."""
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may forbid it
            os.sched_setaffinity(0, {share(sorted(os.sched_getaffinity(0)), worker, workers, os.getppid())})


def leave() -> None:
    """The calling thread may run anywhere, since it works long without the interpreter."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setaffinity(0, range(os.cpu_count() or 1))


def share(processors: Sequence[int], worker: int, workers: int, start: int) -> int:
    """One of the processors: those of one supervisor's workers are far apart, as those that share a core are often
    neighbours. `start` differs among supervisors, so that several on a machine don't crowd on its first processor."""
    count = len(processors)
    return processors[(start + worker * count // workers) % count]
