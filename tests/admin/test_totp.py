"""Codes of authenticator apps."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.admin.totp import code_at, enrolment_uri, new_secret, step_of

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_examples_of_rfc_6238_appendix_b(at: int, code: str) -> None:
    """With eight digits there; six are the last six."""
    assert code_at(SECRET, at // 30) == code[2:]


def test_a_clock_may_be_a_step_off() -> None:
    now = 1_795_000_000.0
    step = int(now) // 30
    found = [step_of(SECRET, code_at(SECRET, step + off), now) for off in (-2, -1, 0, 1, 2)]
    assert found == [None, step - 1, step, step + 1, None]


@given(st.text() | st.from_regex(r"[0-9 ]{5,8}"))
def test_no_other_text_is_a_code(code: str) -> None:
    codes = {code_at(SECRET, step) for step in (9, 10, 11)}
    assert (step_of(SECRET, code, 300.0) is not None) == ("".join(code.split()) in codes)


def test_what_an_app_reads() -> None:
    parts = urlsplit(enrolment_uri(SECRET, "alice@contoso.com"))
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/Posthouse:alice%40contoso.com")
    assert parse_qs(parts.query) == {"secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"], "issuer": ["Posthouse"]}


def test_secrets_differ() -> None:
    assert new_secret() != new_secret()
    assert len(new_secret()) == 20
