"""Lists, sizes and counts as parameters take them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.cmdlets.conversion import ConversionError
from posthouse.cmdlets.exchange.types import COUNT, MULTI, SIZE, Changes, size_text
from posthouse.cmdlets.values import Hashtable

NAMES = st.lists(st.sampled_from(["a.com", "A.com", "b.com", "*.c.com", "*"]), max_size=5)


@given(st.integers(min_value=0, max_value=10**15))
def test_a_size_is_read_as_it_is_shown(size: int) -> None:
    assert SIZE.convert(size_text(size)) == size


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("35MB", 36_700_160),
        ("35 mb", 36_700_160),
        ("0.5KB", 512),
        (1024, 1024),
        ("2 GB", 1 << 31),
        ("UNLIMITED", 0),
        (None, None),
    ],
)
def test_sizes(given: object, size: int | None) -> None:
    assert SIZE.convert(given) == size


@given(st.text(max_size=40) | st.integers() | st.floats())
def test_what_is_no_size_or_count_is_refused_as_such(value: object) -> None:
    for kind in (SIZE, COUNT, MULTI):
        with suppress(ConversionError):
            kind.convert(value)


def test_a_long_number_is_no_count() -> None:
    with pytest.raises(ConversionError, match="is neither a number from 1 to 1000000000 nor Unlimited"):
        COUNT.convert("0" * 12 + "9" * 5000)


@pytest.mark.parametrize("size", ["1025 TB", "999999999999999TB", "1 KB (9,999,999,999,999,999 bytes)"])
def test_a_size_beyond_reason_is_refused(size: str) -> None:
    with pytest.raises(ConversionError, match="is more than 1024 TB; write Unlimited for no limit"):
        SIZE.convert(size)


@given(NAMES, NAMES, NAMES)
def test_what_is_removed_goes_and_what_is_added_stays(current: list[str], add: list[str], remove: list[str]) -> None:
    changes = MULTI.convert(Hashtable({"Add": add, "Remove": remove}))
    assert isinstance(changes, Changes)
    after = changes.applied(current, str.lower)
    assert set(add) <= set(after)
    assert not {text.lower() for text in after} & ({text.lower() for text in remove} - {text.lower() for text in add})
    assert after[: len(after) - len(add)] == [text for text in current if text.lower() not in map(str.lower, remove)]
