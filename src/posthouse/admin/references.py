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
from posthouse.net.certificates import CertificateError, Identity, load_files

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
        if isinstance(roots := document.get("trusted_roots"), list):
            document["trusted_roots"] = [self._root(root) for root in roots]
        self._each(document, "inbound_connector", self._inbound)
        self._each(document, "outbound_connector", self._outbound)
        self._each(document, "credential", self._credential)
        if self.problems:
            raise AdminError(*self.problems)
        return document

    def _each(self, document: Document, key: str, resolve: Callable[[Document], Document]) -> None:
        if isinstance(tables := document.get(key), list):
            document[key] = [resolve(dict(table)) if isinstance(table, Mapping) else table for table in tables]

    def _root(self, root: object) -> object:
        """A path, or the PEM text itself."""
        if not isinstance(root, str):
            return root
        is_text = root.lstrip().startswith("-----BEGIN")
        name = "the PEM text" if is_text else root
        try:
            pem = root.encode() if is_text else (self.folder / root).read_bytes()
            return "".join(_pem(certificate) for certificate in load_pem_x509_certificates(pem))
        except OSError as error:
            self.problems.append(f"trusted_roots: {name}: {error.strerror}; name a PEM file that this user can read")
        except ValueError:
            self.problems.append(
                f"trusted_roots: {name}: no PEM certificate in it; it needs -----BEGIN CERTIFICATE-----"
            )
        return root

    def _inbound(self, connector: Document) -> Document:
        if isinstance(logins := connector.get("sender_credentials"), list):
            where = f'inbound_connector "{connector.get("name")}": sender_credentials'
            connector["sender_credentials"] = [
                self._login(login, where) if isinstance(login, Mapping) else login for login in logins
            ]
        return connector

    def _login(self, login: Mapping[str, Any], where: str) -> Document:
        resolved = dict(login)
        user = str(login.get("user", ""))
        password = self._taken(resolved, "password", f"{where}: user {user}")
        if "password_hash" in login:
            return resolved
        known = self.stored.password_hash(user)
        if password is None and known is None:
            self.problems.append(
                f"{where}: user {user} has no password; set password_env to the variable that holds it"
            )
        elif password is None or (known and _verifies(known, password)):
            resolved["password_hash"] = known
        else:
            resolved["password_hash"] = PasswordHasher().hash(password)
        return resolved

    def _outbound(self, connector: Document) -> Document:
        where = f'outbound_connector "{connector.get("name")}": client_certificate'
        return self._with_certificate(connector, "client_certificate", where)

    def _credential(self, credential: Document) -> Document:
        name = str(credential.get("name", ""))
        where = f'credential "{name}"'
        secret = self._taken(credential, "secret", where)
        kept = self.stored.credential_secret(name)
        if secret is not None and (not kept or self.stored.secret(kept) != secret.encode()):
            kept = f"credential/{secrets.token_hex(8)}"
            self.new_secrets[kept] = secret.encode()
        if kept:
            credential["secret"] = kept
        return self._with_certificate(credential, "certificate", f"{where}: certificate")

    def _with_certificate(self, table: Document, key: str, where: str) -> Document:
        if isinstance(table.get(key), Mapping):
            table[key] = self._certificate(dict(table[key]), where)
        return table

    def _certificate(self, written: Document, where: str) -> Document:
        password = self._taken(written, "password", where)
        match written:
            case {"thumbprint": str(thumbprint), **rest} if not rest:
                return self._kept_certificate(thumbprint, where)
            case {"pfx": str(file), **rest} if not rest:
                return self._read_certificate(where, self.folder / file, None, password)
            case {"certificate": str(file), "key": str(key), **rest} if not rest:
                return self._read_certificate(where, self.folder / file, self.folder / key, password)
        self.problems.append(f"{where}: write {{ pfx, password_env }}, {{ certificate, key }} or {{ thumbprint }}")
        return {}

    def _read_certificate(self, where: str, file: Path, key: Path | None, password: str | None) -> Document:
        try:
            identity = load_files(file, key, password)
        except CertificateError as error:
            self.problems.append(f"{where}: {error}")
            return {}
        secret = f"certificate/{_fingerprint(identity)}"
        self.new_secrets[secret] = identity.to_pfx()
        return {"secret": secret, "thumbprint": identity.thumbprint}

    def _kept_certificate(self, thumbprint: str, where: str) -> Document:
        if kept := self.stored.certificate(thumbprint):
            return kept
        self.problems.append(f"{where}: no certificate {thumbprint} is stored; give its file with pfx")
        return {}

    def _taken(self, table: Document, key: str, where: str) -> str | None:
        """Take `key` or `key_env` out of a table: a secret as it is, or the variable that holds it."""
        plain, variable = table.pop(key, None), table.pop(f"{key}_env", None)
        if variable is None or not isinstance(variable, str):
            return plain if isinstance(plain, str) else None
        if variable not in self.environ:
            self.problems.append(f"{where}: the environment has no {variable}; set it to the {key}")
        return self.environ.get(variable, "")


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
