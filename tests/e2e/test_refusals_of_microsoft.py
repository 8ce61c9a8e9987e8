"""Each refusal of Microsoft 365, said once: what becomes of the mail, and what its sender and the queue are told.

Those that follow from a tenant's connectors are in test_relay_connector; those of a sign-in in test_client_submission.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import trustme

from net.tls_peers import pem_of
from posthouse.analysis import explain
from standins import submission_replies as replies
from standins.submission import Limits, Submission
from support.house import House, MakeHouse, wait_for
from support.internet import SMTP, Internet
from support.reports import read_report

SCANNER, PASSWORD = "scanner@contoso.test", "pa55~word"
PLACES = {
    "roomy": Limits(),
    "crowded": Limits(connections=1),
    "small": Limits(recipients=2),
    "used-up": Limits(recipients_per_day=1),
    "hasty": Limits(messages_per_minute=1, minute=3, refuses_fast=True),
}
"""Client submission endpoints by the domain below .test whose mail goes there."""

FINAL = [
    ("MAIL", "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM"),
    ("MAIL", "550 5.7.30 Basic authentication is not supported for Client Submission."),
    ("RCPT", "550 5.7.606 Access denied, banned sending IP [127.0.0.1]."),
    ("RCPT", "550 5.7.649 Access denied, banned sending IP [127.0.0.1]."),
    ("RCPT", "550 5.7.506 Access Denied, Bad HELO"),
    ("RCPT", "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP."),
    ("CONTENT", "550 5.7.705 Service unavailable. Access denied, tenant has exceeded threshold."),
    ("CONTENT", "550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains."),
    ("CONTENT", "550 5.1.8 Access denied, bad outbound sender"),
    ("CONTENT", "550 5.7.512 Access denied, message must be RFC 5322 section 3.6.2 compliant"),
    ("CONTENT", "550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds"),
]
PASSING = [
    ("CONNECT", "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS 1.2."),
    ("MAIL", replies.STARTTLS_FIRST),
    ("RCPT", "451 4.4.4 Temporary server error. Please try again later ATTR5"),
    ("RCPT", "451 4.4.4 Temporary server error. Please try again later ATTR55"),
    ("RCPT", "451 4.4.62 Mail sent to the wrong Office 365 region. ATTR35."),
]
SLOWING = [
    ("RCPT", "451 4.7.500 Server busy. Please try again later from [127.0.0.1]."),
    ("RCPT", "451 4.7.699 Server busy. Please try again later from [127.0.0.1]."),
    ("CONTENT", "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded"),
]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def places(authority: trustme.CA) -> Iterator[dict[str, Submission]]:
    with ExitStack() as stack:
        made = {
            name: stack.enter_context(Submission(authority, host="submission.test", limits=limits))
            for name, limits in PLACES.items()
        }
        for place in made.values():
            place.mailbox(SCANNER, PASSWORD)
        yield made


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse, internet: Internet, authority: trustme.CA, places: dict[str, Submission]) -> House:
    ways = "".join(
        f'[[outbound_connector]]\nname = "{name}"\nrecipient_domains = ["{name}.test"]\nsmart_hosts = ["127.0.0.1"]\n'
        f'port = {place.port}\ntls_settings = "DomainValidation"\ntls_domain = "submission.test"\n'
        'credential = "Scanner"\n'
        for name, place in places.items()
    )
    made = shared_house(
        f"trusted_roots = ['''{pem_of(authority)}''']\n"
        '[[accepted_domain]]\nname = "contoso.test"\n'
        '[[inbound_connector]]\nname = "Devices"\nconnector_type = "OnPremises"\n'
        'sender_ip_addresses = ["127.0.0.0/8"]\n'
        f'[[credential]]\nname = "Scanner"\nkind = "password"\nuser = "{SCANNER}"\nsecret = "{PASSWORD}"\n{ways}'
        '[[outbound_connector]]\nname = "Mailboxes"\ntransport = "mailbox"\nall_accepted_domains = true\n'
        'mailboxes = ["*"]\n'
        '[[outbound_connector]]\nname = "Internet"\nrecipient_domains = ["*"]\nuse_mx_record = true\n'
        f"port = {SMTP}\n",
        internet.settings(retry_after=["1s"]),
    )
    made.apply()
    return made.start()


def named(place: tuple[str, str]) -> str:
    return place[1][:10].replace(" ", "-")


def domain_of(reply: str) -> str:
    """One for each refusal."""
    return f"{reply.split()[1].replace('.', '-')}-{len(reply)}.test"


def is_known(reply: str) -> bool:
    """By a page of Microsoft's, not just by its code."""
    return any("microsoft" in source for source in explain(reply)[0].sources)


def report_to(relay: House, sender: str) -> str:
    """The text of the only report that came back, on one line; its status is that of a failure."""
    (mail,) = relay.await_mail(sender)
    report = read_report(mail)
    assert [action.split()[0] for action in report.actions.values()] == ["failed"]
    return " ".join(report.text.split())


@pytest.mark.parametrize("refusal", FINAL, ids=named)
def test_a_final_refusal_fails_the_mail_and_its_sender_is_told_what_to_do(
    relay: House, internet: Internet, refusal: tuple[str, str]
) -> None:
    step, reply = refusal
    peer = internet.host(domain_of(reply), **{step: reply})
    sender = f"{domain_of(reply)}@contoso.test"
    relay.send(sender, f"bob@{domain_of(reply)}")
    text = report_to(relay, sender)
    (known, *_) = explain(reply)
    assert is_known(reply)
    assert reply.partition(" ")[2] in text
    assert f"What this means: {known.title}." in text
    assert f"What to do: {known.remedies[0]}" in text
    assert len(peer.sessions) == 1


@pytest.mark.parametrize("refusal", PASSING, ids=named)
def test_a_passing_refusal_is_tried_again_and_the_queue_says_what_it_means(
    relay: House, internet: Internet, refusal: tuple[str, str]
) -> None:
    step, reply = refusal
    domain = domain_of(reply)
    internet.host(domain, **{step: [reply, reply, ""]})
    message = relay.send(SCANNER, f"bob@{domain}")
    relay.trace("--to", f"bob@{domain}", until=lambda found: found and reply[:10] in (found[0]["reply"] or ""))
    assert is_known(reply)
    (entry,) = relay.trace("--id", message, until=lambda found: found[0]["status"] == "delivered")
    assert entry["attempts"] == 3


@pytest.mark.parametrize("refusal", SLOWING, ids=named)
def test_who_has_too_much_of_us_gets_less_and_then_the_mail(
    relay: House, internet: Internet, refusal: tuple[str, str]
) -> None:
    step, reply = refusal
    domain = domain_of(reply)
    internet.host(domain, **{step: [reply, ""]})
    message = relay.send(SCANNER, f"bob@{domain}")
    relay.trace("--id", message, until=lambda found: found[0]["status"] == "delivered")
    assert is_known(reply)
    assert [line["reply"] for line in relay.log_lines("slowing down") if line["next_hop"] == domain] == [reply]


# Client submission


def submit(relay: House, place: str, sender: str = SCANNER, from_: str = SCANNER, recipients: int = 1) -> str:
    to = [f"{number}@{place}.test" for number in range(recipients)]
    return relay.submit(sender, *to, content=f"From: {from_}\r\nSubject: A scan\r\n\r\nA page\r\n".encode())


def test_a_from_that_the_mailbox_may_not_send_as_is_told_to_the_sender(relay: House) -> None:
    submit(relay, "roomy", from_="boss@contoso.test")
    text = report_to(relay, SCANNER)
    assert f"5.2.252 SendAsDenied; {SCANNER} not allowed to send as boss@contoso.test" in text
    assert "What this means: The account may not send as this sender (SendAsDenied)." in text
    assert "`rewrite_from` does it for devices that can't" in text


def test_a_reverse_path_that_the_mailbox_may_not_send_as_is_told_to_the_sender(relay: House) -> None:
    submit(relay, "roomy", sender="copier@contoso.test")
    assert "5.7.60 SMTP; Client does not have permissions to send as this sender" in report_to(
        relay, "copier@contoso.test"
    )


def test_more_recipients_than_a_message_may_have_get_it_in_several(relay: House, places: dict[str, Submission]) -> None:
    message = submit(relay, "small", recipients=5)
    relay.trace("--id", message, until=lambda found: all(entry["status"] == "delivered" for entry in found))
    assert [len(mail.recipients) for mail in places["small"].submitted] == [2, 2, 1]


def test_more_connections_than_a_mailbox_may_have_cost_no_mail(relay: House, places: dict[str, Submission]) -> None:
    crowded = places["crowded"]
    for _ in range(6):
        submit(relay, "crowded")
    wait_for(lambda: len(crowded.submitted) == 6, what="all mail to be taken")
    assert set(crowded.refusals) == {"432 4.3.2"}


def test_more_messages_than_a_minute_may_have_slow_us_down(relay: House, places: dict[str, Submission]) -> None:
    hasty = places["hasty"]
    for _ in range(3):
        submit(relay, "hasty")
    wait_for(lambda: len(hasty.submitted) == 3, what="all mail to be taken")
    assert hasty.refusals["451 4.7.500"] > 0
    assert any(line["reply"] == replies.TOO_FAST for line in relay.log_lines("slowing down"))


def test_a_quota_that_is_used_up_keeps_the_mail(relay: House, places: dict[str, Submission]) -> None:
    first = submit(relay, "used-up")
    relay.trace("--id", first, until=lambda found: found[0]["status"] == "delivered")
    second = submit(relay, "used-up")
    (entry,) = relay.trace("--id", second, until=lambda found: "QuotaExceeded" in (found[0]["reply"] or ""))
    assert entry["status"] == "waiting"
    assert places["used-up"].refusals == {"554 5.2.0": 1}
