"""What a `Received` value tells about TLS, wherever it stands and however it is put.

Postfix   (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))
Exchange  (version=TLS1_3, cipher=TLS_AES_256_GCM_SHA384)
Exim      with esmtps (TLS1.3) tls TLS_AES_256_GCM_SHA384       before 4.94: (TLS1.3:TLS_AES_256_GCM_SHA384:256)
Courier   (TLS: TLSv1.2,256bits,ECDHE-RSA-AES256-GCM-SHA384)
Cisco     with ESMTP/TLS/ECDHE-RSA-AES256-GCM-SHA384
qmail     with (AES256-GCM-SHA384 encrypted) SMTP
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_VERSION = re.compile(r"(?<![\w.-])(TLS|SSL)[v -]?(\d)(?:[._]?(\d))?(?![\w-]*\.[a-z])", re.IGNORECASE)
_ABOUT_TLS = re.compile(
    rf"{_VERSION.pattern}|\bcipher[= ]|\w encrypted\b|^(?:using )?(?:TLS|SSL)(?:$|:)", re.IGNORECASE
)
_CIPHERS = (
    re.compile(r"(?:TLS|SSL)v?\d[\d._]*(?:/SSLv3)?(?::|,[ ]?\d+ ?bits,)([A-Z0-9][\w-]{4,})", re.IGNORECASE),
    re.compile(r"\bcipher[= ]([A-Z0-9][\w-]+)", re.IGNORECASE),
    re.compile(r"(?<![\w-])([A-Z0-9][\w-]+) encrypted\b", re.IGNORECASE),
    re.compile(r"\bTLS/([A-Z0-9][\w-]+)"),
)
_IN_PROTOCOL = re.compile(r"(?P<cisco>\S+?)[/-](?P<tls>TLS(?:/[\w-]+)?)|(?P<qmail>[\w-]+ encrypted) (?P<protocol>.+)")


@dataclass(frozen=True, slots=True)
class Encryption:
    """What was said, the version written as `TLS1.3`, and the name of the cipher; empty where it isn't told."""

    said: str
    version: str
    cipher: str


def tells(comment: str) -> bool:
    """Whether the comment is about TLS."""
    return _ABOUT_TLS.search(comment) is not None


def encryption(comments: Iterable[str], tls_clause: str, protocol: str) -> tuple[str, Encryption]:
    """The protocol without what it says about TLS, and all that is said about it."""
    inside = _IN_PROTOCOL.fullmatch(protocol)
    if inside:
        protocol, tls_clause = (
            (inside["cisco"], inside["tls"]) if inside["cisco"] else (inside["protocol"], inside["qmail"])
        )
    comment = next((comment.removeprefix("using ") for comment in comments if tells(comment)), "")
    said = " ".join(filter(None, (comment, tls_clause)))
    cipher = next((match[1] for pattern in _CIPHERS if (match := pattern.search(said))), "")
    if not cipher and not inside:
        cipher = tls_clause
    return protocol, Encryption(said, _version(said), cipher)


def _version(said: str) -> str:
    match = _VERSION.search(said)
    return f"{match[1].upper()}{match[2]}.{match[3] or 0}" if match else ""
