"""The address grammar and the parameters, as MAIL and RCPT meet them."""

from functools import partial

import pytest

from posthouse.mail import Body, Notify, Recipient, Refused, Ret
from posthouse.smtp.events import Extensions, MailFrom
from posthouse.smtp.grammar import hello_name
from posthouse.smtp.parameters import parse_mail, parse_rcpt

ALL = Extensions(dsn=True, auth=("PLAIN",))


def forward_path(text: str, *, smtputf8: bool = False) -> str:
    return parse_rcpt(f"TO:{text}", ALL, smtputf8=smtputf8).recipient.forward_path


def refusal(act: str, argument: str, *, smtputf8: bool = False) -> str:
    parse = partial(parse_mail, offered=ALL) if act == "MAIL" else partial(parse_rcpt, offered=ALL, smtputf8=smtputf8)
    with pytest.raises(Refused) as refused:
        parse(argument)
    return f"{refused.value.reply.code} {refused.value.reply.enhanced}"


BOUNCES = f"bounces+{'x' * 232}=example.net"  # VERP knows no 64 octets; with `@` and a domain of one as a path may be

ADDRESSES = [
    "a@b",
    "User.Name+tag@Example.COM",
    "!#$%&'*+-/=?^_`{|}~@example.net",
    "user@host_1.example",
    "user@1.2.3.4",
    "user@[192.0.2.1]",
    "user@[IPv6:2001:db8::1]",
    "user@[ipv6:::ffff:192.0.2.1]",
    '"with space"@example.net',
    '"quo\\"ted\\\\"@example.net',
    '"<>,;"@example.net',
    '""@example.net',
    f"{BOUNCES}@b",
    # what an open relay would be asked: policy's to judge, so they come unchanged
    "user%other.example@example.net",
    '"user@other.example"@example.net',
    "other.example!user@example.net",
    '"user%other.example"@example.net',
]

NO_ADDRESSES = [
    "a",
    "a@",
    "@",
    "a@b@c",
    "a b@c",
    "a@b c",
    ".a@b",
    "a.@b",
    "a..b@c",
    "a@.b",
    "a@b.",
    "a@b..c",
    "a@-b",
    "a@b-",
    "a@b!c",
    "a@[192.0.2.1",
    "a@[192.0.2.256]",
    "a@[2001:db8::1]",
    "a@[IPv6:2001:db8::1%eth0]",
    "a@[IPv6:192.0.2.1]",
    "a@[]",
    '"a"b@c',
    '"a@c',
    'a"b"@c',
    "a,b@c",
    "(comment)a@b",
    f"{BOUNCES}@bb",
    f"a@{'d' * 64}",
    "a\\@b@c",
    "<a@b>",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_handed_over_as_it_was_sent(address: str):
    assert forward_path(f"<{address}>") == address
    assert parse_mail(f"FROM:<{address}>", ALL) == MailFrom(address)
    assert parse_mail(f"FROM: <{address}> SIZE=1", ALL) == MailFrom(address, 1)


@pytest.mark.parametrize("address", ADDRESSES)
def test_angle_brackets_may_be_missing(address: str):
    assert forward_path(address) == address
    assert forward_path(f" {address} NOTIFY=NEVER") == address


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_address_is_refused(address: str):
    assert refusal("RCPT", f"TO:<{address}>") in {"501 5.1.3", "501 5.5.4", "550 5.7.1"}
    assert refusal("MAIL", f"FROM:<{address}>") in {"501 5.1.7", "501 5.5.4", "550 5.7.1"}


@pytest.mark.parametrize("route", ["@a:user@c", "@a,@b:user@c", "@[192.0.2.1]:user@c", "@a:@b", '@a:"x y"@c'])
def test_source_routes_are_refused_whoever_asks(route: str):
    assert refusal("MAIL", f"FROM:<{route}>") == "550 5.7.1"
    assert refusal("RCPT", f"TO:<{route}>") == "550 5.7.1"


def test_the_null_path_is_a_sender_but_no_recipient():
    assert parse_mail("FROM:<>", ALL) == MailFrom("")
    assert parse_mail("from: <> BODY=7BIT", ALL) == MailFrom("")
    assert refusal("RCPT", "TO:<>") == "501 5.1.3"


def test_postmaster_is_a_recipient_but_no_sender():
    assert forward_path("<PostMaster>") == "PostMaster"
    assert refusal("MAIL", "FROM:<postmaster>") == "501 5.1.7"


@pytest.mark.parametrize(
    "argument",
    ["", "FROM", "FROM:", "FROM a@b", "TO:<a@b>", "FROM:<a@b", "FROM:a@b>", "FROM:<a@b>x", "FROM:<a@b> <c@d>"],
)
def test_what_is_no_mail_command(argument: str):
    assert refusal("MAIL", argument) in {"501 5.5.4", "555 5.5.4"}


NON_ASCII = ["jürgen@example.net", "a@bücher.example", '"ü "@example.net', "日本@例え.テスト"]


@pytest.mark.parametrize("address", NON_ASCII)
def test_non_ascii_needs_smtputf8(address: str):
    assert refusal("MAIL", f"FROM:<{address}>") == "553 5.6.7"
    assert refusal("RCPT", f"TO:<{address}>") == "553 5.6.7"
    assert parse_mail(f"FROM:<{address}> SMTPUTF8", ALL) == MailFrom(address, smtputf8=True)
    assert forward_path(f"<{address}>", smtputf8=True) == address


@pytest.mark.parametrize("address", ["\udcff@b", "a@\udcff", "\x85@b", f"{'ü' * 127}@b"])
def test_smtputf8_admits_no_stray_bytes_and_counts_octets(address: str):
    assert refusal("RCPT", f"TO:<{address}>", smtputf8=True) == "501 5.1.3"


def test_all_parameters_of_mail():
    event = parse_mail("FROM:<a@b> size=10 BODY=8bitmime SMTPUTF8 RET=full ENVID=a+2Bb AUTH=<>", ALL)
    assert event == MailFrom("a@b", 10, Body.EIGHT_BIT, smtputf8=True, ret=Ret.FULL, envid="a+2Bb")


def test_all_parameters_of_rcpt():
    recipient = parse_rcpt("TO:<a@b> NOTIFY=delay,FAILURE ORCPT=rfc822;a+40b", ALL, smtputf8=False).recipient
    assert recipient == Recipient("a@b", Notify.DELAY | Notify.FAILURE, "rfc822;a+40b")


def test_orcpt_may_be_utf8_under_smtputf8():
    event = parse_rcpt("TO:<a@b> ORCPT=utf-8;ü@b", ALL, smtputf8=True)
    assert event.recipient.orcpt == "utf-8;ü@b"
    assert refusal("RCPT", "TO:<a@b> ORCPT=utf-8;ü@b") == "501 5.5.4"


@pytest.mark.parametrize(
    "parameter",
    [
        "SIZE",
        "SIZE=",
        "SIZE=-1",
        "SIZE=1x",
        "SIZE=123456789012345678901",
        "SIZE=1 SIZE=1",
        "BODY",
        "BODY=9BIT",
        "BODY=BINARYMIME",
        "SMTPUTF8=yes",
        "RET",
        "RET=HALF",
        "ENVID",
        "ENVID=a=b",
        "ENVID=a+b",
        f"ENVID={'e' * 101}",
    ],
)
def test_bad_parameters_of_mail(parameter: str):
    assert refusal("MAIL", f"FROM:<a@b> {parameter}") == "501 5.5.4"


@pytest.mark.parametrize(
    "parameter",
    [
        "NOTIFY",
        "NOTIFY=",
        "NOTIFY=SOON",
        "NOTIFY=NEVER,DELAY",
        "NOTIFY=,",
        "ORCPT",
        "ORCPT=a",
        "ORCPT=;a",
        "ORCPT=rfc822;",
    ],
)
def test_bad_parameters_of_rcpt(parameter: str):
    assert refusal("RCPT", f"TO:<a@b> {parameter}") == "501 5.5.4"


@pytest.mark.parametrize("parameter", ["X=1", "MT-PRIORITY=3", "=", "SIZE:1", "NOTIFY=NEVER", "\udcff"])
def test_parameters_that_mail_does_not_know(parameter: str):
    assert refusal("MAIL", f"FROM:<a@b> {parameter}") == "555 5.5.4"


def test_a_parameter_that_was_not_offered_is_unknown():
    with pytest.raises(Refused, match=r"555 5\.5\.4 Parameter NOTIFY is not recognized"):
        parse_rcpt("TO:<a@b> NOTIFY=NEVER", Extensions(), smtputf8=False)


def test_a_long_hostile_path_is_refused_at_once():
    for hostile in ('"' + "\\" * 2000, "a" * 2000, '""' * 1000, "<" * 2000, "a." * 1000 + "@", "a@" + "b-" * 1000):
        assert refusal("RCPT", f"TO:<{hostile}>").startswith("501")


def test_a_hello_name_is_fit_for_a_trace_line():
    assert hello_name("[IPv6:2001:db8::1]") == "[IPv6:2001:db8::1]"
    assert hello_name("x (by evil)\t\udcff") == "x??by?evil???"
    assert len(hello_name("x" * 2000)) == 255
