"""One fault at a time in the DNS of the accepted domain, named by doctor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from net.dns_server import SERVFAIL
from posthouse.probe.doctor import Status, Step
from support.clinic import DOMAIN, PUBLIC_IP, TENANT, Clinic

NOW = datetime.now(UTC)
ANN, BOB = f"postmaster@{DOMAIN}", "bob@example.net"


def texts(steps: list[Step], status: Status = Status.OK) -> list[str]:
    return [step.text for step in steps if step.status is status]


NO_ANSWER = "the name servers gave no usable answer when asked for"
DnsFault = tuple[Callable[[Clinic], object], str]


def _spf(*records: str) -> Callable[[Clinic], object]:
    return lambda clinic: clinic.txt(DOMAIN, *records)


def _drop(*keys: tuple[str, str]) -> Callable[[Clinic], object]:
    return lambda clinic: [clinic.zone.pop(key) for key in keys]


def _set(name: str, kind: str, *records: str) -> Callable[[Clinic], object]:
    return lambda clinic: clinic.zone.update({(name, kind): list(records)})


DNS_FAULTS: dict[str, DnsFault] = {
    "no MX": (_drop((DOMAIN, "MX")), "failed: it has no MX record"),
    "null MX": (_set(DOMAIN, "MX", "0 ."), f"failed: {DOMAIN} takes no mail (null MX)"),
    "NXDOMAIN": (_drop((DOMAIN, "MX"), (DOMAIN, "TXT")), f"failed: {DOMAIN} does not exist in DNS (NXDOMAIN)"),
    "SERVFAIL": (
        _set(DOMAIN, "MX", SERVFAIL),
        f"failed: MX look-up: {NO_ANSWER} MX of {DOMAIN}",
    ),
    "SPF missing": (_spf("something else"), "warning: it has no SPF record"),
    "SPF twice": (_spf("v=spf1 -all", "v=spf1 ~all"), f"failed: SPF: {DOMAIN} has 2 SPF records; one is allowed"),
    "SPF without our address": (
        _spf("v=spf1 ip4:198.51.100.1 -all"),
        f"failed: SPF says fail of our address {PUBLIC_IP}: v=spf1 ip4:198.51.100.1 -all",
    ),
    "SPF is soft about our address": (
        _spf("v=spf1 ptr ~all"),
        f"warning: SPF says softfail of our address {PUBLIC_IP}: v=spf1 ptr ~all; not looked at: ptr",
    ),
    "SPF with too many look-ups": (
        _spf(f"v=spf1 {'include:spf.tenant.test ' * 11}ip4:{PUBLIC_IP} -all"),
        "failed: SPF: it needs 11 DNS look-ups, 10 are allowed",
    ),
    "SPF with names that lead nowhere": (
        _spf(f"v=spf1 a:a.test a:b.test mx:c.test ip4:{PUBLIC_IP} -all"),
        "failed: SPF: 3 of its names lead nowhere, 2 are allowed",
    ),
    "SPF that can't be looked up": (
        _set("spf.tenant.test", "TXT", SERVFAIL),
        f"failed: SPF look-up: {NO_ANSWER} TXT of spf.tenant.test",
    ),
    "DMARC missing": (_drop((f"_dmarc.{DOMAIN}", "TXT")), "warning: it has no DMARC record"),
    "DMARC twice": (
        lambda clinic: clinic.txt(f"_dmarc.{DOMAIN}", "v=DMARC1; p=none", "v=DMARC1; p=reject"),
        f"failed: _dmarc.{DOMAIN} has 2 DMARC records",
    ),
    "DMARC without a policy": (
        lambda clinic: clinic.txt(f"_dmarc.{DOMAIN}", "v=DMARC1; rua=mailto:d@contoso.test"),
        "failed: DMARC has no valid policy: v=DMARC1; rua=mailto:d@contoso.test",
    ),
    "DKIM not set up": (
        _drop((f"selector1._domainkey.{DOMAIN}", "TXT")),
        "warning: DKIM of Microsoft 365 is not set up: neither selector1 nor selector2 has a key",
    ),
    "DKIM revoked": (
        lambda clinic: clinic.txt(f"selector1._domainkey.{DOMAIN}", "v=DKIM1; p="),
        "warning: DKIM of Microsoft 365 is not set up: neither selector1 nor selector2 has a key",
    ),
    "DKIM that can't be looked up": (
        _set(f"selector2._domainkey.{DOMAIN}", "TXT", SERVFAIL),
        f"failed: DKIM look-up: {NO_ANSWER} TXT of selector2._domainkey.{DOMAIN}",
    ),
    "MTA-STS twice": (
        lambda clinic: clinic.txt(f"_mta-sts.{DOMAIN}", "v=STSv1; id=1", "v=STSv1; id=2"),
        f"failed: _mta-sts.{DOMAIN} has 2 MTA-STS records",
    ),
    "MTA-STS without its policy": (
        lambda clinic: clinic.txt(f"_mta-sts.{DOMAIN}", "v=STSv1; id=1"),
        f"failed: MTA-STS policy: mta-sts.{DOMAIN} has no address",
    ),
}


@pytest.mark.parametrize("fault", DNS_FAULTS)
def test_a_fault_in_dns(clinic: Clinic, fault: str) -> None:
    inject, found = DNS_FAULTS[fault]
    status, _, text = found.partition(": ")
    inject(clinic)
    with clinic.tenant():
        assert clinic.problems() == [f"{status} {DOMAIN}: {text}"]


def test_selectors_of_ones_own(clinic: Clinic) -> None:
    clinic.txt(f"scan._domainkey.{DOMAIN}", "v=DKIM1; p=MIGf")
    clinic.txt(f"old._domainkey.{DOMAIN}", "v=DKIM1; p=")
    with clinic.tenant():
        assert clinic.problems(selectors=("scan", "fax", "old")) == [
            f"failed {DOMAIN}: DKIM: fax._domainkey.{DOMAIN} has no key",
            f"failed {DOMAIN}: DKIM: old._domainkey.{DOMAIN} is revoked",
        ]


def test_dmarc_of_the_domain_above(clinic: Clinic) -> None:
    clinic.organization = f'[[accepted_domain]]\nname = "dept.{DOMAIN}"\n'
    clinic.zone[f"dept.{DOMAIN}", "MX"] = [f"0 {TENANT}."]
    clinic.txt(f"_dmarc.{DOMAIN}", "v=DMARC1; p=reject; sp=quarantine")
    with clinic.tenant():
        assert f"DMARC: policy quarantine, of {DOMAIN}" in texts(clinic.steps())


def test_without_a_public_address_spf_is_not_judged(clinic: Clinic) -> None:
    with clinic.tenant():
        skipped = texts(clinic.steps(public_ip=""), Status.SKIPPED)
    record = "v=spf1 include:spf.tenant.test ip4:192.0.2.0/28 -all"
    assert skipped == [f"SPF is there ({record}), but our public address isn't known; give it with --ip"]
