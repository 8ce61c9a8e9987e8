"""Between an organization as it is written and as it is stored.

Written, it refers to things outside: files, the environment, what is stored already. Stored, it holds plain values and
the names of secrets. A reference to what is stored already, which is all that an export has, is a certificate's
`thumbprint`, a login's `user` or a credential's `name` with nothing beside it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, load_pem_x509_certificates

from posthouse.admin.errors import AdminError
from posthouse.admin.names import told_variable
from posthouse.admin.presets import expanded
from posthouse.net.certificates import CertificateError, Identity, load_files, thumbprint

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """What the organization in the store holds that a written one can refer to."""

    document: Mapping[str, Any]
    secret: Callable[[str], bytes]

    def password_hash(self, user: str) -> str | None:
        for connector in self.document.get("inbound_connector", ()):
            for login in connector.get("sender_credentials", ()):
                if login["user"].casefold() == user.casefold():
                    return login["password_hash"]
        return None

    def certificate(self, thumbprint: str) -> Document | None:
        holders = [*self.document.get("outbound_connector", ()), *self.document.get("credential", ())]
        for holder in holders:
            reference = holder.get("client_certificate") or holder.get("certificate")
            if reference and reference["thumbprint"] == thumbprint.upper():
                return dict(reference)
        return None

    def credential_secret(self, name: str) -> str:
        """The name of a credential's secret; empty where there is none."""
        held = (credential for credential in self.document.get("credential", ()) if credential["name"] == name)
        return next((credential.get("secret", "") for credential in held), "")


class _Problem(Exception):
    """One reference leads nowhere: what is wrong and what to do."""


@dataclass(slots=True)
class Resolver:
    """Turns a written organization into a stored one; what is wrong is collected, so that one run tells it all.

    A value of the wrong shape is left for the validation of the document, which knows all the shapes.
    """

    folder: Path
    environ: Mapping[str, str]
    stored: Stored
    new_secrets: dict[str, bytes] = field(default_factory=dict[str, bytes])
    problems: list[str] = field(default_factory=list[str])

    def resolve(self, written: Mapping[str, Any]) -> Document:
        """The document to validate and store, with `new_secrets`. Raises `AdminError`."""
        document = dict(written)
        self._each(document, "trusted_roots", str, self._root)
        self._each(document, "inbound_connector", Mapping, self._inbound)
        self._each(document, "outbound_connector", Mapping, self._outbound)
        self._each(document, "credential", Mapping, self._credential)
        if self.problems:
            raise AdminError(*self.problems)
        return document

    def _each(self, table: Document, key: str, kind: type, resolve: Callable[[Any], object]) -> None:
        """Resolve each value of a list, if it is one and they are of the kind that they should be."""
        if isinstance(values := table.get(key), list):
            table[key] = [self._collecting(resolve, value) if isinstance(value, kind) else value for value in values]

    def _collecting(self, resolve: Callable[[Any], object], value: object) -> object:
        try:
            return resolve(value)
        except _Problem as problem:
            self.problems.append(str(problem))
            return value

    def _root(self, root: str) -> str:
        """A path, or the PEM text itself."""
        is_text = root.lstrip().startswith("-----BEGIN")
        where = f"trusted_roots: {'the PEM text' if is_text else root}"
        try:
            pem = root.encode() if is_text else (self.folder / root).read_bytes()
            return "".join(_pem(certificate) for certificate in load_pem_x509_certificates(pem))
        except OSError as error:
            raise _Problem(f"{where}: {error.strerror}; name a PEM file that this user can read") from None
        except ValueError:
            raise _Problem(f"{where}: no PEM certificate in it; it needs -----BEGIN CERTIFICATE-----") from None

    def _inbound(self, connector: Mapping[str, Any]) -> Document:
        resolved = dict(connector)
        where = f'inbound_connector "{connector.get("name")}": sender_credentials'
        self._each(resolved, "sender_credentials", Mapping, lambda login: self._login(dict(login), where))
        return resolved

    def _login(self, login: Document, where: str) -> Document:
        user = str(login.get("user", ""))
        password = self._taken(login, "password", f"{where}: user {user}")
        if "password_hash" in login:
            return login
        known = self.stored.password_hash(user)
        if password is None and known is None:
            raise _Problem(f"{where}: user {user} has no password; set password_env to the variable that holds it")
        if password == "":
            raise _Problem(f"{where}: the password of user {user} is empty; set it")
        is_known = password is None or (known is not None and _verifies(known, password))
        return {**login, "password_hash": known if is_known else PasswordHasher().hash(password or "")}

    def _outbound(self, connector: Mapping[str, Any]) -> Document:
        where = f'outbound_connector "{connector.get("name")}"'
        try:
            resolved = expanded(connector)
        except AdminError as error:
            raise _Problem(f"{where}: {error}") from None
        return self._with_certificate(resolved, "client_certificate", f"{where}: client_certificate")

    def _credential(self, credential: Mapping[str, Any]) -> Document:
        resolved = dict(credential)
        name = str(credential.get("name", ""))
        secret = self._taken(resolved, "secret", f'credential "{name}"')
        kept = self.stored.credential_secret(name)
        if secret is not None and (not kept or self.stored.secret(kept) != secret.encode()):
            kept = f"credential/{secrets.token_hex(8)}"
            self.new_secrets[kept] = secret.encode()
        if kept:
            resolved["secret"] = kept
        return self._with_certificate(resolved, "certificate", f'credential "{name}": certificate')

    def _with_certificate(self, table: Document, key: str, where: str) -> Document:
        if isinstance(reference := table.get(key), Mapping):
            table[key] = self._certificate(dict(reference), where)
        return table

    def _certificate(self, reference: Document, where: str) -> Document:
        password = self._taken(reference, "password", where)
        match reference:
            case {"thumbprint": str(thumbprint), **rest} if not rest:
                return self._kept_certificate(thumbprint, where)
            case {"pfx": str(file), **rest} if not rest:
                return self._read_certificate(where, self.folder / file, None, password)
            case {"certificate": str(file), "key": str(key), **rest} if not rest:
                return self._read_certificate(where, self.folder / file, self.folder / key, password)
        raise _Problem(f"{where}: write {{ pfx, password_env }}, {{ certificate, key }} or {{ thumbprint }}")

    def _read_certificate(self, where: str, file: Path, key: Path | None, password: str | None) -> Document:
        try:
            identity = load_files(file, key, password)
        except CertificateError as error:
            raise _Problem(f"{where}: {error}") from None
        secret = f"certificate/{_fingerprint(identity)}"
        self.new_secrets[secret] = identity.to_pfx()
        return {"secret": secret, "thumbprint": identity.thumbprint}

    def _kept_certificate(self, thumbprint: str, where: str) -> Document:
        if kept := self.stored.certificate(thumbprint):
            return kept
        raise _Problem(f"{where}: no certificate {thumbprint} is stored; give its file with pfx")

    def _taken(self, table: Document, key: str, where: str) -> str | None:
        """Take `key` or `key_env` out of a table: a secret as it is, or the variable that holds it."""
        plain, variable = table.pop(key, None), table.pop(f"{key}_env", None)
        if not isinstance(plain, str | None) or not isinstance(variable, str | None):
            raise _Problem(f"{where}: {key} is not a text; put it in quotes, or set {key}_env to a variable's name")
        if variable is None:
            return plain
        if variable not in self.environ:
            raise _Problem(f"{where}: the environment has no {told_variable(variable)}; set it to the {key}")
        return self.environ[variable]


def written(stored: Mapping[str, Any]) -> Document:
    """A stored document as a file shows it: secrets are left out, so that reading it again keeps them."""
    document = dict(stored)
    rewritings = {"inbound_connector": _without_hashes, "outbound_connector": _referring, "credential": _referring}
    for key, rewrite in rewritings.items():
        if key in document:
            document[key] = [rewrite(dict(table)) for table in document[key]]
    return document


def _without_hashes(connector: Document) -> Document:
    if logins := connector.get("sender_credentials"):
        connector["sender_credentials"] = [{"user": login["user"]} for login in logins]
    return connector


def _referring(table: Document) -> Document:
    table.pop("secret", None)
    for key in ("client_certificate", "certificate"):
        if reference := table.get(key):
            table[key] = {"thumbprint": reference["thumbprint"]}
    return table


def certificate_names(pem: str) -> list[str]:
    """What people tell the certificates of a PEM text by: subject and thumbprint."""
    return [
        f"{certificate.subject.rfc4514_string()} {thumbprint(certificate)}"
        for certificate in load_pem_x509_certificates(pem.encode())
    ]


def secret_names(stored: Mapping[str, Any]) -> set[str]:
    """The secrets that a stored document needs."""
    tables = [*stored.get("outbound_connector", ()), *stored.get("credential", ())]
    references = [table.get(key) for table in tables for key in ("client_certificate", "certificate")]
    names = [table.get("secret", "") for table in tables]
    return {*names, *(reference["secret"] for reference in references if reference)} - {""}


def _verifies(password_hash: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _fingerprint(identity: Identity) -> str:
    """The same certificate with another chain is another secret: workers tell by its name that it changed."""
    chain = (identity.certificate, *identity.chain)
    return hashlib.sha256("".join(_pem(certificate) for certificate in chain).encode()).hexdigest()[:32]


def _pem(certificate: Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")
