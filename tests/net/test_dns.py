"""The resolver, asking a name server of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import groupby
from typing import TypeVar

import dns.resolver
import pytest

from net.dns_server import SERVFAIL, SILENT, TRUNCATED, DnsServer
from posthouse.net.dns import DnsError, DnsTemporary, MxHost, NoSuchDomain, NullMx, Resolver

T = TypeVar("T")

ZONE = {
    ("contoso.test", "MX"): ["20 backup.contoso.test.", "10 Mail.Contoso.test."],
    ("contoso.test", "TXT"): ['"v=spf1 ip4:192.0.2.1" " -all"', "second"],
    ("mail.contoso.test", "A"): ["192.0.2.1", "192.0.2.2"],
    ("mail.contoso.test", "AAAA"): ["2001:db8::1"],
    ("backup.contoso.test", "A"): ["192.0.2.9"],
    ("equals.test", "MX"): [f"10 mx{number}.equals.test." for number in range(8)],
    ("implicit.test", "A"): ["192.0.2.3"],
    ("none.test", "MX"): ["0 ."],
    ("both.test", "MX"): ["0 .", "10 mail.contoso.test."],
    ("broken.test", "MX"): [SERVFAIL],
    ("broken.test", "A"): [SERVFAIL],
    ("broken.test", "AAAA"): [SERVFAIL],
    ("half.test", "A"): ["192.0.2.4"],
    ("half.test", "AAAA"): [SERVFAIL],
    ("broken6.test", "AAAA"): [SERVFAIL],
    ("six.test", "AAAA"): ["2001:db8::6"],
    ("silent.test", "MX"): [SILENT],
    ("silent.test", "A"): [SILENT],
    ("silent.test", "AAAA"): [SILENT],
    ("alias.test", "CNAME"): ["contoso.test."],
    ("www.contoso.test", "CNAME"): ["mail.contoso.test."],
    ("loop.test", "CNAME"): ["pool.test."],
    ("pool.test", "CNAME"): ["loop.test."],
    ("dangling.test", "MX"): ["10 nowhere.test."],
    ("big.test", "MX"): [TRUNCATED, "10 mail.contoso.test."],
    ("xn--bcher-kva.test", "MX"): ["10 mail.contoso.test."],
}


def ask(question: Callable[[Resolver], Awaitable[T]], *, lifetime: float = 5.0) -> T:
    async def run() -> T:
        async with DnsServer(ZONE) as server:
            return await question(Resolver([server.address], lifetime=lifetime))

    return asyncio.run(run())


def mx(domain: str, *, lifetime: float = 5.0) -> list[MxHost]:
    return ask(lambda resolver: resolver.mx_hosts(domain), lifetime=lifetime)


def addresses(host: str, *, lifetime: float = 5.0) -> list[str]:
    return ask(lambda resolver: resolver.addresses(host), lifetime=lifetime)


def test_mx_hosts_come_by_preference() -> None:
    assert mx("contoso.test") == [MxHost(10, "mail.contoso.test"), MxHost(20, "backup.contoso.test")]


def test_equal_mx_hosts_come_in_random_order() -> None:
    async def orders(resolver: Resolver) -> set[tuple[MxHost, ...]]:
        return {tuple(await resolver.mx_hosts("equals.test")) for _ in range(20)}

    found = ask(orders)
    assert len(found) > 1
    assert len({frozenset(order) for order in found}) == 1


def test_a_domain_without_mx_is_its_own_mx_host() -> None:
    assert mx("implicit.test") == [MxHost(0, "implicit.test")]


def test_a_null_mx_takes_no_mail() -> None:
    with pytest.raises(NullMx, match=r"none\.test takes no mail"):
        mx("none.test")


def test_a_null_mx_beside_others_is_ignored() -> None:
    assert mx("both.test") == [MxHost(10, "mail.contoso.test")]


def test_an_unknown_domain_is_known_not_to_exist() -> None:
    with pytest.raises(NoSuchDomain, match="NXDOMAIN"):
        mx("absent.test")


@pytest.mark.parametrize("domain", ["a..test", "x" * 64 + ".test", "x." * 130 + "test"])
def test_a_malformed_domain_does_not_exist(domain: str) -> None:
    with pytest.raises(NoSuchDomain, match="not a valid domain name"):
        mx(domain)


def test_a_failing_server_is_a_temporary_error() -> None:
    with pytest.raises(DnsTemporary, match=r"MX of broken\.test"):
        mx("broken.test", lifetime=0.3)
    with pytest.raises(DnsTemporary, match=r"of broken\.test"):
        addresses("broken.test", lifetime=0.3)


def test_a_silent_server_is_a_temporary_error() -> None:
    with pytest.raises(DnsTemporary, match="in time"):
        mx("silent.test", lifetime=0.3)
    with pytest.raises(DnsTemporary, match="in time"):
        addresses("silent.test", lifetime=0.3)


def test_a_loop_of_aliases_is_a_temporary_error() -> None:
    with pytest.raises(DnsTemporary):
        mx("loop.test", lifetime=0.5)


def test_an_alias_is_followed() -> None:
    assert mx("alias.test") == mx("contoso.test")
    assert sorted(addresses("www.contoso.test")) == sorted(addresses("mail.contoso.test"))


def test_addresses_of_both_families_take_turns() -> None:
    found = addresses("mail.contoso.test")
    assert [":" in address for address in found] == [True, False, False]
    assert set(found) == {"2001:db8::1", "192.0.2.1", "192.0.2.2"}


def test_one_family_is_enough() -> None:
    assert addresses("implicit.test") == ["192.0.2.3"]
    assert addresses("six.test") == ["2001:db8::6"]
    assert addresses("half.test", lifetime=0.3) == ["192.0.2.4"]


def test_a_failed_family_leaves_open_whether_there_is_an_address() -> None:
    with pytest.raises(DnsTemporary):
        addresses("broken6.test", lifetime=0.3)


def test_an_mx_host_that_does_not_exist_has_no_address() -> None:
    assert mx("dangling.test") == [MxHost(10, "nowhere.test")]
    with pytest.raises(NoSuchDomain, match=r"nowhere\.test has no address"):
        addresses("nowhere.test")


@pytest.mark.parametrize(
    ("literal", "address"),
    [("192.0.2.7", "192.0.2.7"), ("[192.0.2.7]", "192.0.2.7"), ("[IPv6:2001:DB8::7]", "2001:db8::7")],
)
def test_an_address_literal_asks_nobody(literal: str, address: str) -> None:
    async def both(resolver: Resolver) -> tuple[list[str], list[MxHost]]:
        return await resolver.addresses(literal), await resolver.mx_hosts(literal)

    assert asyncio.run(both(Resolver(["127.0.0.1:1"]))) == ([address], [MxHost(0, address)])


def test_a_long_answer_comes_over_tcp() -> None:
    assert mx("big.test") == [MxHost(10, "mail.contoso.test")]


def test_an_internationalized_domain_is_asked_for_by_its_a_labels() -> None:
    assert mx("Bücher.test") == [MxHost(10, "mail.contoso.test")]


def test_answers_are_kept() -> None:
    async def asked() -> list[str]:
        async with DnsServer(ZONE) as server:
            resolver = Resolver([server.address])
            for _ in range(3):
                await resolver.mx_hosts("contoso.test")
                with pytest.raises(NoSuchDomain):
                    await resolver.mx_hosts("absent.test")
            return server.questions

    assert [question for question, _ in groupby(asyncio.run(asked()))] == ["MX contoso.test", "MX absent.test"]


def test_the_next_name_server_is_asked_when_one_is_not_there() -> None:
    async def run() -> list[MxHost]:
        async with DnsServer(ZONE) as server:
            return await Resolver(["127.0.0.1:1", server.address], lifetime=1).mx_hosts("contoso.test")

    assert len(asyncio.run(run())) == 2


@pytest.mark.parametrize("nameserver", ["127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:5353"])
def test_a_name_server_may_have_a_port(nameserver: str) -> None:
    Resolver([nameserver])


@pytest.mark.parametrize("nameserver", ["dns.contoso.test", "127.0.0.1:port", ""])
def test_a_bad_name_server_is_refused(nameserver: str) -> None:
    with pytest.raises(DnsError, match="should be an IP address"):
        Resolver([nameserver])


def test_a_system_without_name_servers_resolves_nothing_but_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", absent)
    monkeypatch.setattr(dns.resolver.BaseResolver, "read_registry", absent)
    resolver = Resolver()
    assert asyncio.run(resolver.addresses("192.0.2.1")) == ["192.0.2.1"]
    with pytest.raises(DnsTemporary, match="this system has no name server"):
        asyncio.run(resolver.addresses("mail.contoso.test"))


def test_mx_records_without_the_domain_itself() -> None:
    assert ask(lambda resolver: resolver.mx_records("implicit.test")) == []
    assert ask(lambda resolver: resolver.mx_records("alias.test")) == mx("alias.test")


def test_texts_are_joined_and_none_is_none() -> None:
    assert sorted(ask(lambda resolver: resolver.texts("contoso.test"))) == ["second", "v=spf1 ip4:192.0.2.1 -all"]
    assert ask(lambda resolver: resolver.texts("implicit.test")) == []
    with pytest.raises(NoSuchDomain):
        ask(lambda resolver: resolver.texts("nowhere.test"))
