"""What DNS says of an accepted domain: where its mail goes, and who may send in its name."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from posthouse.net.dns import DnsError, DnsTemporary, MxHost, NoSuchDomain, NullMx
from posthouse.net.https import HttpsError
from posthouse.organization.domains import ancestry
from posthouse.probe.doctor.case import Case
from posthouse.probe.doctor.mta_sts import fetch_policy
from posthouse.probe.doctor.spf import (
    MOST_LOOKUPS,
    MOST_VOID_LOOKUPS,
    Address,
    SpfBroken,
    SpfMissing,
    SpfReport,
    evaluate_spf,
)
from posthouse.probe.doctor.step import About, Area, Step

_MICROSOFT: Final = (
    ".mail.protection.outlook.com",
    ".mx.microsoft",
    ".mail.protection.office365.us",
    ".mail.protection.partner.outlook.cn",
)
"""Names of MX endpoints. https://learn.microsoft.com/microsoft-365/enterprise/external-domain-name-system-records"""
_SELECTORS: Final = ("selector1", "selector2")
"""Microsoft's. https://learn.microsoft.com/defender-office-365/email-authentication-dkim-configure"""
_SPF_ADVICE: Final = "publish one TXT record, like v=spf1 include:spf.protection.outlook.com ip4:ADDRESS -all"
_LATER: Final = "try again; if it stays, look at the domain's name servers"


def is_microsoft(host: str) -> bool:
    """Whether a host is a tenant's MX endpoint."""
    return host.endswith(_MICROSOFT)


async def steps(case: Case, domain: str) -> AsyncGenerator[Step, None]:
    about = About(Area.DOMAIN, domain)
    try:
        exchangers = await case.resolver.mx_records(domain)
    except DnsError as error:
        yield _no_mx(about, error)
        if isinstance(error, NoSuchDomain):
            yield about.skipped("SPF, DMARC, DKIM and MTA-STS: the domain does not exist")
            return
        exchangers = []
    else:
        yield _mx_step(about, exchangers)
    yield await _spf_step(case, about)
    yield await _dmarc_step(case, about)
    yield await _microsoft_dkim_step(case, about)
    for selector in case.options.selectors:
        yield await _dkim_step(case, about, selector)
    yield await _mta_sts_step(case, about, [mx.host for mx in exchangers])


def _no_mx(about: About, error: DnsError) -> Step:
    match error:
        case NullMx():
            return about.failed(str(error), "replace the null MX by the MX of your tenant or mail server")
        case NoSuchDomain():
            return about.failed(str(error), "check the spelling; has the registration expired?")
        case _:
            return about.failed(f"MX look-up: {error}", _LATER)


def _mx_step(about: About, exchangers: Sequence[MxHost]) -> Step:
    if not exchangers:
        return about.failed("it has no MX record", "publish the one that the Microsoft 365 admin center shows")
    hosts = ", ".join(f"{mx.preference} {mx.host}" for mx in exchangers)
    whose = "Microsoft 365" if any(is_microsoft(mx.host) for mx in exchangers) else "no tenant of Microsoft 365"
    return about.ok(f"MX: {hosts} ({whose})")


def public_addresses(case: Case) -> list[Address]:
    """What others see us come from, as far as we are told."""
    if case.options.public_ip:
        return [ipaddress.ip_address(case.options.public_ip)]
    sources = dict.fromkeys(each.source_address for each in case.organization.outbound if each.source_address)
    return [address for address in map(ipaddress.ip_address, sources) if address.is_global]


async def _spf_step(case: Case, about: About) -> Step:
    addresses = public_addresses(case)
    try:
        reports = {ip: await evaluate_spf(case.resolver, about.subject, ip) for ip in addresses or [None]}
    except SpfMissing:
        return about.warning("it has no SPF record", _SPF_ADVICE)
    except SpfBroken as error:
        return about.failed(f"SPF: {error}", "receivers answer permerror until it is mended")
    except DnsTemporary as error:
        return about.failed(f"SPF look-up: {error}", _LATER)
    report = next(iter(reports.values()))
    if problem := _too_many(report):
        return about.failed(f"SPF: {problem}", "receivers answer permerror; take out includes that nobody needs")
    for ip, found in reports.items():
        if ip is not None and found.result != "pass":
            return _not_included(about, ip, found)
    if not addresses:
        return about.skipped(f"SPF is there ({report.record}), but our public address isn't known; give it with --ip")
    return about.ok(f"SPF includes {', '.join(map(str, addresses))} with {report.lookups} look-ups: {report.record}")


def _too_many(report: SpfReport) -> str:
    if report.lookups > MOST_LOOKUPS:
        return f"it needs {report.lookups} DNS look-ups, {MOST_LOOKUPS} are allowed"
    if report.void_lookups > MOST_VOID_LOOKUPS:
        return f"{report.void_lookups} of its names lead nowhere, {MOST_VOID_LOOKUPS} are allowed"
    return ""


def _not_included(about: About, ip: Address, report: SpfReport) -> Step:
    """Only a `fail` says that mail from here is forged."""
    open_terms = f"; not looked at: {', '.join(report.unevaluated)}" if report.unevaluated else ""
    text = f"SPF says {report.result} of our address {ip}: {report.record}{open_terms}"
    remedy = f"add ip{ip.version}:{ip} before its end"
    return about.failed(text, remedy) if report.result == "fail" else about.warning(text, remedy)


async def _dmarc_step(case: Case, about: About) -> Step:
    """The record of the domain, else of one above it (RFC 7489 6.6.3)."""
    try:
        for domain in ancestry(about.subject):
            if "." in domain and (found := await _tagged(case, f"_dmarc.{domain}", "DMARC1")):
                return _dmarc_policy(about, domain, found)
    except DnsTemporary as error:
        return about.failed(f"DMARC look-up: {error}", _LATER)
    return about.warning("it has no DMARC record", f"publish v=DMARC1; p=none as TXT of _dmarc.{about.subject}")


def _dmarc_policy(about: About, domain: str, records: Sequence[str]) -> Step:
    if len(records) > 1:
        return about.failed(
            f"_dmarc.{domain} has {len(records)} DMARC records", "leave one; receivers use none of them"
        )
    tags = _tags(records[0])
    own = tags.get("p", "")
    policy = (own if domain == about.subject else tags.get("sp", own)).lower()
    if policy not in ("none", "quarantine", "reject"):
        return about.failed(f"DMARC has no valid policy: {records[0]}", "set p to none, quarantine or reject")
    return about.ok(f"DMARC: policy {policy}" + (f", of {domain}" if domain != about.subject else ""))


async def _microsoft_dkim_step(case: Case, about: About) -> Step:
    """One of the two is in use at a time; the other may have no key yet."""
    try:
        found = [selector for selector in _SELECTORS if await _dkim_key(case, about.subject, selector)]
    except DnsTemporary as error:
        return about.failed(f"DKIM look-up: {error}", _LATER)
    if found:
        return about.ok(f"DKIM of Microsoft 365: {' and '.join(found)}")
    return about.warning(
        "DKIM of Microsoft 365 is not set up: neither selector1 nor selector2 has a key",
        "enable it in the Defender portal, and publish the two CNAME records that it shows",
    )


async def _dkim_step(case: Case, about: About, selector: str) -> Step:
    name = f"{selector}._domainkey.{about.subject}"
    try:
        key = await _dkim_key(case, about.subject, selector)
    except DnsTemporary as error:
        return about.failed(f"DKIM look-up: {error}", _LATER)
    if key:
        return about.ok(f"DKIM: {name} has a key")
    what = "has no key" if key is None else "is revoked"
    return about.failed(f"DKIM: {name} {what}", "publish its key, or sign with another selector")


async def _dkim_key(case: Case, domain: str, selector: str) -> str | None:
    """An empty key is a revoked one (RFC 6376 3.6.1); None where there is none."""
    try:
        records = await case.resolver.texts(f"{selector}._domainkey.{domain}")
    except NoSuchDomain:
        return None
    return next((tags["p"] for record in records if "p" in (tags := _tags(record))), None)


async def _mta_sts_step(case: Case, about: About, hosts: Sequence[str]) -> Step:
    try:
        records = await _tagged(case, f"_mta-sts.{about.subject}", "STSv1")
    except DnsTemporary as error:
        return about.failed(f"MTA-STS look-up: {error}", _LATER)
    if not records:
        return about.ok("MTA-STS is not used")
    if len(records) > 1:
        return about.failed(f"_mta-sts.{about.subject} has {len(records)} MTA-STS records", "leave one")
    if not _tags(records[0]).get("id"):
        return about.failed(f"MTA-STS: the record has no id: {records[0]}", "publish it like v=STSv1; id=20261124")
    try:
        policy = await fetch_policy(case, about.subject)
    except (DnsError, HttpsError) as error:
        return about.failed(f"MTA-STS policy: {error}", "serve it, or remove the record: senders may hold mail back")
    if problem := policy.problem(hosts):
        return about.failed(f"MTA-STS policy: {problem}", "correct it; in enforce mode mail doesn't come in")
    return about.ok(f"MTA-STS: {policy.mode} for {', '.join(policy.mx)}")


async def _tagged(case: Case, name: str, version: str) -> list[str]:
    """The TXT records that begin with `v=` and this version."""
    try:
        return [text for text in await case.resolver.texts(name) if re.match(rf"v\s*=\s*{version}\s*(;|$)", text)]
    except NoSuchDomain:
        return []


def _tags(record: str) -> dict[str, str]:
    """`tag=value` pairs with semicolons between (RFC 6376 3.2)."""
    pairs = (pair.partition("=") for pair in record.split(";"))
    return {tag.strip().lower(): "".join(value.split()) for tag, equals, value in pairs if equals}
