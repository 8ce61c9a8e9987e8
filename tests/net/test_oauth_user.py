"""A user who signs in by a device code at the stand-in of Entra, and the refresh token from then on."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import trustme

from net.tls_peers import pem_of
from posthouse.net.oauth_scopes import GRAPH, OUTLOOK
from posthouse.net.oauth_user import PublicClient, UserToken, device_code, refreshed
from posthouse.net.oauth_wire import TokenError, TokenRefused, TokenUnavailable
from standins.entra import Entra

USER = "scanner@contoso.test"


class User:
    """Signs in at the relay; what happens while it waits is what `meanwhile` does, the first time."""

    def __init__(self, entra: Entra, authority: trustme.CA) -> None:
        self.entra = entra
        self.roots = [pem_of(authority)]
        self.app = entra.register(public=True)
        self.client = PublicClient(entra.tenant, self.app.client_id, entra.url)
        self.pauses: list[float] = []

    def signs_in(self, meanwhile: Callable[[], object], scope: str = OUTLOOK, **options: object) -> UserToken:
        def pause(seconds: float) -> None:
            if not self.pauses:
                meanwhile()
            self.pauses.append(seconds)

        with device_code(self.client, scope, own_roots=self.roots) as code:
            assert code.page == "https://microsoft.com/devicelogin"
            assert code.code in [device.user_code for device in self.entra.devices.values()]
            return code.wait(pause, **options)  # pyright: ignore

    def refreshes(self, token: UserToken, scope: str = OUTLOOK) -> UserToken:
        return refreshed(self.client, token.refresh_token, scope, own_roots=self.roots)


@pytest.fixture
def user(entra: Entra, authority: trustme.CA) -> User:
    return User(entra, authority)


def test_signing_in_gives_a_token_of_the_user(user: User, entra: Entra) -> None:
    given = user.signs_in(lambda: entra.sign_in(USER))
    grant = entra.grant(given.token.value, "https://outlook.office365.com")
    assert grant is not None
    assert (grant.user, given.user) == (USER, USER)
    assert time.time() < given.token.expires_at <= time.time() + entra.lifetime
    assert user.pauses == [entra.interval]


def test_a_user_who_is_asked_too_often_is_asked_less_often(user: User, entra: Entra) -> None:
    def slow_down() -> None:
        (device,) = entra.devices.values()
        device.answer = "slow_down"

    def pause_again(seconds: float) -> None:
        slow_down() if not user.pauses else entra.sign_in(USER)
        user.pauses.append(seconds)

    with device_code(user.client, OUTLOOK, own_roots=user.roots) as code:
        code.wait(pause_again)
    assert user.pauses == [5, 10]


def test_trouble_on_the_way_does_not_end_a_sign_in(user: User, entra: Entra) -> None:
    """RFC 8628 3.5: whoever had no answer asks less often."""

    def pause(seconds: float) -> None:
        entra.trouble = 0 if user.pauses else 503
        user.pauses.append(seconds)
        if len(user.pauses) == 2:
            entra.sign_in(USER)

    with device_code(user.client, OUTLOOK, own_roots=user.roots) as code:
        assert code.wait(pause).user == USER
    assert user.pauses == [5, 10]


@pytest.mark.parametrize("interval", [0, -1, 100_000])
def test_the_server_s_pace_has_bounds(user: User, entra: Entra, interval: int) -> None:
    entra.interval = interval
    user.signs_in(lambda: entra.sign_in(USER))
    assert user.pauses == [60 if interval > 0 else 1]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("authorization_declined", r"^AADSTS65004: .*; the permissions were declined"),
        ("expired_token", r"^AADSTS70020: .*; the code was not entered in time"),
    ],
)
def test_a_sign_in_that_comes_to_nothing(user: User, entra: Entra, answer: str, expected: str) -> None:
    with pytest.raises(TokenRefused, match=expected):
        user.signs_in(lambda: entra.sign_in(answer))


def test_nobody_signs_in(user: User) -> None:
    with pytest.raises(TokenRefused, match="nobody signed in; the code was not entered in time"):
        user.signs_in(lambda: None, clock=iter([0.0, 1e12]).__next__)


def test_an_application_that_is_no_public_client(user: User, entra: Entra) -> None:
    user.app.public = False
    with pytest.raises(TokenRefused, match=r"^AADSTS7000218: .*allow public client flows"):
        user.signs_in(lambda: entra.sign_in(USER))


def test_no_code_for_an_unknown_application(user: User) -> None:
    user.client = PublicClient(user.entra.tenant, "unknown", user.entra.url)
    with pytest.raises(TokenRefused, match=r"^AADSTS700016: .*; check client_id"):
        user.signs_in(lambda: None)


@pytest.mark.parametrize("nonsense", [b"", b"[]", b"null", b"{}", b'{"user_code": 5}', b'{"interval": "often"}'])
def test_a_code_that_makes_no_sense(user: User, nonsense: bytes) -> None:
    user.entra.nonsense = nonsense
    with pytest.raises(TokenRefused, match="that makes sense; check authority"):
        user.signs_in(lambda: None)


def test_a_refresh_token_gives_the_next_token(user: User, entra: Entra) -> None:
    entra.forgets_used = True
    first = user.signs_in(lambda: entra.sign_in(USER))
    second = user.refreshes(first)
    assert [first.token.value, second.token.value] == entra.issued
    third = user.refreshes(second, GRAPH)
    grant = entra.grant(third.token.value, "https://graph.microsoft.com")
    assert grant is not None
    assert grant.user == USER


def test_a_refresh_token_that_is_no_good_any_more(user: User, entra: Entra) -> None:
    given = user.signs_in(lambda: entra.sign_in(USER))
    entra.refresh_tokens.clear()
    with pytest.raises(TokenRefused, match=r"^AADSTS700082: .*; sign in again: posthouse credential login"):
        user.refreshes(given)


def test_a_refresh_while_entra_is_in_trouble(user: User, entra: Entra) -> None:
    given = user.signs_in(lambda: entra.sign_in(USER))
    entra.trouble = 503
    with pytest.raises(TokenUnavailable, match="HTTP 503"):
        user.refreshes(given)


def test_no_token_is_ever_shown(user: User, entra: Entra) -> None:
    given = user.signs_in(lambda: entra.sign_in(USER))
    entra.refresh_tokens.clear()
    with pytest.raises(TokenError) as refused:
        user.refreshes(given)
    shown = f"{given!r} {given} {refused.value!r} {refused.value}"
    assert given.token.value not in shown
    assert given.refresh_token not in shown
