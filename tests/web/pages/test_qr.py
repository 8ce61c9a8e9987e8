"""QR codes are read back as ISO/IEC 18004:2015 says a reader does, by a reader that shares nothing with the writer."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.admin import totp
from posthouse.web.pages.organization import qr

_EXP = reduce(lambda powers, _: [*powers, powers[-1] << 1 ^ (0x11D if powers[-1] & 0x80 else 0)], range(254), [1])
_LOG = {value: power for power, value in enumerate(_EXP)}
_ALIGNMENT = {1: [], 2: [18], 3: [22], 4: [26], 5: [30], 6: [34], 7: [22, 38], 8: [24, 42], 9: [26, 46], 10: [28, 50]}
_ALIGNMENT[11] = [30, 54]
_BLOCKS_AND_CORRECTION = {
    1: (1, 7), 2: (1, 10), 3: (1, 15), 4: (1, 20), 5: (1, 26), 6: (2, 18), 7: (2, 20), 8: (2, 24), 9: (2, 30),
    10: (4, 18), 11: (4, 20),
}  # fmt: skip
_FORMATS_OF_L = (0x77C4, 0x72F3, 0x7DAA, 0x789D, 0x662F, 0x6318, 0x6C41, 0x6976)
"""Annex C: by mask."""
_VERSIONS = {7: 0x07C94, 8: 0x085BC, 9: 0x09A99, 10: 0x0A4D3, 11: 0x0BBF6}
"""Annex D."""


def read(matrix: list[list[bool]]) -> str:
    size = len(matrix)
    version = (size - 17) // 4
    words = codewords(matrix, version, mask_of(matrix))
    data = without_correction(words, *_BLOCKS_AND_CORRECTION[version])
    bits = "".join(f"{byte:08b}" for byte in data)
    assert bits[:4] == "0100", "byte mode"
    count = 16 if version > 9 else 8
    length = int(bits[4 : 4 + count], 2)
    start = 4 + count
    return bytes(int(bits[at : at + 8], 2) for at in range(start, start + 8 * length, 8)).decode()


def mask_of(matrix: list[list[bool]]) -> int:
    """Both copies of the format say the same."""
    size = len(matrix)
    first = [*((8, x) for x in (0, 1, 2, 3, 4, 5, 7, 8)), *((y, 8) for y in (7, 5, 4, 3, 2, 1, 0))]
    second = [*((y, 8) for y in range(size - 1, size - 8, -1)), *((8, x) for x in range(size - 8, size))]
    formats = [int("".join(str(int(matrix[y][x])) for y, x in places), 2) for places in (first, second)]
    assert formats[0] == formats[1]
    assert matrix[size - 8][8], "the dark module"
    return _FORMATS_OF_L.index(formats[0])


def is_function(y: int, x: int, size: int, version: int) -> bool:
    lines = [6, *_ALIGNMENT[version]]
    corners = {(6, 6), (6, lines[-1]), (lines[-1], 6)}
    return (
        (y < 9 and x < 9)
        or (y < 9 and x >= size - 8)
        or (y >= size - 8 and x < 9)
        or 6 in (y, x)
        or (version >= 7 and ((y < 6 and x >= size - 11) or (x < 6 and y >= size - 11)))
        or any(abs(y - a) < 3 and abs(x - b) < 3 for a in lines for b in lines if (a, b) not in corners)
    )


def is_turned(mask: int, y: int, x: int) -> bool:
    """Table 10."""
    return [
        (y + x) % 2,
        y % 2,
        x % 3,
        (y + x) % 3,
        (y // 2 + x // 3) % 2,
        (y * x) % 2 + (y * x) % 3,
        ((y * x) % 2 + (y * x) % 3) % 2,
        ((y + x) % 2 + (y * x) % 3) % 2,
    ][mask] == 0


def codewords(matrix: list[list[bool]], version: int, mask: int) -> list[int]:
    """Up and down, two columns wide, past the vertical timing pattern (7.7.3)."""
    size = len(matrix)
    columns = [*range(size - 1, 6, -2), 5, 3, 1]
    bits: list[int] = []
    for turn, right in enumerate(columns):
        for y in range(size - 1, -1, -1) if turn % 2 == 0 else range(size):
            bits += [
                int(matrix[y][x]) ^ is_turned(mask, y, x)
                for x in (right, right - 1)
                if not is_function(y, x, size, version)
            ]
    return [int("".join(map(str, bits[at : at + 8])), 2) for at in range(0, len(bits) - 7, 8)]


def without_correction(words: list[int], blocks: int, correction: int) -> list[int]:
    """Block by block; every syndrome of each is zero (7.5)."""
    data_size = len(words) - blocks * correction
    short, longer = divmod(data_size, blocks)
    parts: list[list[int]] = [[] for _ in range(blocks)]
    remaining = iter(words)
    for place in range(short + (longer > 0)):
        for block in parts if place < short else parts[blocks - longer :]:
            block.append(next(remaining))
    checks = [words[data_size + index :: blocks] for index in range(blocks)]
    for part, check in zip(parts, checks, strict=True):
        block = part + check
        for power in range(correction):
            terms = (_EXP[(_LOG[word] + power * place) % 255] for place, word in enumerate(block[::-1]) if word)
            assert reduce(int.__xor__, terms, 0) == 0
    return [word for part in parts for word in part]


@settings(max_examples=12)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60))
def test_any_text_is_read_back(text: str) -> None:
    assert read(qr.encoded(text)) == text


@pytest.mark.parametrize(
    ("length", "version"), [(17, 1), (18, 2), (106, 5), (107, 6), (154, 7), (230, 9), (231, 10), (321, 11)]
)
def test_each_size_holds_what_it_can(length: int, version: int) -> None:
    text = "otpauth://totp/"[:length].ljust(length, "x")
    matrix = qr.encoded(text)
    assert len(matrix) == 17 + 4 * version
    assert read(matrix) == text
    if version >= 7:
        size = len(matrix)
        shown = sum(matrix[size - 11 + place % 3][place // 3] << place for place in range(18))
        mirrored = sum(matrix[place // 3][size - 11 + place % 3] << place for place in range(18))
        assert shown == mirrored == _VERSIONS[version]


def test_a_text_that_is_too_long() -> None:
    with pytest.raises(ValueError, match="322 bytes are too many"):
        qr.encoded("x" * 322)


@pytest.mark.parametrize("name", ["a", "@" * 64])
def test_every_administrator_gets_one(name: str) -> None:
    uri = totp.enrolment_uri(totp.new_secret(), name)
    assert read(qr.encoded(uri)) == uri


def test_the_picture_has_the_modules_and_a_quiet_zone() -> None:
    matrix = qr.encoded("HELLO")
    side, path = qr.path(matrix)
    assert side == len(matrix) + 8
    painted = set[tuple[int, int]]()
    for run in path.removeprefix("M").split("M"):
        place, _, length = run.partition("h")
        x, y = map(int, place.split())
        painted |= {(y - 4, x - 4 + step) for step in range(int(length.partition("v")[0]))}
    assert painted == {(y, x) for y, row in enumerate(matrix) for x, is_dark in enumerate(row) if is_dark}
