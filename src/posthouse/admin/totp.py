"""Time-based one-time passwords (RFC 6238) with what every authenticator app knows: SHA-1, six digits, 30 seconds."""

from __future__ import annotations

import base64
import hmac
import secrets
from urllib.parse import quote

_STEP_SECONDS = 30
_DIGITS = 6
_SECRET_BYTES = 20  # as long as the hash: RFC 4226 section 4, R6
_DRIFT = 1  # steps that a clock may be off: RFC 6238 section 5.2


def new_secret() -> bytes:
    return secrets.token_bytes(_SECRET_BYTES)


def enrolment_uri(secret: bytes, name: str) -> str:
    """What an app reads from a QR code: https://github.com/google/google-authenticator/wiki/Key-Uri-Format."""
    return f"otpauth://totp/Posthouse:{quote(name)}?secret={base64.b32encode(secret).decode()}&issuer=Posthouse"


def code_at(secret: bytes, step: int) -> str:
    """RFC 4226 section 5.3: four bytes of the HMAC, from where its last nibble points to."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}}"


def step_of(secret: bytes, code: str, now: float) -> int | None:
    """The time step that a code belongs to, now or a step away; None where it belongs to none.

    Who takes a code must take no other of that step or before: RFC 6238 section 5.2.
    """
    given = "".join(code.split()).encode(errors="replace")
    current = int(now) // _STEP_SECONDS
    steps = range(current - _DRIFT, current + _DRIFT + 1)
    found = [step for step in steps if hmac.compare_digest(code_at(secret, step).encode(), given)]
    return found[-1] if found else None
