"""Styles, script and icons: our own files, and no others. A browser keeps each as long as its content is the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response

from posthouse.web.problems import Refusal

_FOLDER = Path(__file__).parent / "assets"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable"}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    media_type: str
    version: str


@cache
def _assets() -> dict[str, _Asset]:
    return {file.name: _read(file) for file in _FOLDER.iterdir() if file.suffix in _TYPES}


def _read(file: Path) -> _Asset:
    content = file.read_bytes()
    return _Asset(content, _TYPES[file.suffix], hashlib.sha256(content).hexdigest()[:12])


def asset_url(name: str) -> str:
    """It changes with the content."""
    return f"/assets/{_assets()[name].version}/{name}"


@router.get("/assets/{version}/{name}")
def asset(version: str, name: str) -> Response:
    found = _assets().get(name)
    if found is None or found.version != version:
        raise Refusal(HTTPStatus.NOT_FOUND, "there is no such file; reload the page")
    return Response(found.content, media_type=found.media_type, headers=_HEADERS)
