"""Transfer encodings of MIME (RFC 2045 6) undone as the bytes come. Pure."""

from __future__ import annotations

import binascii
import string
from typing import Final, Protocol

_ALPHABET: Final = (string.ascii_letters + string.digits + "+/=").encode()
_OTHERS: Final = bytes(set(range(256)) - set(_ALPHABET))


class Decoder(Protocol):
    def feed(self, data: bytes) -> bytes:
        """What these bytes complete."""
        ...

    def close(self) -> bytes:
        """What is left at the end."""
        ...


def decoder(encoding: str) -> Decoder | None:
    """None for an encoding that isn't known."""
    made = _DECODERS.get(encoding)
    return made() if made else None


class _Identity:
    def feed(self, data: bytes) -> bytes:
        return data

    def close(self) -> bytes:
        return b""


class _Base64:
    """Characters outside the alphabet are ignored, and `=` is the end (RFC 2045 6.8)."""

    def __init__(self) -> None:
        self._held = b""
        self._is_over = False

    def feed(self, data: bytes) -> bytes:
        if self._is_over:
            return b""
        data = self._held + data.translate(None, _OTHERS)
        if (end := data.find(b"=")) >= 0:
            self._held, self._is_over = b"", True
            return _whole(data[:end])
        stop = len(data) - len(data) % 4
        self._held = data[stop:]
        return binascii.a2b_base64(data[:stop])

    def close(self) -> bytes:
        return _whole(self._held)


class _QuotedPrintable:
    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """An escape that is cut in two waits for its rest."""
        data = self._held + data
        stop = _uncut(data)
        self._held = data[stop:]
        return binascii.a2b_qp(data[:stop])

    def close(self) -> bytes:
        return binascii.a2b_qp(self._held)


def _uncut(data: bytes) -> int:
    """Where an escape begins that isn't whole yet; the length where none does. `==` is one, to binascii."""
    for end in (len(data), len(data) - 1):
        signs = end - len(data[:end].rstrip(b"="))
        if signs > 0:
            return end - 1 if signs % 2 else len(data)
    return len(data)


def _whole(data: bytes) -> bytes:
    """The end of base64; one character alone holds no byte."""
    data = data[: len(data) - (len(data) % 4 == 1)]
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))


_DECODERS: Final[dict[str, type[Decoder]]] = {
    "base64": _Base64,
    "quoted-printable": _QuotedPrintable,
    "7bit": _Identity,
    "8bit": _Identity,
    "binary": _Identity,
    "": _Identity,
}
