from __future__ import annotations

from posthouse.mail import MemoryContent
from posthouse.relay.budget import Budget


def content(size: int) -> MemoryContent:
    return MemoryContent((bytes(size),))


def test_memory_is_limited() -> None:
    budget = Budget(memory_limit=100)
    assert budget.reserve(content(60), 1)
    assert not budget.reserve(content(60), 1)
    assert budget.reserve(content(40), 1)
    assert budget.room == 0
    budget.release(content(60), 1)
    assert budget.reserve(content(60), 1)


def test_the_number_of_recipients_is_limited() -> None:
    budget = Budget(recipient_limit=3)
    assert budget.room == 3
    assert budget.reserve(content(1), 2)
    assert not budget.reserve(content(1), 2)
    assert budget.room == 1
    budget.release(content(1), 2)
    assert budget.reserve(content(1), 3)
    assert budget.room == 0


def test_what_is_leased_already_is_counted_whatever_the_limit() -> None:
    budget = Budget(recipient_limit=1)
    assert budget.reserve(content(1), 1)
    assert budget.reserve(content(1), 5, force=True)
    assert budget.room <= 0
