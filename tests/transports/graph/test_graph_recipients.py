"""A header that names exactly the recipients, whatever it named before."""

from __future__ import annotations

import email.policy
from email.parser import BytesParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.transports.graph.recipients import addressed, is_addressed

A, B, C = "a@contoso.com", "b@contoso.com", "c@example.net"


def header(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in ("Subject: x", *lines, "")).encode()


def recipients(block: bytes) -> dict[str, list[str]]:
    """As somebody else reads it."""
    message = BytesParser(policy=email.policy.default).parsebytes(block)
    names = ("To", "Cc", "Bcc")
    found = {name: [each for field in message.get_all(name, []) for each in field.addresses] for name in names}
    return {name: [each.addr_spec for each in addresses if each.domain] for name, addresses in found.items()}


@pytest.mark.parametrize(
    "line",
    [
        f"To: {A}, {B}",
        f"TO: {A},\r\n\t{B}",
        f'To: "Last, First" <{A}>, B (the second, and last) <{B}>',
        f"To: Team: {A}, B <{B}>;",
        f"To: {A.upper()}\r\nCc: <{B}>",
        f"To: A <{A}>, =?utf-8?q?B=2C_C?= <{B}>",
        f"To: {A} (a comment), {B}",
        f"To: undisclosed-recipients:;\r\nCc: {A}, {B}",
        f'To: "a"@contoso.com, {B}',
    ],
)
def test_who_is_named_already_stays_named_the_same_way(line: str) -> None:
    assert addressed(header(line), [A, B]) == header(line)


@pytest.mark.parametrize(
    ("lines", "to", "cc", "bcc"),
    [
        ([f"To: {A}"], [A], [], [B]),
        ([], [], [], [A, B]),
        (["To: undisclosed-recipients:;"], [], [], [A, B]),
        ([f"To: {A}, {C}", f"Cc: {B}"], [A], [B], []),
        ([f"To: {C}", f"Cc: {A}"], [], [A], [B]),
        ([f"To: Team: {A}, {C};, {B}"], [A, B], [], []),
        ([f"To: {A}", f"Bcc: {C}"], [A], [], [B]),
        ([f"To: {A}", f"To: {B}"], [A, B], [], []),
        ([f"To: {A} {B}"], [], [], [A, B]),
        ([f"To: x <{A}> <{C}>"], [], [], [A, B]),
        ([f'To: "no end <{A}>, {B}'], [], [], [A, B]),
        ([f"To: <@relay.example.org:{A}>, {B}"], [], [], [A, B]),
        (["To: nobody"], [], [], [A, B]),
    ],
)
def test_nobody_more_and_nobody_less(lines: list[str], to: list[str], cc: list[str], bcc: list[str]) -> None:
    block = addressed(header(*lines), [A, B])
    assert recipients(block) == {"To": to, "Cc": cc, "Bcc": bcc}


def test_fields_that_change_are_kept_under_another_name() -> None:
    block = addressed(header(f"To: A <{A}>,\r\n C <{C}>", "X-Other: y"), [A])
    assert block == header(f"X-Posthouse-To: A <{A}>,\r\n C <{C}>", "X-Other: y").replace(
        b"Subject", f"To: A <{A}>\r\nSubject".encode(), 1
    )


def test_addresses_are_compared_as_exchange_does() -> None:
    assert is_addressed(["User@Contoso.com", "b@xn--bcher-kva.example"], ["user@contoso.com", "b@bücher.example"])
    assert not is_addressed([A], [A, B])


def test_two_people_are_not_taken_for_one() -> None:
    block = addressed(header(), ["strasse@contoso.com", "straße@contoso.com"])
    assert block.startswith("Bcc: strasse@contoso.com,\r\n straße@contoso.com\r\n".encode())


PIECES = st.sampled_from(
    [A, B, C, f"<{A}>", f"<{C}>", '"', "(", ")", ",", ";", ":", "\\", "x", " ", "\r\n ", "@", "<", ">"]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_whatever_to_says_nobody_is_forgotten_or_added(value: str) -> None:
    block = addressed(header(f"To: {value}"), [A, B])
    assert {address for found in recipients(block).values() for address in found} == {A, B}


@given(st.binary(max_size=200))
def test_it_never_raises(value: bytes) -> None:
    block = b"To: " + value.replace(b"\n", b" ").replace(b"\r", b" ") + b"\r\n\r\n"
    assert addressed(block, [A]).endswith(b"\r\n\r\n")
