"""Where mail goes that is delivered by MX, and what becomes of it when DNS leads nowhere (RFC 5321 5.1)."""

from __future__ import annotations

import pytest

from net.dns_server import SERVFAIL
from support.house import House, MakeHouse, wait_for
from support.internet import RELAY, Internet


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse, internet: Internet) -> House:
    relay = shared_house(RELAY, internet.settings(retry_after=["1s"]))
    relay.apply()
    return relay.start()


def remote_of(relay: House, recipient: str) -> str:
    """The host that took the mail."""
    (entry,) = relay.trace("--to", recipient, until=lambda found: found[0]["status"] == "delivered")
    return entry["remote"].partition(" ")[0]


class TestHosts:
    def test_the_lowest_preference_comes_first(self, relay: House, internet: Internet):
        hosts = {name: internet.host(f"{name}.order.test") for name in ("first", "second", "third")}
        internet.exchangers("order.test", "30 third.order.test.", "10 first.order.test.", "20 second.order.test.")

        relay.send("a@contoso.com", "b@order.test")

        wait_for(lambda: hosts["first"].messages)
        assert not hosts["second"].sessions
        assert not hosts["third"].sessions
        assert remote_of(relay, "b@order.test") == "first.order.test"

    def test_the_second_steps_in_for_the_first(self, relay: House, internet: Internet):
        internet.nobody("first.backup.test")
        second = internet.host("second.backup.test")
        internet.exchangers("backup.test", "10 first.backup.test.", "20 second.backup.test.")

        relay.send("a@contoso.com", "b@backup.test")

        wait_for(lambda: second.messages)
        assert remote_of(relay, "b@backup.test") == "second.backup.test"

    def test_a_host_that_sends_us_away_is_no_reason_to_fail(self, relay: House, internet: Internet):
        internet.host("first.away.test", CONNECT="554 5.3.2 no mail here")
        second = internet.host("second.away.test")
        internet.exchangers("away.test", "10 first.away.test.", "20 second.away.test.")

        relay.send("a@contoso.com", "b@away.test")

        wait_for(lambda: second.messages)

    def test_each_address_of_a_host_is_tried(self, relay: House, internet: Internet):
        down = internet.nobody("mx.several.test")
        up = internet.host("mx.several.test")
        internet.zone["mx.several.test", "A"] = [down, str(up.server_address[0])]
        internet.exchangers("several.test", "10 mx.several.test.")

        relay.send("a@contoso.com", "b@several.test")

        wait_for(lambda: up.messages)

    def test_without_mx_the_domain_itself_is_the_host(self, relay: House, internet: Internet):
        peer = internet.host("plain.test")

        relay.send("a@contoso.com", "b@plain.test")

        wait_for(lambda: peer.messages)
        assert remote_of(relay, "b@plain.test") == "plain.test"

    def test_with_mx_the_domain_itself_is_not(self, relay: House, internet: Internet):
        web_server = internet.host("web.test")
        internet.nobody("mx.web.test")
        internet.exchangers("web.test", "10 mx.web.test.")

        relay.send("a@contoso.com", "b@web.test")

        relay.trace("--to", "b@web.test", until=lambda found: found[0]["attempts"])
        assert not web_server.sessions

    def test_mail_for_an_address_literal_goes_to_that_address(self, relay: House, internet: Internet):
        peer = internet.host("unused.test")
        literal = f"b@[{peer.server_address[0]}]"

        relay.send("a@contoso.com", literal)

        wait_for(lambda: peer.messages)
        assert peer.messages[0].recipients == [f"RCPT TO:<{literal}>"]


class TestNowhere:
    @pytest.mark.parametrize(
        ("domain", "records", "reply"),
        [
            ("none.test", {("none.test", "MX"): ["0 ."]}, "556 5.1.10 none.test accepts no mail (null MX, RFC 7505)"),
            ("missing.test", {}, "550 5.1.2 The domain missing.test does not exist"),
            (
                "lost.test",
                {("lost.test", "MX"): ["10 gone.lost.test."]},
                "550 5.4.4 No mail exchanger of lost.test has an address",
            ),
            (
                "text.test",
                {("text.test", "TXT"): ['"no mail, no host"']},
                "550 5.4.4 No mail exchanger of text.test has an address",
            ),
        ],
    )
    def test_the_mail_fails_at_once_and_the_sender_is_told(
        self, relay: House, internet: Internet, domain: str, records: dict[tuple[str, str], list[str]], reply: str
    ):
        internet.zone.update(records)
        sender = f"{domain}@contoso.com"

        relay.send(sender, f"b@{domain}")

        (dsn,) = relay.await_mail(sender)
        assert f"Status: {reply.split()[1]}\r\n".encode() in dsn
        assert reply.encode() in b" ".join(dsn.split())
        (entry,) = relay.trace("--from", sender)
        assert (entry["status"], entry["attempts"], entry["reply"]) == ("failed", 1, reply)

    def test_the_mail_waits_while_dns_is_down(self, relay: House, internet: Internet):
        late = internet.host("mx.late.test")
        internet.exchangers("late.test", SERVFAIL)
        relay.send("a@contoso.com", "b@late.test")
        (entry,) = relay.trace("--to", "b@late.test", until=lambda found: found[0]["attempts"])
        assert entry["status"] == "waiting"
        assert entry["reply"].startswith("451 4.4.3 MX look-up of late.test failed")

        internet.exchangers("late.test", "10 mx.late.test.")

        wait_for(lambda: late.messages)
        assert remote_of(relay, "b@late.test") == "mx.late.test"
