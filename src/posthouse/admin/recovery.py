"""Recovery codes: each stands in once for a code of an authenticator app that is lost."""

from __future__ import annotations

import base64
import hashlib
import secrets

_HOW_MANY = 10
_BYTES = 10
"""80 random bits can't be guessed, so that a single SHA-256 will do."""
_GROUP = 4


def new_codes() -> tuple[str, ...]:
    """To be shown once."""
    return tuple(_grouped(base64.b32encode(secrets.token_bytes(_BYTES)).decode()) for _ in range(_HOW_MANY))


def code_hash(code: str) -> str:
    """What is stored of one, however it is typed."""
    plain = "".join(char for char in code.upper() if char.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def _grouped(code: str) -> str:
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))
