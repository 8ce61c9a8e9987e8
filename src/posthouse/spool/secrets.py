"""Secrets at rest: PFX files, passwords, TOTP secrets, encrypted with a key that is not in the store."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

import sqlalchemy as sa

from posthouse.spool import audit
from posthouse.spool.audit import AuditRecord
from posthouse.spool.locks import lock_table
from posthouse.spool.records import SpoolError
from posthouse.spool.schema import access_token, secret
from posthouse.spool.store import Store
from posthouse.spool.turn import FileLock

KEY_VARIABLE = "POSTHOUSE_SECRETS_KEY"
OLD_KEY_VARIABLE = "POSTHOUSE_SECRETS_KEY_OLD"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_LOOKS = 3
"""At the store and then at the key, which may be rotated between the two."""


class SecretUnreadable(SpoolError):
    """It was stored with a key that is not there any more."""


class SecretsKey:
    """AES-256-GCM with the key from the environment, else from `data_dir/secrets.key`, made when first needed.

    The name of a secret is authenticated with it, so that nobody who can write the store can exchange two.
    While the key is being rotated there are two: the newer one encrypts, and both decrypt.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "secrets.key"
        self._next_path = data_dir / "secrets.key.new"

    def encrypt(self, name: str, value: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if not self._is_from_environment and not self._next_path.exists():
            self._make_file(self._path)
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(next(self._known())).encrypt(nonce, value, name.encode())

    def decrypt(self, name: str, ciphertext: bytes) -> bytes:
        """Raises `SecretUnreadable` where none of the keys is the one that the secret was stored with."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, encrypted = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
        for key in self._known():
            with suppress(InvalidTag):
                return AESGCM(key).decrypt(nonce, encrypted, name.encode())
        source = KEY_VARIABLE if self._is_from_environment else self._path
        raise SecretUnreadable(
            f"The secret {name!r} can't be decrypted: it was stored with another key than that of {source}. "
            "Restore that key, or apply the secret again."
        )

    def begin_rotation(self) -> None:
        """Make the next key, on disk, beside the one in use; a rotation that was broken off goes on with its own."""
        if not self._is_from_environment:
            self._make_file(self._next_path)
        elif OLD_KEY_VARIABLE not in os.environ and not self._path.exists():
            raise SpoolError(
                f"The key comes from {KEY_VARIABLE}: move it to {OLD_KEY_VARIABLE}, put a new one into {KEY_VARIABLE}, "
                "restart serve with both, and do this again."
            )

    def end_rotation(self) -> None:
        """Forget the key that nothing is encrypted with any more. One from the environment is not ours to remove."""
        if self._is_from_environment:
            return
        self._next_path.replace(self._path)
        _sync_folder(self._path.parent)

    @property
    def _is_from_environment(self) -> bool:
        return KEY_VARIABLE in os.environ

    def _known(self) -> Iterator[bytes]:
        """The newest first. `secrets.key.new` becomes `secrets.key`, so in this order none is missed."""
        is_there = False
        for source in (KEY_VARIABLE, self._next_path, self._path, OLD_KEY_VARIABLE):
            if (text := _text_of(source)) is not None:
                is_there = True
                yield _parsed(text, source)
        if not is_there:
            raise SpoolError(f"{self._path} can't be read: it is not there. Restore it.")

    @staticmethod
    def _make_file(path: Path) -> None:
        """Whole or not at all, so that another process never reads half a key, and no crash leaves one."""
        if path.exists():
            return
        new = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, base64.b64encode(os.urandom(_KEY_BYTES)) + b"\n")
            os.fsync(descriptor)
            with suppress(FileExistsError):
                os.link(new, path)
        finally:
            os.close(descriptor)
            new.unlink()
        _sync_folder(path.parent)


class Secrets:
    """Secrets by name; what names one writes it, in its own transaction, with `put_secrets`. Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = SecretsKey(store.data_dir)

    def get(self, name: str) -> bytes:
        """Raises `KeyError` for a name that isn't there."""
        for _ in range(_LOOKS - 1):
            with suppress(SpoolError):
                return self._key.decrypt(name, self._ciphertext(name))
        return self._key.decrypt(name, self._ciphertext(name))

    def names(self) -> frozenset[str]:
        with self._store.reading() as connection:
            return frozenset(connection.scalars(sa.select(secret.c.name)))

    def rotate_key(self, record: AuditRecord) -> int:
        """Encrypt all secrets anew with a new key, in one transaction; both keys are known until it is done.

        What is held of access tokens too, but for what can't be read any more. Returns how many secrets there are. It
        can be broken off anywhere, and be done again. One waits for another to end: the end of one would make the next
        one's key the only one, before that has encrypted anything.
        """
        with closing(FileLock(self._store.data_dir / "rotation.lock")) as lock, lock:
            with self._store.transaction() as connection:
                lock_table(connection, secret)  # waits for whoever has encrypted with the old key and not yet committed
                found = connection.execute(sa.select(secret.c.name, secret.c.ciphertext)).all()
                plain = {name: self._key.decrypt(name, bytes(ciphertext)) for name, ciphertext in found}
                tokens = self._access_tokens(connection)
                self._key.begin_rotation()
                put_secrets(connection, self._key, plain)
                for credential, value in tokens.items():
                    row = access_token.update().where(access_token.c.credential == credential)
                    sealed = self._key.encrypt(access_token_name(credential), value)
                    connection.execute(row.values(ciphertext=sealed))
                audit.append(connection, [record])
            self._key.end_rotation()
        return len(plain)

    def _access_tokens(self, connection: sa.Connection) -> dict[str, bytes]:
        """In clear, by credential. Nobody changes them until the transaction ends."""
        lock_table(connection, access_token)
        plain: dict[str, bytes] = {}
        for credential, ciphertext in connection.execute(
            sa.select(access_token.c.credential, access_token.c.ciphertext)
        ):
            with suppress(SecretUnreadable):
                plain[credential] = self._key.decrypt(access_token_name(credential), bytes(ciphertext))
        return plain

    def _ciphertext(self, name: str) -> bytes:
        with self._store.reading() as connection:
            ciphertext = connection.scalar(sa.select(secret.c.ciphertext).where(secret.c.name == name))
        if ciphertext is None:
            raise KeyError(name)
        return bytes(ciphertext)


def put_secrets(connection: sa.Connection, key: SecretsKey, put: Mapping[str, bytes], drop: Iterable[str] = ()) -> None:
    """Store secrets by name, and remove others. The key is looked at only once the table is locked by the removal."""
    connection.execute(secret.delete().where(secret.c.name.in_([*drop, *put])))
    if put:
        rows = [{"name": name, "ciphertext": key.encrypt(name, value)} for name, value in put.items()]
        connection.execute(secret.insert(), rows)


def access_token_name(credential: str) -> str:
    """What is held of a credential's tokens is encrypted under this name; no secret is called so."""
    return f"access_token/{credential}"


def _text_of(source: str | Path) -> str | None:
    """What a variable or a file says; None where it isn't there."""
    if isinstance(source, str):
        return os.environ.get(source)
    try:
        return source.read_text("ascii", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SpoolError(f"{source} can't be read: {error.strerror}. Restore it.") from error


def _parsed(text: str, source: str | Path) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise SpoolError(f"{source} is no secrets key: it must be {_KEY_BYTES} bytes in base64. Restore it.")
    return key


def _sync_folder(folder: Path) -> None:
    """Make a new name durable. Windows can't open a folder, and needs no such call."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
