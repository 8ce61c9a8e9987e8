"""Device passwords checked against their argon2id hashes, off the event loop and a bounded number at once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from posthouse.relay import processor

_THREADS = 2  # each check takes its argon2 memory
_REMEMBERED = 1024
_REMEMBER_SECONDS = 300.0


class Passwords:
    """Remembers what it verified for five minutes, as a keyed digest, since devices log in anew for each message."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords", initializer=processor.leave)
        self._key = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, float] = OrderedDict()
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    def check(self, password: str, expected: str | None) -> asyncio.Future[bool]:
        """Whether the password belongs to the hash. No hash (no such user) takes as long and is false."""
        loop = asyncio.get_running_loop()
        digest = hmac.digest(self._key, f"{expected}\0{password}".encode(), hashlib.sha256)
        if self._verified.get(digest, 0.0) > time.monotonic():
            known = loop.create_future()
            known.set_result(True)
            return known
        check = loop.run_in_executor(self._threads, self._verify, password, expected)
        check.add_done_callback(lambda done: self._remember(digest, done))
        return check

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, password: str, expected: str | None) -> bool:
        try:
            return self._hasher.verify(expected or self._nobody, password) and expected is not None
        except (VerificationError, InvalidHashError):
            return False

    def _remember(self, digest: bytes, check: asyncio.Future[bool]) -> None:
        if check.cancelled() or check.exception() or not check.result():
            return
        self._verified[digest] = time.monotonic() + _REMEMBER_SECONDS
        self._verified.move_to_end(digest)
        if len(self._verified) > _REMEMBERED:
            self._verified.popitem(last=False)
