"""A QR code of a short text, for the camera of a phone: ISO/IEC 18004, bytes, error correction level L, to version 11.

The section numbers are those of ISO/IEC 18004:2015.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, pairwise, zip_longest

Bits = list[int]
Matrix = list[list[bool]]

_CORRECTION = (7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20)
"""Codewords of error correction in a block, by version (table 9)."""
_BLOCKS = (1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4)
_LONG_COUNT_FROM = 10
_VERSION_SHOWN_FROM = 7
_FORMAT_L = 0b01
_PADDING = (0xEC, 0x11)
_QUIET = 4
_FIELD = 0x11D
"""x^8 + x^4 + x^3 + x^2 + 1, which generates GF(256) (7.5.2)."""
_FINDER_LIKE = (
    (True, False, True, True, True, False, True, False, False, False, False),
    (False, False, False, False, True, False, True, True, True, False, True),
)
_MASKS: Sequence[Callable[[int, int], bool]] = (
    lambda row, column: (row + column) % 2 == 0,
    lambda row, _: row % 2 == 0,
    lambda _, column: column % 3 == 0,
    lambda row, column: (row + column) % 3 == 0,
    lambda row, column: (row // 2 + column // 3) % 2 == 0,
    lambda row, column: row * column % 2 + row * column % 3 == 0,
    lambda row, column: (row * column % 2 + row * column % 3) % 2 == 0,
    lambda row, column: ((row + column) % 2 + row * column % 3) % 2 == 0,
)


def encoded(text: str) -> Matrix:
    """Rows of modules, True for dark, without the quiet zone. Raises `ValueError` for a text that is too long."""
    data = text.encode()
    version = next((each for each in range(1, len(_BLOCKS) + 1) if len(data) <= _capacity(each)), None)
    if version is None:
        raise ValueError(f"{len(data)} bytes are too many for a QR code of this kind")
    drawing = _Drawing(version)
    drawing.place(_bits(_interleaved(_codewords(data, version), version)))
    return min((drawing.masked(mask) for mask in range(len(_MASKS))), key=_penalty)


def path(matrix: Matrix) -> tuple[int, str]:
    """The side of a picture with its quiet zone, and the dark modules as the `d` of an SVG path."""
    runs = [
        f"M{x + _QUIET} {y + _QUIET}h{length}v1h-{length}z" for y, row in enumerate(matrix) for x, length in _runs(row)
    ]
    return len(matrix) + 2 * _QUIET, "".join(runs)


def _runs(row: Sequence[bool]) -> Iterator[tuple[int, int]]:
    x = 0
    for is_dark, modules in groupby(row):
        length = len(list(modules))
        if is_dark:
            yield x, length
        x += length


def _total(version: int) -> int:
    """Codewords that there is room for (7.1): all modules but those of function patterns."""
    modules = (16 * version + 128) * version + 64
    if version > 1:
        lines = version // 7 + 2
        modules -= (25 * lines - 10) * lines - 55
    if version >= _VERSION_SHOWN_FROM:
        modules -= 36
    return modules // 8


def _room(version: int) -> int:
    return _total(version) - _CORRECTION[version - 1] * _BLOCKS[version - 1]


def _count_bits(version: int) -> int:
    return 16 if version >= _LONG_COUNT_FROM else 8


def _capacity(version: int) -> int:
    return _room(version) - (4 + _count_bits(version) + 7) // 8


def _codewords(data: bytes, version: int) -> bytes:
    """Byte mode, the count, the data, a terminator, padding (7.4.5, 7.4.9, 7.4.10)."""
    head = 0b0100 << _count_bits(version) | len(data)
    size = 4 + _count_bits(version) + 8 * len(data)
    value = (head << 8 * len(data)) | int.from_bytes(data, "big")
    filled = (value << -(size + 4) % 8 + 4).to_bytes((size + 4 + 7) // 8, "big")
    padding = (_PADDING[index % 2] for index in range(_room(version) - len(filled)))
    return filled + bytes(padding)


def _interleaved(codewords: bytes, version: int) -> bytes:
    """Blocks of data with their error correction, a codeword of each in turn (7.6)."""
    blocks = _BLOCKS[version - 1]
    short = len(codewords) // blocks
    longer = len(codewords) % blocks
    parts: list[bytes] = []
    start = 0
    for index in range(blocks):
        end = start + short + (index >= blocks - longer)
        parts.append(codewords[start:end])
        start = end
    corrections = [_correction(part, _CORRECTION[version - 1]) for part in parts]
    in_turn = (*zip_longest(*parts), *zip(*corrections, strict=True))
    return bytes(byte for each in in_turn for byte in each if byte is not None)


def _correction(data: bytes, degree: int) -> bytes:
    """The remainder of the data by the generator polynomial (7.5.2)."""
    generator = [1]
    root = 1
    for _ in range(degree):
        shifted = [*generator, 0]
        generator = [a ^ _product(root, b) for a, b in zip(shifted, [0, *generator], strict=True)]
        root = _product(root, 2)
    remainder = [0] * degree
    for byte in data:
        factor = byte ^ remainder[0]
        remainder = [a ^ _product(factor, b) for a, b in zip([*remainder[1:], 0], generator[1:], strict=True)]
    return bytes(remainder)


def _product(a: int, b: int) -> int:
    product = 0
    while b:
        product ^= a * (b & 1)
        a = a << 1 ^ (_FIELD if a & 0x80 else 0)
        b >>= 1
    return product


def _bits(codewords: Iterable[int]) -> Bits:
    return [byte >> place & 1 for byte in codewords for place in range(7, -1, -1)]


def _checked(value: int, generator: int, check_bits: int) -> int:
    """The value with the remainder that its BCH code has (annexes C and D)."""
    remainder = value << check_bits
    while remainder.bit_length() > check_bits:
        remainder ^= generator << remainder.bit_length() - check_bits - 1
    return value << check_bits | remainder


class _Drawing:
    """The modules; `None` where data belong. Function patterns and data are drawn apart, since only data are masked."""

    def __init__(self, version: int) -> None:
        self.size = 17 + 4 * version
        self._version = version
        self._modules: list[list[bool | None]] = [[None] * self.size for _ in range(self.size)]
        self._data: list[tuple[int, int, bool]] = []
        self._draw_timing()
        for row, column in ((3, 3), (3, self.size - 4), (self.size - 4, 3)):
            self._draw_rings(row, column, reach=4, dark=(0, 1, 3))
        self._draw_alignment()
        self._draw_format(0)
        self._draw_version()

    def place(self, bits: Bits) -> None:
        """Two columns at a time, from the right, up and down (7.7.3)."""
        remaining = iter(bits)
        for right in range(self.size - 1, 0, -2):
            right_column = right - (right <= 6)
            upward = (right_column + 1) & 2 == 0
            for step in range(self.size):
                row = self.size - 1 - step if upward else step
                for column in (right_column, right_column - 1):
                    if self._modules[row][column] is None:
                        self._data.append((row, column, bool(next(remaining, 0))))

    def masked(self, mask: int) -> Matrix:
        self._draw_format(mask)
        matrix = [[bool(module) for module in row] for row in self._modules]
        for row, column, bit in self._data:
            matrix[row][column] = bit ^ _MASKS[mask](row, column)
        return matrix

    def _draw_timing(self) -> None:
        for place in range(self.size):
            self._modules[6][place] = self._modules[place][6] = place % 2 == 0

    def _draw_rings(self, row: int, column: int, *, reach: int, dark: Sequence[int]) -> None:
        """A pattern of rings around its middle, those in `dark` so (6.3.3, 6.3.6)."""
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                if 0 <= row + down < self.size and 0 <= column + right < self.size:
                    self._modules[row + down][column + right] = max(abs(down), abs(right)) in dark

    def _draw_alignment(self) -> None:
        """Annex E: evenly apart from the far corner, in even steps."""
        if self._version == 1:
            return
        lines = self._version // 7 + 2
        step = (self._version * 4 + lines * 2 + 1) // (lines * 2 - 2) * 2
        places = [6, *(self.size - 7 - index * step for index in range(lines - 2, -1, -1))]
        corners = {(6, 6), (6, self.size - 7), (self.size - 7, 6)}
        for row in places:
            for column in places:
                if (row, column) not in corners:
                    self._draw_rings(row, column, reach=2, dark=(0, 2))

    def _draw_format(self, mask: int) -> None:
        """Twice: around the upper left corner, and split between the two others (7.9)."""
        value = _checked(_FORMAT_L << 3 | mask, 0b10100110111, 10) ^ 0b101010000010010
        bits = [bool(value >> place & 1) for place in range(15)]
        around = [(row, 8) for row in (0, 1, 2, 3, 4, 5, 7, 8)] + [(8, column) for column in (7, 5, 4, 3, 2, 1, 0)]
        apart = [(8, self.size - 1 - place) for place in range(8)] + [(self.size - 7 + n, 8) for n in range(7)]
        for places in (around, apart):
            for (row, column), bit in zip(places, bits, strict=True):
                self._modules[row][column] = bit
        self._modules[self.size - 8][8] = True

    def _draw_version(self) -> None:
        """7.10"""
        if self._version < _VERSION_SHOWN_FROM:
            return
        value = _checked(self._version, 0b1111100100101, 12)
        for place in range(18):
            far, near = self.size - 11 + place % 3, place // 3
            self._modules[far][near] = self._modules[near][far] = bool(value >> place & 1)


def _penalty(matrix: Matrix) -> int:
    """How hard it is to read (7.8.3)."""
    lines = [*matrix, *([*column] for column in zip(*matrix, strict=True))]
    dark = sum(map(sum, matrix))
    uneven = abs(dark * 20 - len(matrix) ** 2 * 10) // len(matrix) ** 2
    return sum(map(_line_penalty, lines)) + _block_penalty(matrix) + uneven * 10


def _line_penalty(line: Sequence[bool]) -> int:
    lengths = [len(list(run)) for _, run in groupby(line)]
    runs = sum(length - 2 for length in lengths if length >= 5)
    windows = (tuple(line[start : start + 11]) for start in range(len(line) - 10))
    return runs + 40 * sum(window in _FINDER_LIKE for window in windows)


def _block_penalty(matrix: Matrix) -> int:
    return 3 * sum(
        upper[x] == upper[x + 1] == lower[x] == lower[x + 1]
        for upper, lower in pairwise(matrix)
        for x in range(len(upper) - 1)
    )
