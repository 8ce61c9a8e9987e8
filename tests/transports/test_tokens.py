"""Tokens as workers share them: got once, renewed in time, refused for a while; from a stand-in of Entra."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from net.tls_peers import pem_of
from posthouse.net.oauth_scopes import GRAPH, OUTLOOK
from posthouse.net.oauth_wire import Token
from posthouse.organization import Credential
from posthouse.organization.connectors import ClientCertificateRef, CredentialKind
from posthouse.spool import AccessTokens, Organizations, Store, open_store
from posthouse.transports import tokens
from posthouse.transports.sign_in import SignInFailed
from posthouse.transports.tokens import NoToken, SharedTokens, TokenSource, key_of
from standins.entra import Entra

USER = "scanner@contoso.test"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def entra(authority: trustme.CA) -> Iterator[Entra]:
    with Entra(authority) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'posthouse.db'}", tmp_path)) as opened:
        Organizations(opened).save({}, put={"credential/1": b"s3cret~value", "credential/2": b"another"})
        yield opened


class Office:
    """An application in the tenant, its credential here, and a clock that runs ahead by `later` seconds."""

    def __init__(self, entra: Entra, store: Store, authority: trustme.CA) -> None:
        self.entra, self.store, self.later = entra, store, 0.0
        self.roots = [pem_of(authority)]
        self.app = entra.register(secret="s3cret~value", public=True)
        self.credential = Credential(
            "Relay app",
            CredentialKind.CLIENT_CREDENTIALS,
            USER,
            "credential/1",
            entra.tenant,
            self.app.client_id,
            authority=entra.url,
        )

    def source(self) -> TokenSource:
        """As each worker has one."""
        return TokenSource(self.store, own_roots=self.roots, clock=self.clock, pause=lambda _: time.sleep(0.01))

    def clock(self) -> float:
        return time.time() + self.later

    def obtain(self, **options: bool) -> str:
        return self.source().obtain(self.credential, OUTLOOK, **options).value

    def refusal(self, **options: bool) -> str:
        with pytest.raises(NoToken) as refused:
            self.obtain(**options)
        return str(refused.value)


@pytest.fixture
def office(entra: Entra, store: Store, authority: trustme.CA) -> Office:
    return Office(entra, store, authority)


def test_a_token_is_asked_for_once(office: Office) -> None:
    assert [office.obtain() for _ in range(3)] == [office.entra.issued[0]] * 3


def test_each_resource_has_a_token_of_its_own(office: Office) -> None:
    source = office.source()
    assert source.obtain(office.credential, OUTLOOK).value != source.obtain(office.credential, GRAPH).value
    assert len({grant.resource for grant in office.entra.grants.values()}) == 2


@pytest.mark.parametrize(("lifetime", "ahead"), [(3600, 300), (100, 25)])
def test_a_token_is_renewed_before_its_end(office: Office, lifetime: int, ahead: int) -> None:
    office.entra.lifetime = lifetime
    first = office.obtain()
    office.later = lifetime - ahead - 10
    assert office.obtain() == first
    office.later = lifetime - ahead + 10
    assert office.obtain() != first


def test_the_present_token_is_used_to_its_end_while_there_is_no_other(office: Office) -> None:
    first = office.obtain()
    office.entra.trouble = 503
    office.later = 3400
    assert office.obtain() == first
    assert office.obtain() == first, "and nobody asks for each mail"
    office.entra.trouble = 0
    office.later += 31
    assert office.obtain() == office.entra.issued[1]


def test_a_token_at_its_end_is_used_no_more(office: Office) -> None:
    office.obtain()
    office.entra.trouble = 503
    office.later = 3595
    assert "HTTP 503" in office.refusal()


def test_a_refused_secret_is_not_tried_for_each_mail(office: Office) -> None:
    office.app.secret = "changed in the tenant"
    assert office.refusal().startswith("AADSTS7000215: ")
    asked = len(office.entra.asked)
    assert office.refusal().startswith("AADSTS7000215: ")
    assert len(office.entra.asked) == asked
    office.later = 301
    office.refusal()
    assert len(office.entra.asked) == asked + 1


def test_a_new_secret_is_tried_at_once(office: Office) -> None:
    office.app.secret = "another"
    office.refusal()
    office.credential = replace(office.credential, secret="credential/2")
    assert office.obtain() == office.entra.issued[0]


def test_who_asks_afresh_is_not_told_the_old_refusal(office: Office) -> None:
    office.app.secret = "changed in the tenant"
    office.refusal()
    office.app.secret = "s3cret~value"
    assert office.obtain(afresh=True) == office.obtain() == office.entra.issued[0]


def test_entra_is_left_alone_for_as_long_as_it_says(office: Office) -> None:
    office.entra.trouble, office.entra.retry_after = 429, "600"
    assert "HTTP 429" in office.refusal()
    office.entra.trouble = 0
    office.later = 590
    assert "HTTP 429" in office.refusal()
    office.later = 610
    assert office.obtain() == office.entra.issued[0]


def test_a_refusal_of_a_clock_that_was_set_back_is_not_kept(office: Office) -> None:
    office.later = 1_000_000
    office.app.secret = "changed in the tenant"
    office.refusal()
    office.app.secret = "s3cret~value"
    office.later = 0
    assert office.obtain() == office.entra.issued[0]


def test_of_many_workers_one_asks(office: Office) -> None:
    start = threading.Barrier(6)
    got: list[str] = []

    def work() -> None:
        source = office.source()
        start.wait()
        got.append(source.obtain(office.credential, OUTLOOK).value)

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert got == office.entra.issued * 6
    assert len(office.entra.issued) == 1


def test_a_worker_that_died_over_it_holds_nobody_up_for_long(office: Office) -> None:
    now = office.clock()
    assert AccessTokens(office.store).lease(key_of(office.credential), now, now + 120)
    office.later = 121
    assert office.obtain() == office.entra.issued[0]


def test_who_gets_a_token_late_leaves_the_lease_to_whoever_has_it_by_now(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, held, give = key_of(office.credential), AccessTokens(office.store), office.entra.token
    others: list[bool] = []

    def slowly(tenant: str, form: dict[str, str]) -> dict[str, object]:
        office.later = 121
        others.append(held.lease(key, office.clock(), office.clock() + 120))
        return give(tenant, form)

    monkeypatch.setattr(office.entra, "token", slowly)
    assert office.obtain() == office.entra.issued[0]
    assert others == [True]
    assert not held.lease(key, office.clock(), office.clock() + 120)


def test_a_worker_waits_only_so_long_for_another_one(office: Office) -> None:
    now = office.clock()
    AccessTokens(office.store).lease(key_of(office.credential), now, now + 120)
    source = TokenSource(office.store, clock=office.clock, pause=lambda _: setattr(office, "later", office.later + 10))
    with pytest.raises(NoToken, match="another worker is still getting one"):
        source.obtain(office.credential, OUTLOOK)


def test_a_secret_that_cannot_be_read(office: Office) -> None:
    office.credential = replace(office.credential, secret="credential/gone")
    assert office.refusal() == "its secret can't be read: 'credential/gone'; store it again"
    office.credential = replace(office.credential, secret="credential/1")
    assert office.obtain()


# A device code


@pytest.fixture
def signed_in(office: Office) -> Office:
    office.entra.forgets_used = True
    office.credential = replace(office.credential, kind=CredentialKind.DEVICE_CODE, secret="")
    office.entra.refresh_tokens["first"] = (office.app.client_id, USER)
    office.source().keep_user(office.credential, OUTLOOK, Token("got by the code", time.time() + 3600), "first")
    return office


def test_nobody_has_signed_in_yet(office: Office) -> None:
    office.credential = replace(office.credential, kind=CredentialKind.DEVICE_CODE)
    assert office.refusal() == 'nobody has signed in yet; run posthouse credential login "Relay app"'


def test_each_refresh_token_is_used_once(signed_in: Office) -> None:
    assert signed_in.obtain() == "got by the code"
    for _ in range(3):
        signed_in.later += 3400
        assert signed_in.obtain() == signed_in.entra.issued[-1]
    graph = signed_in.source().obtain(signed_in.credential, GRAPH).value
    assert signed_in.entra.grants[graph].user == USER
    assert len(signed_in.entra.refresh_tokens) == 1


def test_a_sign_in_that_is_over_is_told_until_somebody_signs_in_again(signed_in: Office) -> None:
    signed_in.entra.refresh_tokens.clear()
    signed_in.later = 3600
    assert "sign in again: posthouse credential login" in signed_in.refusal()
    later = Token("got by another code", signed_in.clock() + 3600)
    signed_in.source().keep_user(signed_in.credential, OUTLOOK, later, "second")
    assert signed_in.obtain() == "got by another code"


@pytest.mark.parametrize("is_over", [False, True])
def test_who_signs_in_while_a_token_is_renewed_is_not_signed_out_by_it(
    signed_in: Office, monkeypatch: pytest.MonkeyPatch, is_over: bool
) -> None:
    """Also if the sign-in before was another user's, or is over."""
    later = Token("got by another code", time.time() + 7200)
    give = signed_in.entra.token

    def slowly(tenant: str, form: dict[str, str]) -> dict[str, object]:
        signed_in.source().keep_user(signed_in.credential, OUTLOOK, later, "second")
        return give(tenant, form)

    monkeypatch.setattr(signed_in.entra, "token", slowly)
    if is_over:
        signed_in.entra.refresh_tokens.clear()
    signed_in.later = 3595
    with suppress(NoToken):
        signed_in.obtain()
    held = AccessTokens(signed_in.store).held(key_of(signed_in.credential))
    assert (held.tokens[OUTLOOK].value, held.refresh_token, held.refusals) == (later.value, "second", {})


# In a worker


def test_a_worker_keeps_what_is_good(office: Office) -> None:
    shared = SharedTokens(office.source(), office.clock)

    async def many() -> list[str]:
        return await asyncio.gather(*(shared.get(office.credential, OUTLOOK) for _ in range(20)))

    assert set(asyncio.run(many())) == {office.entra.issued[0]}
    AccessTokens(office.store).keep(())
    assert asyncio.run(shared.get(office.credential, OUTLOOK)) == office.entra.issued[0]


def test_a_token_that_was_refused_is_forgotten_by_all_but_not_the_one_after_it(office: Office) -> None:
    one, other = (SharedTokens(office.source(), office.clock) for _ in range(2))

    async def refused() -> list[str]:
        first = [await worker.get(office.credential, OUTLOOK) for worker in (one, other)]
        await one.forget(office.credential, OUTLOOK, first[0])
        second = await one.get(office.credential, OUTLOOK)
        await other.forget(office.credential, OUTLOOK, first[1])
        return [*first, second, await other.get(office.credential, OUTLOOK)]

    first, second = office.entra.issued if asyncio.run(refused()) else ("", "")
    assert (
        asyncio.run(one.get(office.credential, OUTLOOK)) == asyncio.run(other.get(office.credential, OUTLOOK)) == second
    )
    assert first != second


@pytest.fixture
def silent(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """Entra says nothing until the test is over."""
    before, is_over = set(threading.enumerate()), threading.Event()
    monkeypatch.setattr(office.entra, "token", lambda *_: {} if is_over.wait(60) else None)
    yield office
    is_over.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)


def test_a_worker_ends_without_waiting_for_entra(silent: Office) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(SharedTokens(silent.source()).get(silent.credential, OUTLOOK), 0.2))
    assert time.monotonic() - began < 10


def test_a_worker_s_other_threads_are_not_taken_by_waiting_for_entra(silent: Office) -> None:
    async def others_go_on() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        waiting = asyncio.ensure_future(SharedTokens(silent.source()).get(silent.credential, OUTLOOK))
        await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.to_thread(lambda: None), 10)
        waiting.cancel()

    asyncio.run(others_go_on())


def test_mail_waits_for_entra_only_so_long(silent: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_LONGEST_TRY", 0.2)
    with pytest.raises(SignInFailed, match="takes too long; it is tried again by itself"):
        asyncio.run(SharedTokens(silent.source()).get(silent.credential, OUTLOOK))


def test_no_token_defers_the_mail_and_says_what_to_do(office: Office) -> None:
    office.app.secret = "changed in the tenant"
    with pytest.raises(SignInFailed) as failed:
        asyncio.run(SharedTokens(office.source(), office.clock).get(office.credential, OUTLOOK))
    reply = failed.value.reply
    assert (reply.code, reply.enhanced) == (451, "4.7.0")
    assert reply.text.startswith('no token for the credential "Relay app": AADSTS7000215: ')
    assert "store the secret's Value" in reply.text
    assert "s3cret" not in reply.text


def test_a_key_changes_with_all_but_name_and_limits(office: Office) -> None:
    credential = office.credential
    assert key_of(replace(credential, name="Renamed")) == key_of(credential)
    others = [
        replace(credential, **change)
        for change in ({"user": "x"}, {"secret": "x"}, {"tenant": "x"}, {"client_id": "x"}, {"authority": "x"})
    ]
    assert len({key_of(each) for each in (credential, *others)}) == 6


def test_a_key_outlives_a_new_version() -> None:
    """Else the refresh tokens would be lost, and somebody would have to sign in again."""
    certificate = ClientCertificateRef("credential/pfx", "00")
    credential = Credential("a", CredentialKind.DEVICE_CODE, USER, "s", "t", "c", certificate, "https://login.test")
    assert key_of(credential) == "987824faaca89a11ff43a09036a0a444b836f1a7edf5ae981d0f140305f1ee3a"
