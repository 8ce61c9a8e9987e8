"""How values look on a page."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from fastapi import Request


def iso(at: float) -> str:
    """For `<time datetime>`; the script shows it in the reader's zone."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


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
