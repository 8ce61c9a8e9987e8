"""X509Certificate2 (https://learn.microsoft.com/dotnet/api/system.security.cryptography.x509certificates.x509certificate2).

Its key is only sent with mail of the same script: no store keeps it, whatever its flags say.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from posthouse.cmdlets.conversion import BYTES
from posthouse.cmdlets.interface import NetType, Services
from posthouse.cmdlets.mail.credentials import plain_text
from posthouse.cmdlets.mail.net_objects import flags, warn
from posthouse.cmdlets.values import Hashtable, PSObject, Value
from posthouse.net.certificates import CertificateError, Identity, load_pem, load_pfx, thumbprint

_NAME = "System.Security.Cryptography.X509Certificates.X509Certificate2"
_FLAGS = flags(
    "System.Security.Cryptography.X509Certificates.X509KeyStorageFlags",
    *("DefaultKeySet", "UserKeySet", "MachineKeySet", "Exportable", "UserProtected", "PersistKeySet"),
    "EphemeralKeySet",
)


@dataclass(slots=True, eq=False)
class Certificate(PSObject):
    """`identity` is None before an import, and for a certificate without its key."""

    identity: Identity | None = None
    is_for_clients: bool = True


def make(services: Services, content: Value = None, password: Value = None, key_flags: Value = None) -> Certificate:
    """Of bytes, or of a file that the script may read."""
    made = Certificate(_NAME, Hashtable({"Subject": "", "Thumbprint": None, "HasPrivateKey": False}), _NAME, setters={})
    made.methods = {
        "Import": partial(_import, services, made),
        "GetCertHashString": lambda: made.properties["Thumbprint"],
        "Dispose": lambda: None,
    }
    if content is not None:
        _import(services, made, content, password, key_flags)
    return made


def _import(
    services: Services, made: Certificate, content: Value, password: Value = None, key_flags: Value = None
) -> None:
    _FLAGS.convert(key_flags)
    data = services.files.read(content) if isinstance(content, str) else BYTES.convert(content)
    if not data:
        warn(services, "The PFX was not read; put it next to the script, or name it with --allow-file.")
        raise ValueError("Array may not be empty or null. Parameter name: rawData")
    certificate = _read(services, made, data, plain_text(password))
    made.text = _shown(certificate.subject)
    made.is_for_clients = _is_for_clients(certificate)
    made.properties.update(
        {
            "Subject": made.text,
            "Issuer": _shown(certificate.issuer),
            "Thumbprint": thumbprint(certificate),
            "SerialNumber": f"{certificate.serial_number:X}",
            "NotBefore": certificate.not_valid_before_utc.astimezone(services.now().tzinfo),
            "NotAfter": certificate.not_valid_after_utc.astimezone(services.now().tzinfo),
            "HasPrivateKey": made.identity is not None,
        }
    )


def _read(services: Services, made: Certificate, data: bytes, password: str) -> x509.Certificate:
    made.identity = None
    try:
        load = load_pem if b"-----BEGIN " in data else load_pfx
        made.identity = load(data, password=password, source="the PFX")
    except CertificateError as error:
        alone = _without_key(data)
        if alone:
            return alone
        warn(services, f"{error}.")
        is_password = "password" in str(error)
        raise ValueError(
            "The specified network password is not correct." if is_password else "Cannot find the requested object."
        ) from None
    return made.identity.certificate


def _shown(name: x509.Name) -> str:
    """As Windows writes it: the most specific part first, with spaces between."""
    return ", ".join(part.rfc4514_string() for part in reversed(name.rdns))


def _without_key(data: bytes) -> x509.Certificate | None:
    load = x509.load_pem_x509_certificate if b"-----BEGIN " in data else x509.load_der_x509_certificate
    try:
        return load(data)
    except ValueError:
        return None


def _is_for_clients(certificate: x509.Certificate) -> bool:
    """Without an Enhanced Key Usage a certificate is for everything (RFC 5280 4.2.1.12)."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages


CERTIFICATE = NetType((_NAME,), make, ("Import", "GetCertHashString", "Dispose"))
