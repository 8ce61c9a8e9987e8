"""How values look on a page."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from fastapi import Request

_MINUTE = 60.0


def iso(at: float) -> str:
    """For `<time datetime>`; the script shows it in the reader's zone."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")


def number(count: float) -> str:
    """With narrow spaces, as both languages may write it."""
    return f"{count:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def duration(seconds: float) -> str:
    """In the unit that tells it shortest."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.3g} s"
    for unit, size in (("min", _MINUTE), ("h", 60 * _MINUTE)):
        if seconds < 48 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / (24 * 60 * _MINUTE):.0f} d"


def bytes_of(size: float) -> str:
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size / 1024:.3g} KiB"


def pieces(text: str) -> list[tuple[bool, str]]:
    """Of a text in which code stands in backticks: whether each piece is code, and what it is."""
    return [(place % 2 == 1, piece) for place, piece in enumerate(text.split("`"))]


def segment(text: str) -> str:
    """As a part of an address."""
    return quote(text, safe="")


def here(request: Request) -> str:
    """This page's own address, to come back to."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def local_path(text: str) -> str:
    """An address of this site that somebody gave us; of any other, the start page."""
    is_ours = text.startswith("/") and not text.startswith("//") and text.isprintable() and "\\" not in text
    return text if is_ours else "/"
