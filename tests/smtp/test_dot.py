"""End of data, against a statement of RFC 5321 4.5.2 that goes byte by byte."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.smtp.dot import DotScanner
from posthouse.smtp.screen import ILLEGAL_OCTETS, TOO_BIG, ContentScreen


def naive(data: bytes) -> tuple[bytes, bytes] | None:
    """Content and what is behind its end, or None where there is no end."""
    content = b""
    line_start = True
    at = 0
    while at < len(data):
        if line_start and data[at : at + 3] == b".\r\n":
            return content, data[at + 3 :]
        if line_start and data[at : at + 1] == b".":
            at += 1
        line_start = data[at : at + 2] == b"\r\n"
        length = 2 if line_start else 1
        content += data[at : at + length]
        at += length
    return None


def scan(pieces: list[bytes]) -> tuple[bytes, bytes] | None:
    scanner = DotScanner()
    content = b""
    for number, piece in enumerate(pieces):
        clean, finished, rest = scanner.feed(piece)
        content += clean
        if finished:
            return content, rest + b"".join(pieces[number + 1 :])
    return None


def split_at(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[a:b] for a, b in pairwise([0, *sorted(min(cut, len(data)) for cut in cuts), len(data)])]


TRICKY = st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"\r\n.\r\n", b"x", b"\0"]), max_size=25).map(
    b"".join
)
CUTS = st.lists(st.integers(0, 60), max_size=8)

BARE_ENDS = [
    b"\n.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n.\r\r\n",
    b"\r\n.\0\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\r\0\n",
    b"\r\n. \r\n",
    b"\r\r\n.\r\r\n",
    b"\n\n.\r\n",
    b"\n\r.\n\r",
]


@given(TRICKY, CUTS)
def test_it_is_the_naive_reading_however_it_is_cut(data: bytes, cuts: list[int]):
    assert scan(split_at(data, cuts)) == naive(data)


@pytest.mark.parametrize("end", BARE_ENDS)
def test_only_crlf_dot_crlf_is_the_end(end: bytes):
    data = b"text" + end + b"MAIL FROM:<evil@example>\r\n"
    assert scan([data]) is None
    assert scan([data[at : at + 1] for at in range(len(data))]) is None
    content, rest = scan([data, b".\r\n"]) or (b"", b"")
    assert content.endswith(b"evil@example>\r\n")
    assert rest == b""


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"a\r\n..\r\n...\r\n.\r\n", b"a\r\n.\r\n..\r\n"),
    ],
)
def test_content(data: bytes, content: bytes):
    assert scan([data + b"QUIT\r\n"]) == (content, b"QUIT\r\n")


def test_clean_content_is_not_copied():
    scanner = DotScanner()
    scanner.feed(b"first")
    piece = b"line\r\nline\r\nli"
    clean, finished, _ = scanner.feed(piece)
    assert clean is piece
    assert not finished
    assert ContentScreen(0, repair=False).admit(piece) is piece


def screened(pieces: list[bytes], *, repair: bool, limit: int = 0) -> tuple[bytes, ContentScreen]:
    screen = ContentScreen(limit, repair=repair)
    content = b"".join(map(screen.admit, pieces)) + screen.finish()
    return content, screen


def illegal(data: bytes) -> bool:
    rest = data.replace(b"\r\n", b"")
    return any(octet in rest for octet in (b"\r", b"\n", b"\0"))


@given(TRICKY, CUTS)
def test_bare_line_ends_and_nul_are_a_fault_and_never_leave(data: bytes, cuts: list[int]):
    content, screen = screened(split_at(data, cuts), repair=False)
    assert (screen.fault is ILLEGAL_OCTETS) == illegal(data)
    assert data.startswith(content)
    assert not illegal(content.removesuffix(b"\r"))
    if screen.fault is None:
        assert content == data


@given(TRICKY, CUTS)
def test_bare_line_ends_and_nul_are_repaired(data: bytes, cuts: list[int]):
    content, screen = screened(split_at(data, cuts), repair=True)
    assert screen.fault is None
    assert not illegal(content)
    assert screen.size == len(content)
    assert content.replace(b"\r\n", b"\n") == data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\0", b"")


@given(TRICKY, CUTS, st.integers(1, 60))
def test_too_big_lets_nothing_over_the_limit_pass(data: bytes, cuts: list[int], limit: int):
    content, screen = screened(split_at(data, cuts), repair=False, limit=limit)
    assert len(content) <= limit
    if not illegal(data):
        assert screen.fault is (TOO_BIG if len(data) > limit else None)
        assert screen.size == len(data)
