"""Which processor a worker keeps to."""

from __future__ import annotations

import os
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.relay import processor


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 1 << 22))
def test_workers_are_spread_as_evenly_as_can_be(count: int, workers: int, start: int) -> None:
    processors = range(100, 100 + count)

    taken = [processor.share(processors, worker, workers, start) for worker in range(workers)]

    assert set(taken) <= set(processors)
    counts = [taken.count(one) for one in processors]
    assert max(counts) - min(counts) <= 1


def test_two_workers_are_half_the_machine_apart() -> None:
    first, second = (processor.share(range(8), worker, 2, 4711) for worker in (0, 1))

    assert abs(first - second) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system decides")
def test_a_thread_that_keeps_to_one_passes_that_on_and_one_that_leaves_does_not() -> None:
    before = os.sched_getaffinity(0)
    kept: list[set[int]] = []

    def look(enter: bool) -> None:
        if enter:
            processor.leave()
        kept.append(os.sched_getaffinity(0))

    def worker() -> None:
        processor.keep_to_one(0, 1)
        for enter in (False, True):
            thread = threading.Thread(target=look, args=(enter,))
            thread.start()
            thread.join()

    thread = threading.Thread(target=worker)
    thread.start()
    thread.join()

    assert len(kept[0]) == 1
    assert kept[1] == before
    assert os.sched_getaffinity(0) == before
