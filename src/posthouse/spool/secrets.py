"""Secrets at rest: PFX files and passwords, encrypted with a key that is not in the store."""

from __future__ import annotations

import base64
import binascii
import os
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa

from posthouse.spool.records import SpoolError
from posthouse.spool.schema import secret
from posthouse.spool.store import Store

KEY_VARIABLE = "POSTHOUSE_SECRETS_KEY"
_KEY_BYTES = 32
_NONCE_BYTES = 12


class SecretsKey:
    """AES-256-GCM with the key from the environment, else from `data_dir/secrets.key`, made when first needed.

    The name of a secret is authenticated with it, so that nobody who can write the store can exchange two.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "secrets.key"

    def encrypt(self, name: str, value: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._key(make=True)).encrypt(nonce, value, name.encode())

    def decrypt(self, name: str, ciphertext: bytes) -> bytes:
        """Raises `SpoolError` where the key isn't the one that the secret was stored with."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, encrypted = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
        try:
            return AESGCM(self._key(make=False)).decrypt(nonce, encrypted, name.encode())
        except InvalidTag as error:
            raise SpoolError(
                f"The secret {name!r} can't be decrypted: it was stored with another key than that of {self._source}. "
                "Restore that key, or apply the secret again."
            ) from error

    @property
    def _source(self) -> str:
        return KEY_VARIABLE if KEY_VARIABLE in os.environ else str(self._path)

    def _key(self, *, make: bool) -> bytes:
        text = os.environ.get(KEY_VARIABLE)
        try:
            if text is None:
                text = self._from_file(make=make)
            key = base64.b64decode(text, validate=True)
        except OSError as error:
            raise SpoolError(f"{self._path} can't be read: {error.strerror}. Restore it.") from error
        except binascii.Error:
            key = b""
        if len(key) != _KEY_BYTES:
            raise SpoolError(f"{self._source} is no secrets key: it must be {_KEY_BYTES} bytes in base64. Restore it.")
        return key

    def _from_file(self, *, make: bool) -> str:
        if make and not self._path.exists():
            with suppress(FileExistsError):
                self._make_file()
        return self._path.read_text("ascii").strip()

    def _make_file(self) -> None:
        """Whole or not at all, so that another process never reads half a key, and no crash leaves one."""
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, base64.b64encode(os.urandom(_KEY_BYTES)) + b"\n")
            os.fsync(descriptor)
            os.link(new, self._path)
        finally:
            os.close(descriptor)
            new.unlink()


class Secrets:
    """Secrets by name; `Organizations.save` writes them, together with the document that names them. Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = SecretsKey(store.data_dir)

    def get(self, name: str) -> bytes:
        """Raises `KeyError` for a name that isn't there."""
        with self._store.reading() as connection:
            ciphertext = connection.scalar(sa.select(secret.c.ciphertext).where(secret.c.name == name))
        if ciphertext is None:
            raise KeyError(name)
        return self._key.decrypt(name, bytes(ciphertext))

    def names(self) -> frozenset[str]:
        with self._store.reading() as connection:
            return frozenset(connection.scalars(sa.select(secret.c.name)))
