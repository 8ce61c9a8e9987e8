"""`-ClientCertificate`: one that is stored already, an X509Certificate2 with its key, or a PFX and its password."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from posthouse.cmdlets.conversion import BYTES, ConversionError, PSType
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Bound, Context
from posthouse.cmdlets.mail.credentials import plain_text
from posthouse.cmdlets.mail.x509 import Certificate
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, Value
from posthouse.net.certificates import CertificateError, Identity, load_pfx

_NAME = "ClientCertificate"
_KEYS = (
    "It is an X509Certificate2, a thumbprint, or a hashtable with the keys Pfx (a file) or Content (its bytes, or "
    "these in Base64), and Password."
)


@dataclass(frozen=True, slots=True)
class _Pfx:
    """`source` is a file's name, or what is in it."""

    source: str | bytes = field(repr=False)
    password: str = field(repr=False)


def _to_certificate(value: Value) -> Value:
    if value in (None, ""):
        return None
    if isinstance(value, Certificate):
        if value.identity is None:
            raise ConversionError("The certificate has no private key; export the PFX with its private key.")
        return value.identity
    return _pfx(value) if isinstance(value, Hashtable) else {"thumbprint": to_text(value)}


def _pfx(table: Hashtable) -> _Pfx:
    given = {to_text(key).lower(): part for key, part in table.items()}
    password = plain_text(given.pop("password", None))
    match given:
        case {"pfx": file, **rest} if not rest:
            return _Pfx(to_text(file), password)
        case {"content": content, **rest} if not rest:
            return _Pfx(_content(content), password)
    raise ConversionError(_KEYS)


def _content(value: Value) -> bytes:
    if not isinstance(value, str):
        return BYTES.convert(value) or b""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ConversionError("Content is not Base64; encode the PFX so.") from None


CERTIFICATE = PSType("Posthouse.ClientCertificate", _to_certificate)


@contextmanager
def as_file(context: Context, bound: Bound) -> Iterator[Bound]:
    """With a certificate's key in a file, from where an organization reads one: locked, and gone afterwards."""
    given = bound.get(_NAME)
    if not isinstance(given, _Pfx | Identity):
        yield bound
        return
    identity = _read(context, given) if isinstance(given, _Pfx) else given
    password = secrets.token_urlsafe()
    with TemporaryDirectory(prefix="posthouse-") as folder:  # 0700
        file = Path(folder) / "certificate.pfx"
        file.write_bytes(identity.to_pfx(password))
        yield Bound({**bound, _NAME: {"pfx": str(file), "password": password}})


def _read(context: Context, pfx: _Pfx) -> Identity:
    content = pfx.source if isinstance(pfx.source, bytes) else context.services.files.read(pfx.source)
    try:
        return load_pfx(content, pfx.password, source="the PFX")
    except CertificateError as error:
        raise PSError(f"{_NAME}: {error}", category="InvalidArgument", error_id="TaskArgumentException") from None
