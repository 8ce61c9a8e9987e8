"""Written, an organization refers to files, variables and stored things; stored, it holds values and secrets' names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from posthouse.admin import AdminError
from posthouse.admin.references import Resolver, Stored, secret_names, written
from posthouse.net.certificates import Identity, load_pfx

PFX_PASSWORD = "Pfx-Passw0rd"
ENVIRONMENT = {"PFX_PASSWORD": PFX_PASSWORD, "SCANNER_2": "tray-4", "RELAY_SECRET": "s3cret", "EMPTY": ""}


def resolver(folder: Path, document: dict[str, Any] | None = None, **secrets: bytes) -> Resolver:
    return Resolver(folder, ENVIRONMENT, Stored(document or {}, secrets.__getitem__))


def outbound(certificate: dict[str, str]) -> dict[str, Any]:
    return {"outbound_connector": [{"name": "Office 365", "client_certificate": certificate}]}


def inbound(*logins: dict[str, str]) -> dict[str, Any]:
    return {"inbound_connector": [{"name": "Scanners", "sender_credentials": list(logins)}]}


def problems_of(resolve: Resolver, document: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(AdminError) as caught:
        resolve.resolve(document)
    return caught.value.lines


@pytest.mark.parametrize("is_file", [True, False])
def test_a_root_is_a_file_or_the_pem_text(etc: Path, *, is_file: bool) -> None:
    pem = (etc / "own-ca.pem").read_text()
    root = "own-ca.pem" if is_file else pem
    assert resolver(etc).resolve({"trusted_roots": [root]}) == {"trusted_roots": [pem]}


@pytest.mark.parametrize(
    ("root", "problem"),
    [
        ("none.pem", "trusted_roots: none.pem: No such file or directory; name a PEM file that this user can read"),
        ("cert.key", "trusted_roots: cert.key: no PEM certificate in it; it needs -----BEGIN CERTIFICATE-----"),
        ("-----BEGIN x", "trusted_roots: the PEM text: no PEM certificate in it; it needs -----BEGIN CERTIFICATE-----"),
    ],
)
def test_a_bad_root_is_named(etc: Path, root: str, problem: str) -> None:
    assert problems_of(resolver(etc), {"trusted_roots": [root]}) == (problem,)


@pytest.mark.parametrize(
    "certificate",
    [{"pfx": "cert.pfx", "password_env": "PFX_PASSWORD"}, {"certificate": "cert.pem", "key": "cert.key"}],
)
def test_a_certificate_becomes_a_secret(etc: Path, identity: Identity, certificate: dict[str, str]) -> None:
    resolve = resolver(etc)
    document = resolve.resolve(outbound(certificate))
    reference = document["outbound_connector"][0]["client_certificate"]
    assert reference["thumbprint"] == identity.thumbprint
    assert load_pfx(resolve.new_secrets[reference["secret"]], None).certificate == identity.certificate
    assert secret_names(document) == {reference["secret"]}


@pytest.mark.parametrize(
    ("certificate", "problem"),
    [
        ({"pfx": "cert.pfx", "password": "wrong"}, "wrong password"),
        ({"pfx": "cert.pfx"}, "protected by a password"),
        ({"pfx": "cert.pfx", "password_env": "UNSET"}, "the environment has no UNSET; set it to the password"),
        ({"pfx": "none.pfx"}, "none.pfx: No such file or directory"),
        ({"certificate": "cert.pem", "key": "own-ca.pem"}, "no PEM private key"),
        ({"pfx": "cert.pem"}, "no PEM private key with it"),
        ({"certificate": "cert.pem"}, "write { pfx, password_env }, { certificate, key } or { thumbprint }"),
        ({"thumbprint": "AB" * 20}, f"no certificate {'AB' * 20} is stored; give its file with pfx"),
    ],
)
def test_a_bad_certificate_is_named(etc: Path, certificate: dict[str, str], problem: str) -> None:
    first, *_ = problems_of(resolver(etc), outbound(certificate))
    assert first.startswith('outbound_connector "Office 365": client_certificate: ')
    assert problem in first


def test_a_thumbprint_keeps_the_stored_certificate(etc: Path) -> None:
    stored = outbound({"secret": "certificate/1", "thumbprint": "AB" * 20})
    assert resolver(etc, stored).resolve(written(stored)) == stored


def test_a_password_becomes_its_hash(etc: Path) -> None:
    document = resolver(etc).resolve(inbound({"user": "scanner-2", "password_env": "SCANNER_2"}))
    (login,) = document["inbound_connector"][0]["sender_credentials"]
    assert login.keys() == {"user", "password_hash"}
    assert PasswordHasher().verify(login["password_hash"], "tray-4")


def test_a_user_alone_keeps_the_password(etc: Path) -> None:
    stored = inbound({"user": "scanner-2", "password_hash": "$argon2id$stored"})
    assert written(stored) == inbound({"user": "scanner-2"})
    assert resolver(etc, stored).resolve(written(stored)) == stored


def test_the_same_password_again_keeps_its_hash(etc: Path) -> None:
    stored = inbound({"user": "scanner-2", "password_hash": PasswordHasher().hash("tray-4")})
    assert resolver(etc, stored).resolve(inbound({"user": "scanner-2", "password": "tray-4"})) == stored
    assert resolver(etc, stored).resolve(inbound({"user": "scanner-2", "password": "other"})) != stored


def test_a_user_without_any_password_is_named(etc: Path) -> None:
    (problem,) = problems_of(resolver(etc), inbound({"user": "scanner-2"}))
    assert problem.startswith('inbound_connector "Scanners": sender_credentials: user scanner-2 has no password; set')


@pytest.mark.parametrize(
    ("login", "problem"),
    [
        ({"password": ""}, "the password of user scanner-2 is empty; set it"),
        ({"password_env": "EMPTY"}, "the password of user scanner-2 is empty; set it"),
        ({"password": 5}, "user scanner-2: password is not a text; put it in quotes, or set password_env to a"),
        ({"password_env": True}, "user scanner-2: password is not a text; put it in quotes, or set password_env to a"),
    ],
)
def test_a_password_that_is_none_is_not_taken_for_one(etc: Path, login: dict[str, Any], problem: str) -> None:
    stored = inbound({"user": "scanner-2", "password_hash": "$argon2id$stored"})
    (told,) = problems_of(resolver(etc, stored), inbound({"user": "scanner-2", **login}))
    assert problem in told


def test_a_credential_keeps_its_secret_unless_it_is_another_one(etc: Path) -> None:
    written_credential = {"name": "Relay app", "kind": "password", "user": "a", "secret_env": "RELAY_SECRET"}
    stored = {"credential": [{"name": "Relay app", "kind": "password", "user": "a", "secret": "old"}]}
    same = resolver(etc, stored, old=b"s3cret")
    assert same.resolve({"credential": [written_credential]}) == stored
    assert not same.new_secrets
    changed = resolver(etc, stored, old=b"older")
    (credential,) = changed.resolve({"credential": [written_credential]})["credential"]
    assert changed.new_secrets == {credential["secret"]: b"s3cret"}
    assert resolver(etc, stored, old=b"s3cret").resolve(written(stored)) == stored


def test_what_is_of_the_wrong_shape_is_left_for_validation(etc: Path) -> None:
    document = {
        "trusted_roots": "own-ca.pem",
        "inbound_connector": [{"sender_credentials": "scanner-2"}, 7],
        "outbound_connector": {"client_certificate": "cert.pfx"},
        "credential": [{"certificate": 3}],
    }
    assert resolver(etc).resolve(document) == document


def test_all_problems_are_told_at_once(etc: Path) -> None:
    document = {"trusted_roots": ["none.pem"], **inbound({"user": "a"}), **outbound({"pfx": "none.pfx"})}
    assert len(problems_of(resolver(etc), document)) == 3
