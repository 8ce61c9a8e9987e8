"""Whom an OpenID Connect provider vouches for, and what is taken for no such word."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
import trustme

from net.tls_peers import pem_of
from posthouse.net.oidc import Attempt, Client, Identity, IdentityError, Provider
from standins.oidc import Key, OpenIdProvider

BACK = "https://relay.contoso.com/sign-in/oidc/callback"
Claims = dict[str, Any]


@pytest.fixture
def openid(authority: trustme.CA) -> Iterator[OpenIdProvider]:
    with OpenIdProvider(authority) as running:
        running.redirect_uris.add(BACK)
        yield running


@pytest.fixture
def provider(openid: OpenIdProvider, authority: trustme.CA) -> Provider:
    return Provider(Client(openid.issuer, openid.client_id, openid.secret), [pem_of(authority)])


def answer_of(openid: OpenIdProvider, url: str) -> dict[str, str]:
    """What the browser comes back with."""
    return dict(parse_qsl(urlsplit(openid.authorize(dict(parse_qsl(urlsplit(url).query)))).query))


def signed_in(openid: OpenIdProvider, provider: Provider) -> Identity:
    attempt = Attempt.new()
    return provider.identify(attempt, answer_of(openid, provider.authorization_url(attempt, BACK)), BACK)


def test_who_comes_back_is_known_by_name_and_claims(openid: OpenIdProvider, provider: Provider) -> None:
    assert signed_in(openid, provider) == Identity("anna@contoso.com", ("Relay.Admin",))
    openid.user = {"sub": "x-1", "roles": "Relay.Reader"}
    assert signed_in(openid, provider) == Identity("x-1", ("Relay.Reader",))
    openid.user = {"sub": "x-1", "preferred_username": "Two Words", "email": "e@contoso.com", "roles": [1, None, "a"]}
    assert signed_in(openid, provider) == Identity("e@contoso.com", ("a",))


def test_the_browser_is_sent_with_a_challenge_and_never_with_the_verifier(provider: Provider) -> None:
    attempt = Attempt.new()
    url = provider.authorization_url(attempt, BACK)
    query = dict(parse_qsl(urlsplit(url).query))
    assert (query["response_type"], query["code_challenge_method"], query["redirect_uri"]) == ("code", "S256", BACK)
    assert attempt.verifier not in url
    other = Attempt.new()
    assert not {attempt.state, attempt.nonce, attempt.verifier} & {other.state, other.nonce, other.verifier}


def in_vain(openid: OpenIdProvider, provider: Provider, text: str) -> None:
    with pytest.raises(IdentityError, match=text) as caught:
        signed_in(openid, provider)
    assert "\n" not in str(caught.value)
    assert openid.secret not in str(caught.value)


@pytest.mark.parametrize(
    ("tampered", "text"),
    [
        (lambda claims: claims | {"iss": "https://evil.example/v2.0"}, "not valid: Invalid issuer"),
        (lambda claims: claims | {"aud": "another application"}, "not valid: Audience doesn't match"),
        (lambda claims: claims | {"aud": [OpenIdProvider.client_id, "another"]}, "for another application too"),
        (lambda claims: claims | {"azp": "another"}, "for another application too"),
        (lambda claims: claims | {"exp": int(time.time()) - 61}, "not valid: Signature has expired"),
        (lambda claims: claims | {"nbf": int(time.time()) + 120}, "not valid: The token is not yet valid"),
        (lambda claims: claims | {"nonce": "of another sign-in"}, "for another sign-in"),
        (lambda claims: {key: claims[key] for key in claims if key != "nonce"}, 'missing the "nonce" claim'),
        (lambda claims: {key: claims[key] for key in claims if key != "exp"}, 'missing the "exp" claim'),
        (lambda claims: {key: claims[key] for key in claims if key not in ("sub", "preferred_username")}, "sub"),
    ],
)
def test_a_token_that_is_not_for_this_sign_in(
    openid: OpenIdProvider, provider: Provider, tampered: Callable[[Claims], Claims], text: str
) -> None:
    openid.tampered = tampered
    in_vain(openid, provider, text)


def test_a_token_that_nobody_signed(openid: OpenIdProvider, provider: Provider) -> None:
    openid.signed = lambda claims: jwt.encode(claims, None, "none", headers={"kid": openid.keys[-1].kid})
    in_vain(openid, provider, "not valid")


def test_a_token_signed_by_the_public_key_taken_for_a_password(openid: OpenIdProvider, provider: Provider) -> None:
    public = str(openid.keys[-1].public()["n"])
    openid.signed = lambda claims: jwt.encode(claims, public, "HS256", headers={"kid": openid.keys[-1].kid})
    in_vain(openid, provider, "not valid: The specified alg value is not allowed")


def test_a_token_signed_by_another_under_a_known_name(openid: OpenIdProvider, provider: Provider) -> None:
    stranger = Key(kid=openid.keys[-1].kid)
    openid.signed = lambda claims: jwt.encode(claims, stranger.private, "RS256", headers={"kid": stranger.kid})
    in_vain(openid, provider, "not valid: Signature verification failed")


def test_a_single_key_need_not_be_named(openid: OpenIdProvider, provider: Provider) -> None:
    openid.signed = lambda claims: jwt.encode(claims, openid.keys[-1].private, "RS256")
    assert signed_in(openid, provider).name == "anna@contoso.com"


def test_of_several_keys_one_has_to_be_named(openid: OpenIdProvider, provider: Provider) -> None:
    openid.keys.append(Key())
    openid.signed = lambda claims: jwt.encode(claims, openid.keys[-1].private, "RS256")
    in_vain(openid, provider, "has no key that it publishes")


def test_a_new_key_of_the_provider_is_asked_for_but_not_again_and_again(
    openid: OpenIdProvider, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in(openid, provider)
    signed_in(openid, provider)
    assert openid.asked_for_keys == 1
    openid.keys.append(Key())
    in_vain(openid, provider, "has no key that it publishes")
    assert openid.asked_for_keys == 1
    monkeypatch.setattr("posthouse.net.oidc._ASK_AGAIN_SECONDS", 0.0)
    assert signed_in(openid, provider).name == "anna@contoso.com"
    assert openid.asked_for_keys == 2


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"state": "another"}, "begun elsewhere"),
        ({"state": ""}, "begun elsewhere"),
        ({"iss": "https://evil.example"}, "from another provider"),
        ({"code": "made up"}, "gives no token: AADSTS54005"),
        ({"code": ""}, "gave no code"),
        ({"error": "access_denied", "error_description": "No.\r\nSet-Cookie: x"}, "signed nobody in: No"),
    ],
)
def test_an_answer_that_is_none(openid: OpenIdProvider, provider: Provider, changed: dict[str, str], text: str) -> None:
    attempt = Attempt.new()
    answer = answer_of(openid, provider.authorization_url(attempt, BACK)) | changed
    with pytest.raises(IdentityError, match=text) as caught:
        provider.identify(attempt, answer, BACK)
    assert "\n" not in str(caught.value)


def test_an_answer_where_nobody_began(openid: OpenIdProvider, provider: Provider) -> None:
    answer = answer_of(openid, provider.authorization_url(Attempt.new(), BACK))
    for state in ({"state": ""}, {}):
        with pytest.raises(IdentityError, match="begun elsewhere"):
            provider.identify(Attempt("", "", ""), answer | state, BACK)


def test_a_code_is_good_once_and_by_its_verifier(openid: OpenIdProvider, provider: Provider) -> None:
    attempt = Attempt.new()
    answer = answer_of(openid, provider.authorization_url(attempt, BACK))
    other = Attempt(attempt.state, attempt.nonce, "another verifier")
    with pytest.raises(IdentityError, match="AADSTS501481"):
        provider.identify(other, answer, BACK)
    with pytest.raises(IdentityError, match="AADSTS54005"):
        provider.identify(attempt, answer, BACK)


@pytest.mark.parametrize(
    ("described", "text"),
    [
        ({"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"}, "set admin.oidc_issuer to exactly that"),
        ({"token_endpoint": "http://127.0.0.1/token"}, "is not https"),
        ({"jwks_uri": None}, "is not https"),
    ],
)
def test_a_provider_that_is_another(
    openid: OpenIdProvider, provider: Provider, described: dict[str, Any], text: str
) -> None:
    openid.described = described
    with pytest.raises(IdentityError, match=text):
        provider.authorization_url(Attempt.new(), BACK)


def test_a_provider_that_nobody_trusts_or_reaches(openid: OpenIdProvider) -> None:
    with pytest.raises(IdentityError, match="can't be reached"):
        Provider(Client(openid.issuer, openid.client_id, openid.secret)).authorization_url(Attempt.new(), BACK)
    with pytest.raises(IdentityError, match="can't be reached"):
        Provider(Client("https://127.0.0.1:1/v2.0", "x", "")).authorization_url(Attempt.new(), BACK)


def test_an_answer_that_makes_no_sense(openid: OpenIdProvider, authority: trustme.CA) -> None:
    client = Client(f"https://127.0.0.1:{openid.port}/elsewhere", openid.client_id, openid.secret)
    with pytest.raises(IdentityError, match="exactly that"):
        Provider(client, [pem_of(authority)]).authorization_url(Attempt.new(), BACK)


def test_what_is_asked_for_is_what_the_provider_wants(openid: OpenIdProvider, provider: Provider) -> None:
    url = provider.authorization_url(Attempt.new(), "https://evil.example/callback")
    with pytest.raises(Exception, match="AADSTS50011"):
        answer_of(openid, url)
    openid.declines = "access_denied"
    in_vain(openid, provider, "access_denied, said the provider")
    assert urlencode({"scope": "openid profile email"}) in url
