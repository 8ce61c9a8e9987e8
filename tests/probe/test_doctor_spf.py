"""SPF (RFC 7208) evaluated for one address, against a name server of our own."""

from __future__ import annotations

import asyncio
import ipaddress
import json

import pytest

from net.dns_server import DnsServer
from posthouse.net.dns import Resolver
from posthouse.probe.doctor.spf import SpfBroken, SpfMissing, SpfReport, evaluate_spf

ZONE = {
    ("host.test", "A"): ["192.0.2.7"],
    ("host.test", "AAAA"): ["2001:db8::7"],
    ("mail.test", "MX"): ["10 host.test."],
    ("null.test", "MX"): ["0 ."],
    ("yes.test", "TXT"): ['"v=spf1 ip4:192.0.2.7 -all"'],
    ("no.test", "TXT"): ['"v=spf1 -all"'],
    ("loop.test", "TXT"): ['"v=spf1 include:loop.test -all"'],
    ("other.test", "TXT"): ['"google-site-verification=1"'],
}


def evaluate(*records: str, ip: str | None = "192.0.2.7") -> SpfReport:
    async def run() -> SpfReport:
        own = {
            ("contoso.test", "TXT"): [json.dumps(record) for record in records],
            ("contoso.test", "A"): ["192.0.2.99"],
        }
        async with DnsServer(ZONE | own) as server:
            address = ipaddress.ip_address(ip) if ip else None
            return await evaluate_spf(Resolver([server.address], lifetime=5), "contoso.test", address)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("terms", "result", "lookups"),
    [
        ("ip4:192.0.2.7", "pass", 0),
        ("IP4:192.0.2.7 -ALL", "pass", 0),
        ("ip4:192.0.2.0/29 -all", "pass", 0),
        ("ip4:192.0.2.8 -all", "fail", 0),
        ("ip6:2001:db8::/32 ~all", "softfail", 0),
        ("?ip4:192.0.2.7 -all", "neutral", 0),
        ("-ip4:192.0.2.7 +all", "fail", 0),
        ("", "neutral", 0),
        ("a -all", "fail", 1),
        ("a/24 -all", "pass", 1),
        ("a:host.test -all", "pass", 1),
        ("a:host.test//64 -all", "pass", 1),
        ("mx:mail.test -all", "pass", 1),
        ("mx:mail.test/24//64 -all", "pass", 1),
        ("mx:null.test -all", "fail", 1),
        ("exists:host.test -all", "pass", 1),
        ("exists:nowhere.test -all", "fail", 1),
        ("include:yes.test -all", "pass", 1),
        ("include:no.test -all", "fail", 1),
        ("redirect=yes.test", "pass", 1),
        ("redirect=no.test", "fail", 1),
        ("ip4:192.0.2.7 redirect=no.test", "pass", 1),
        ("-all redirect=yes.test", "fail", 0),
        ("exp=why.test x-new=1 -all", "fail", 0),
        ("ip4:192.0.2.7 include:no.test a mx:mail.test -all", "pass", 3),
    ],
)
def test_the_result_and_every_look_up_counted(terms: str, result: str, lookups: int) -> None:
    report = evaluate(f"v=spf1 {terms}".strip())
    assert (report.result, report.lookups) == (result, lookups)


@pytest.mark.parametrize(
    ("terms", "result"),
    [
        ("ip6:2001:db8::/32 -all", "pass"),
        ("ip4:192.0.2.7 -all", "fail"),
        ("a:host.test/24 -all", "pass"),
        ("a:host.test//16 -all", "pass"),
    ],
)
def test_an_ipv6_address(terms: str, result: str) -> None:
    assert evaluate(f"v=spf1 {terms}", ip="2001:db8::7").result == result


def test_what_depends_on_the_mail_is_not_evaluated_but_counted() -> None:
    report = evaluate("v=spf1 exists:%{i}.list.test ptr include:%{d}.spf.test ~all")
    assert (report.result, report.lookups) == ("softfail", 3)
    assert report.unevaluated == ("exists:%{i}.list.test", "ptr", "include:%{d}.spf.test")


def test_names_that_lead_nowhere_are_counted() -> None:
    assert evaluate("v=spf1 a:nowhere.test mx:nowhere.test mx:null.test -all").void_lookups == 3


def test_without_an_address_only_the_record_is_looked_at() -> None:
    report = evaluate("v=spf1 ip4:0.0.0.0/0 a mx:mail.test -all", ip=None)
    assert (report.result, report.lookups) == ("fail", 2)


@pytest.mark.parametrize("records", [(), ("v=spf10 all",), ("something v=spf1",)])
def test_no_record(records: tuple[str, ...]) -> None:
    with pytest.raises(SpfMissing):
        evaluate(*records)


@pytest.mark.parametrize(
    ("records", "why"),
    [
        (("v=spf1 -all", "V=SPF1 ~all"), "contoso.test has 2 SPF records"),
        (("v=spf1 include:nowhere.test -all",), "it refers to nowhere.test, but"),
        (("v=spf1 include:other.test -all",), "it refers to other.test, but"),
        (("v=spf1 redirect=nowhere.test",), "it refers to nowhere.test, but"),
        (("v=spf1 include:loop.test -all",), "more than 30 DNS look-ups"),
        (("v=spf1 ip4:contoso.test -all",), "ip4:contoso.test names no network"),
        (("v=spf1 a:host.test/99 -all",), "/99 is no prefix length"),
        (("v=spf1 ipv4:192.0.2.7 -all",), "has ipv4:192.0.2.7, which is no SPF"),
        (("v=spf1 192.0.2.7 -all",), "has 192.0.2.7, which is no SPF"),
        (("v=spf1 -redirect=yes.test",), "has -redirect=yes.test, which is no SPF"),
    ],
)
def test_what_receivers_can_t_evaluate(records: tuple[str, ...], why: str) -> None:
    with pytest.raises(SpfBroken, match=why.replace(".", r"\.")):
        evaluate(*records)
