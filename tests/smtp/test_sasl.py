from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.mail import Refused
from posthouse.smtp.events import Credentials
from posthouse.smtp.sasl import Exchange

BOTH = ("PLAIN", "LOGIN")
WORD = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


def base64(text: str) -> str:
    return b64encode(text.encode()).decode() or "="


def refused(argument: str, *lines: str) -> str:
    """How the last of the lines is refused."""
    exchange = Exchange(argument, BOTH)
    *before, last = (None, *lines)
    for line in before:
        assert isinstance(exchange.step(line), bytes)
    with pytest.raises(Refused) as refusal:
        exchange.step(last)
    return f"{refusal.value.reply.code} {refusal.value.reply.enhanced}"


@given(WORD, WORD)
def test_plain_with_and_without_an_initial_response(user: str, password: str):
    response = base64(f"\0{user}\0{password}")
    assert Exchange(f"plain {response}", BOTH).step(None) == Credentials("PLAIN", user, password)
    exchange = Exchange("PLAIN", BOTH)
    assert exchange.step(None) == b"334 \r\n"
    assert exchange.step(response) == Credentials("PLAIN", user, password)


@given(WORD, WORD)
def test_login_with_and_without_an_initial_response(user: str, password: str):
    exchange = Exchange("LOGIN", BOTH)
    assert exchange.step(None) == b"334 VXNlcm5hbWU6\r\n"
    assert exchange.step(base64(user)) == b"334 UGFzc3dvcmQ6\r\n"
    assert exchange.step(base64(password)) == Credentials("LOGIN", user, password)
    shorter = Exchange(f"LOGIN {base64(user)}", BOTH)
    assert shorter.step(None) == b"334 UGFzc3dvcmQ6\r\n"
    assert shorter.step(base64(password)) == Credentials("LOGIN", user, password)


@pytest.mark.parametrize("argument", ["", "CRAM-MD5", "XOAUTH2 abc"])
def test_an_unknown_mechanism(argument: str):
    with pytest.raises(Refused, match=r"504 5\.5\.4"):
        Exchange(argument, BOTH)


def test_a_mechanism_that_was_not_offered():
    with pytest.raises(Refused, match=r"504 5\.5\.4"):
        Exchange("PLAIN", ("LOGIN",))


@pytest.mark.parametrize("line", ["!", "a", "YQ", "YQ==\t", "YQ== YQ==", "ü", "="])
def test_bad_base64(line: str):
    assert refused("LOGIN", line) == "501 5.5.2"


@pytest.mark.parametrize("text", ["user", "\0user", "\0\0password", "a\0b\0c\0d"])
def test_plain_of_another_shape(text: str):
    assert refused("PLAIN", base64(text)) == "501 5.5.2"


def test_login_needs_a_user():
    assert refused("LOGIN", "", "cGFzc3dvcmQ=") == "501 5.5.2"


def test_a_response_that_is_no_text():
    assert refused("PLAIN", b64encode(b"\0\xff\0x").decode()) == "501 5.5.2"


def test_nobody_acts_for_another():
    assert refused("PLAIN", base64("boss\0user\0password")) == "535 5.7.3"


@pytest.mark.parametrize("lines", [("*",), ("dXNlcg==", "*")])
def test_cancelled(lines: tuple[str, ...]):
    assert refused("LOGIN", *lines) == "501 5.7.0"


def test_a_password_is_not_shown():
    assert "secret" not in repr(Credentials("PLAIN", "user", "secret"))
