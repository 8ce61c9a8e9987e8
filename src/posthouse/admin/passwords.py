"""Passwords of administrators: what is accepted (NIST SP 800-63B section 3.1.1.2), hashed with argon2id, compared."""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from posthouse.admin.errors import AdminError

_SHORTEST, _LONGEST = 12, 1024
_at_once = BoundedSemaphore(2)  # each takes its argon2 memory
_hasher = PasswordHasher()


def hashed(password: str, name: str) -> str:
    """The hash to store. Raises `AdminError` where the password is not good enough; any characters will do."""
    if len(password) < _SHORTEST:
        raise AdminError(f"the password is too short; take at least {_SHORTEST} characters, several words for instance")
    if len(password) > _LONGEST:
        raise AdminError(f"the password is too long; take at most {_LONGEST} characters")
    if password.casefold() == name.casefold():
        raise AdminError("the password is the name; take another one")
    with _at_once:
        return _hasher.hash(_normalised(password))


def matches(password: str, expected: str | None) -> bool:
    """Whether the password belongs to the hash. No hash (no such administrator) takes as long and is false."""
    with _at_once:
        nobody = _nobody()  # the first time it takes long, whoever asks
        try:
            return _hasher.verify(expected or nobody, _normalised(password[:_LONGEST])) and expected is not None
        except (VerificationError, InvalidHashError):
            return False


def _normalised(password: str) -> bytes:
    """The same characters are the same bytes, whatever keyboard they came from."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_bytes(16))
