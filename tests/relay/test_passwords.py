from __future__ import annotations

import asyncio

from argon2 import PasswordHasher

from posthouse.relay.passwords import Passwords

HASH = PasswordHasher(time_cost=1, memory_cost=64).hash("right")


def checked(*attempts: tuple[str, str | None]) -> list[bool]:
    async def check_all() -> list[bool]:
        passwords = Passwords()
        try:
            return [await passwords.check(password, expected) for password, expected in attempts]
        finally:
            passwords.close()

    return asyncio.run(check_all())


def test_only_the_right_password_passes() -> None:
    assert checked(("right", HASH), ("wrong", HASH), ("", HASH)) == [True, False, False]


def test_an_unknown_user_never_passes() -> None:
    assert checked(("right", None)) == [False]


def test_a_verified_password_passes_again_and_a_wrong_one_still_does_not() -> None:
    assert checked(("right", HASH), ("right", HASH), ("wrong", HASH), ("right", None)) == [True, True, False, False]


def test_a_hash_that_is_none_never_passes() -> None:
    assert checked(("right", "not a hash")) == [False]
