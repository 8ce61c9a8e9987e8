"""Who is told what became of his mail, and in which words (RFC 3461, RFC 3464)."""

from __future__ import annotations

from typing import Any

import pytest

from support.house import House, MakeHouse
from support.internet import RELAY, Internet
from support.peers import EXTENSIONS, GOOD
from support.reports import Report, read_report

NO_DSN = tuple(extension for extension in EXTENSIONS if extension != "DSN")
CONTENT = b"From: me@contoso.com\r\nSubject: A scan\r\nMessage-ID: <1@device>\r\n\r\nSee page 1.\r\n"
STRANGER = "127.9.9.9"

ORGANIZATION = (
    RELAY.replace("127.0.0.0/8", "127.0.0.1")
    + """
[[accepted_domain]]
name = "dead.test"

[[outbound_connector]]
name = "Next hops of our own"
recipient_domains = ["dead.test"]
use_mx_record = true
port = 2500
"""
)
"""Mail for some of our own people goes on to other servers."""


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse, internet: Internet) -> House:
    times: dict[str, Any] = {"retry_after": ["1s", "1s", "1h"], "warn_after": "0.5s", "give_up_after": "10m"}
    internet.host("dead.test", RCPT="550 5.1.1 unknown")
    internet.host("no.test", RCPT="550 5.1.1 <b@no.test>: no such user")
    relay = shared_house(ORGANIZATION, internet.settings(**times))
    relay.apply()
    return relay.start()


def report_for(relay: House, address: str) -> Report:
    """The one report in a mailbox."""
    (mail,) = relay.await_mail(address)
    return read_report(mail)


def events(entry: dict[str, Any]) -> list[str]:
    return [event["event"] for event in entry["events"]]


class TestSuccess:
    def test_delivered_by_ourselves(self, relay: House):
        rcpt = ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Us+2Ber@contoso.com"]
        relay.submit("self@contoso.com", "user@contoso.com", content=CONTENT, mail=["ENVID=scan+2B1"], rcpt=rcpt)

        report = report_for(relay, "self@contoso.com")

        assert report.actions == {"user@contoso.com": "delivered 2.1.5"}
        assert report.recipients[0]["Original-Recipient"] == "rfc822; Us+er@contoso.com"
        assert report.about["Original-Envelope-Id"] == "scan+1"
        assert report.about["Reporting-MTA"] == "dns; relay.test"
        assert report.header["Subject"] == "Delivered: A scan"
        assert report.header["To"] == "self@contoso.com"
        assert report.header["In-Reply-To"] == "<1@device>"

    def test_relayed_where_the_next_hop_sends_no_dsn(self, relay: House, internet: Internet):
        internet.host("plain.test", extensions=NO_DSN)
        relay.submit("relayed@contoso.com", "b@plain.test", content=CONTENT, rcpt=["NOTIFY=SUCCESS"])

        report = report_for(relay, "relayed@contoso.com")

        assert report.actions == {"b@plain.test": "relayed 2.0.0"}
        assert report.recipients[0]["Remote-MTA"] == "dns; plain.test"
        assert report.header["Subject"] == "Relayed: A scan"

    def test_passed_on_where_it_does(self, relay: House, internet: Internet):
        peer = internet.host("dsn.test")
        relay.submit(
            "passed@contoso.com",
            "b@dsn.test",
            content=CONTENT,
            mail=["RET=HDRS", "ENVID=scan+2B1"],
            rcpt=["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;b+2B@dsn.test"],
        )

        (entry,) = relay.trace("--from", "passed@contoso.com", until=lambda found: found[0]["status"] == "delivered")

        (message,) = peer.messages
        assert message.mail.endswith(" RET=HDRS ENVID=scan+2B1")
        assert message.recipients == ["RCPT TO:<b@dsn.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2B@dsn.test"]
        assert entry["events"] == []

    def test_nobody_is_told_who_did_not_ask(self, relay: House):
        relay.submit("quiet@contoso.com", "user@contoso.com", content=CONTENT)

        (entry,) = relay.trace("--from", "quiet@contoso.com", until=lambda found: found[0]["status"] == "delivered")

        assert entry["events"] == []

    def test_each_next_hop_has_its_say(self, relay: House, internet: Internet):
        """Three ways out of one message: two answered by us, in a report each."""
        internet.host("half-plain.test", extensions=NO_DSN)
        internet.host("half-dsn.test")
        relay.submit(
            "mixed@contoso.com",
            "user@contoso.com",
            "b@half-plain.test",
            "c@half-dsn.test",
            content=CONTENT,
            rcpt=["NOTIFY=SUCCESS"],
        )

        reports = [read_report(mail) for mail in relay.await_mail("mixed@contoso.com", 2)]

        told = {recipient: action for report in reports for recipient, action in report.actions.items()}
        assert told == {"user@contoso.com": "delivered 2.1.5", "b@half-plain.test": "relayed 2.0.0"}


class TestFailure:
    def test_what_the_next_hop_said_is_told(self, relay: House):
        relay.submit("failed@contoso.com", "b@no.test", content=CONTENT)

        report = report_for(relay, "failed@contoso.com")

        assert report.actions == {"b@no.test": "failed 5.1.1"}
        assert report.recipients[0]["Diagnostic-Code"] == "smtp; 550 5.1.1 <b@no.test>: no such user"
        assert report.recipients[0]["Remote-MTA"] == "dns; no.test"
        assert "Original-Recipient" not in report.recipients[0]
        assert "said: 550 5.1.1 <b@no.test>: no such user" in " ".join(report.text.split())

    @pytest.mark.parametrize(
        ("ret", "is_whole"), [(["RET=FULL"], True), (["RET=HDRS"], False), ([], True)], ids=["full", "hdrs", "absent"]
    )
    def test_as_much_of_the_mail_comes_back_as_was_asked_for(self, relay: House, ret: list[str], is_whole: bool):
        sender = f"ret-{''.join(ret)[4:].lower() or 'absent'}@contoso.com"
        relay.submit(sender, "b@no.test", content=CONTENT, mail=ret)

        report = report_for(relay, sender)

        header, _, body = CONTENT.partition(b"\r\n\r\n")
        assert report.is_whole == is_whole
        assert report.returned.startswith(b"Received: ")
        assert header in report.returned
        assert (body in report.returned) == is_whole

    def test_a_large_mail_comes_back_as_its_header_unless_it_is_asked_for(self, relay: House):
        large = CONTENT + (b"x" * 70 + b"\r\n") * 5000
        relay.submit("large@contoso.com", "b@no.test", content=large)
        relay.submit("large-full@contoso.com", "b@no.test", content=large, mail=["RET=FULL"])

        assert not report_for(relay, "large@contoso.com").is_whole
        assert report_for(relay, "large-full@contoso.com").returned.endswith(large)

    def test_eight_bit_mail_comes_back_as_it_was(self, relay: House):
        content = "Subject: Grüße\r\n\r\nGrüße\r\n".encode()
        relay.submit("eight@contoso.com", "b@no.test", content=content, mail=["BODY=8BITMIME"])

        report = report_for(relay, "eight@contoso.com")

        assert report.returned.endswith(content)

    @pytest.mark.parametrize("notify", ["NEVER", "SUCCESS", "DELAY"])
    def test_nobody_is_told_who_did_not_want_it(self, relay: House, notify: str):
        sender = f"{notify.lower()}@contoso.com"
        relay.submit(sender, "b@no.test", content=CONTENT, rcpt=[f"NOTIFY={notify}"])

        (entry,) = relay.trace("--from", sender, until=lambda found: found[0]["status"] == "failed")

        assert entry["events"] == []

    def test_one_report_tells_of_all_that_failed_together(self, relay: House):
        relay.submit("several@contoso.com", "b@no.test", "c@no.test", content=CONTENT)

        report = report_for(relay, "several@contoso.com")

        assert report.actions == {"b@no.test": "failed 5.1.1", "c@no.test": "failed 5.1.1"}

    def test_what_a_next_hop_says_cannot_add_a_field(self, relay: House, internet: Internet):
        internet.host(
            "bad.test", RCPT="550-5.1.1 no\r\n550-Action: delivered\r\n550-\x07\xff\r\n550 5.1.1 " + "x" * 2000
        )
        relay.submit("injected@contoso.com", "b@bad.test", content=CONTENT)

        assert report_for(relay, "injected@contoso.com").actions == {"b@bad.test": "failed 5.1.1"}


class TestDelay:
    def test_a_late_mail_is_told_of_once(self, relay: House, internet: Internet):
        internet.host("slow.test", MAIL=["451 4.3.0 not now", "451 4.3.0 not now", GOOD], extensions=NO_DSN)
        rcpt = ["NOTIFY=DELAY,SUCCESS"]
        relay.submit("late@contoso.com", "b@slow.test", content=CONTENT, rcpt=rcpt)

        delayed, relayed = (read_report(mail) for mail in relay.await_mail("late@contoso.com", 2))

        assert delayed.actions == {"b@slow.test": "delayed 4.3.0"}
        assert delayed.header["Subject"] == "Delayed: A scan"
        assert not delayed.is_whole
        assert relayed.actions == {"b@slow.test": "relayed 2.0.0"}
        (entry,) = relay.trace("--from", "late@contoso.com")
        assert sorted(events(entry)) == ["deferred", "deferred", "dsn sent", "dsn sent"]

    def test_nobody_is_told_who_did_not_ask(self, relay: House, internet: Internet):
        internet.host("slower.test", MAIL=["451 4.3.0 not now", "451 4.3.0 not now", GOOD])
        relay.submit("patient@contoso.com", "b@slower.test", content=CONTENT)

        (entry,) = relay.trace("--from", "patient@contoso.com", until=lambda found: found[0]["status"] == "delivered")

        assert events(entry) == ["deferred", "deferred"]


class TestNoReport:
    """RFC 5321 4.5.5, 6.1: what would only go to the wrong one, or in circles."""

    def test_the_null_reverse_path_is_never_told(self, relay: House):
        relay.submit("", "null@dead.test", content=CONTENT, rcpt=["NOTIFY=SUCCESS,FAILURE,DELAY"])

        (entry,) = relay.trace("--to", "null@dead.test", until=lambda found: found[0]["status"] == "failed")

        assert entry["sender"] == "<>"
        assert entry["events"] == []

    def test_a_report_that_fails_is_traced_and_not_told_of(self, relay: House):
        message_id = relay.submit("gone@dead.test", "b@no.test", content=CONTENT)

        (entry,) = relay.trace(
            "--from", "<>", "--to", "gone@dead.test", until=lambda found: found and found[0]["status"] == "failed"
        )

        assert (entry["origin"], entry["reply"]) == ("dsn", "550 5.1.1 unknown")
        assert entry["reasons"] == [f"DSN for {message_id}"]
        assert entry["events"] == []

    def test_a_stranger_s_sender_gets_no_backscatter(self, relay: House, internet: Internet):
        victim = internet.host("victim.test")
        relay.submit("user@victim.test", "b@dead.test", content=CONTENT, source=STRANGER)

        (entry,) = relay.trace("--from", "user@victim.test", until=lambda found: found[0]["status"] == "failed")

        assert events(entry) == ["dsn suppressed"]
        assert entry["connector"] is None
        assert not victim.sessions

    def test_one_of_our_own_is_told_without_a_connector_too(self, relay: House):
        relay.submit("insider@contoso.com", "b@dead.test", content=CONTENT, source=STRANGER)

        assert report_for(relay, "insider@contoso.com").actions == {"b@dead.test": "failed 5.1.1"}

    def test_a_stranger_cannot_order_reports(self, relay: House):
        with relay.smtp(STRANGER) as client:
            client.ehlo()
            assert not client.has_extn("dsn")
            client.mail("user@victim.test")
            assert client.rcpt("user@contoso.com", ["NOTIFY=SUCCESS"])[0] == 555
