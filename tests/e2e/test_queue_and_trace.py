"""The queue and the trace as an administrator has them: commands in processes of their own, beside a running relay."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.house import House, MakeHouse, wait_for
from support.internet import RELAY, Internet
from support.peers import SILENCE

Entry = dict[str, Any]

STRANGER = "127.8.0.3"
ENTRY_KEYS = {
    "id",
    "received",
    "origin",
    "sender",
    "recipient",
    "subject",
    "message_id",
    "size",
    "client",
    "helo",
    "protocol",
    "tls",
    "certificate",
    "login",
    "connector",
    "reasons",
    "status",
    "attempts",
    "due",
    "reply",
    "remote",
    "at",
    "outbound_connector",
    "destination",
    "events",
}
"""What scripts rely on."""


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse, internet: Internet) -> House:
    """What it can't deliver at once waits for an hour."""
    relay = shared_house(
        RELAY.replace("127.0.0.0/8", "127.0.0.1"), internet.settings(retry_after=["1h"]).replace("= 1", "= 2", 1)
    )
    relay.apply()
    return relay.start()


def waiting(relay: House, *recipients: str) -> list[Entry]:
    """The queue's entries for these recipients, once each has been tried."""
    found: list[Entry] = []

    def are_tried() -> bool:
        found[:] = [entry for entry in relay.read("queue", "list") if entry["recipient"] in recipients]
        return len(found) == len(recipients) and all(entry["attempts"] for entry in found)

    wait_for(are_tried)
    return found


def events(entry: Entry) -> list[str]:
    return [event["event"] for event in entry["events"]]


def moment(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


class TestWaiting:
    def test_the_queue_tells_why_a_mail_waits_and_until_when(self, relay: House, internet: Internet):
        address = internet.nobody("why.test")
        message_id = relay.send("a@contoso.com", "b@why.test", subject="Where is it?")

        (entry,) = waiting(relay, "b@why.test")

        assert entry["id"] == message_id
        assert entry["status"] == "waiting"
        assert entry["reply"] == f"451 4.4.1 why.test [{address}]:2500: Connection refused"
        assert entry["destination"] == "why.test"
        assert entry["outbound_connector"] == "Internet"
        next_try = moment(entry["due"]) - datetime.now(UTC)
        assert timedelta(minutes=50) < next_try < timedelta(minutes=70)
        assert [(event["event"], event["detail"]) for event in entry["events"]] == [("deferred", entry["reply"])]
        assert relay.json("trace", "--id", message_id) == [entry]
        (shown,) = relay.json("queue", "show", message_id)
        assert shown.pop("explanation")["reply"] == entry["reply"]
        assert shown == entry

    def test_tables_tell_it_to_people(self, relay: House, internet: Internet):
        internet.nobody("table.test")
        message_id = relay.send("a@contoso.com", "b@table.test", subject="Where is it?")
        waiting(relay, "b@table.test")

        lines = relay.run("queue", "list").stdout.splitlines()
        shown = relay.run("queue", "show", message_id).stdout

        assert lines[1].split() == ["Message", "Received", "From", "To", "Status", "Attempts", "Due", "Last", "reply"]
        (row,) = (line for line in lines if message_id in line)
        assert "b@table.test" in row
        assert "Connection refused" in row
        assert "Where is it?" in shown
        assert "Scanners:" in shown

    def test_only_the_recipients_that_wait_are_in_the_queue(self, relay: House, internet: Internet):
        internet.nobody("partly.test")
        message_id = relay.submit("a@contoso.com", "partly@contoso.com", "b@partly.test")

        waiting(relay, "b@partly.test")

        entries = relay.trace(
            "--id", message_id, until=lambda found: "delivered" in {entry["status"] for entry in found}
        )
        assert {entry["recipient"]: entry["status"] for entry in entries} == {
            "partly@contoso.com": "delivered",
            "b@partly.test": "waiting",
        }
        assert [entry["recipient"] for entry in relay.read("queue", "list", "--to", "*partly*")] == ["b@partly.test"]
        assert len(relay.read("queue", "show", message_id)) == 2


class TestActs:
    def test_retry_delivers_what_waits_now(self, relay: House, internet: Internet):
        address = internet.nobody("retry.test")
        message_id = relay.send("a@contoso.com", "b@retry.test")
        waiting(relay, "b@retry.test")
        peer = internet.listen(address)

        assert relay.json("queue", "retry", message_id) == {"changed": 1, "in_delivery": 0}

        wait_for(lambda: peer.messages)
        (entry,) = relay.trace("--id", message_id, until=lambda found: found[0]["status"] == "delivered")
        assert (entry["attempts"], entry["due"]) == (2, None)
        assert events(entry) == ["deferred", "retried"]

    def test_held_mail_stays_and_goes_when_released(self, relay: House, internet: Internet):
        address = internet.nobody("hold.test")
        held = relay.send("a@contoso.com", "held@hold.test")
        free = relay.send("a@contoso.com", "free@hold.test")
        waiting(relay, "held@hold.test", "free@hold.test")

        assert relay.json("queue", "hold", held)["changed"] == 1
        peer = internet.listen(address)
        assert relay.json("queue", "retry", "--to", "*@hold.test")["changed"] == 1

        wait_for(lambda: peer.messages)
        relay.trace("--id", free, until=lambda found: found[0]["status"] == "delivered")
        assert [entry["id"] for entry in relay.read("queue", "list", "--status", "held")] == [held]
        assert relay.run("queue", "retry", held, check=False).returncode == 1

        assert relay.json("queue", "release", held)["changed"] == 1

        (entry,) = relay.trace("--id", held, until=lambda found: found[0]["status"] == "delivered")
        assert [message.recipients for message in peer.messages] == [
            ["RCPT TO:<free@hold.test>"],
            ["RCPT TO:<held@hold.test>"],
        ]
        assert events(entry) == ["deferred", "held", "released"]

    def test_dropped_mail_is_gone_and_traced_and_nobody_is_told(self, relay: House, internet: Internet):
        address = internet.nobody("drop.test")
        message_id = relay.submit("dropper@contoso.com", "b@drop.test", rcpt=["NOTIFY=FAILURE,DELAY,SUCCESS"])
        waiting(relay, "b@drop.test")

        assert relay.json("queue", "drop", "--from", "dropper@contoso.com") == {"changed": 1, "in_delivery": 0}

        peer = internet.listen(address)
        (entry,) = relay.read("trace", "--id", message_id)
        assert (entry["status"], entry["due"]) == ("dropped", None)
        assert events(entry) == ["deferred", "dropped"]
        gone = relay.run("queue", "show", message_id, check=False)
        assert gone.returncode == 1
        assert gone.stderr == (
            f'posthouse: there is no message "{message_id}" in the queue; posthouse trace --id may find it\n'
        )
        assert not peer.sessions
        assert not relay.mailbox("dropper@contoso.com")

    def test_what_is_on_its_way_is_left_alone(self, relay: House, internet: Internet):
        silent = internet.host("silent.test", CONNECT=SILENCE)
        message_id = relay.send("a@contoso.com", "b@silent.test")
        wait_for(silent.contacted.is_set)

        assert relay.json("queue", "drop", message_id) == {"changed": 0, "in_delivery": 1}

        (entry,) = relay.read("queue", "show", message_id)
        assert entry["status"] == "waiting"

    def test_an_act_on_everything_wants_to_be_told_so(self, relay: House):
        refused = relay.run("queue", "drop", check=False)
        assert refused.returncode == 2
        assert "--all" in refused.stderr

    def test_an_act_needs_no_running_relay(self, house: MakeHouse, internet: Internet):
        """Mail that waits while the relay is stopped can be held, and is kept when it starts again."""
        address = internet.nobody("stopped.test")
        relay = house(RELAY, internet.settings(retry_after=["1h"]))
        relay.apply()
        relay.start()
        first = relay.send("a@contoso.com", "first@stopped.test")
        second = relay.send("a@contoso.com", "second@stopped.test")
        waiting(relay, "first@stopped.test", "second@stopped.test")
        assert relay.stop() == 0

        assert relay.json("queue", "hold", first)["changed"] == 1
        assert relay.json("queue", "retry", second)["changed"] == 1
        peer = internet.listen(address)
        relay.start()

        wait_for(lambda: peer.messages)
        assert peer.messages[0].recipients == ["RCPT TO:<second@stopped.test>"]
        assert [entry["id"] for entry in relay.read("queue", "list", "--status", "held")] == [first]


class TestTrace:
    def test_a_message_has_an_entry_from_its_acceptance_on(self, relay: House, internet: Internet):
        silent = internet.host("unanswered.test", CONNECT=SILENCE)
        before = datetime.now(UTC) - timedelta(seconds=1)
        message_id = relay.send("scanner@contoso.com", "b@unanswered.test", subject="Grüße")
        wait_for(silent.contacted.is_set)

        (entry,) = relay.json("trace", "--id", message_id)

        assert entry.keys() == ENTRY_KEYS
        assert before < moment(entry["received"]) < datetime.now(UTC)
        assert entry["size"] > 100
        expected = {
            "origin": "smtp",
            "sender": "scanner@contoso.com",
            "recipient": "b@unanswered.test",
            "subject": "Grüße",
            "message_id": "",
            "client": "127.0.0.1",
            "helo": "device.test",
            "protocol": "ESMTP",
            "tls": "",
            "certificate": "",
            "login": "",
            "connector": "Scanners",
            "status": "waiting",
            "attempts": 0,
            "reply": None,
            "remote": "",
            "at": None,
            "events": [],
        }
        assert {key: entry[key] for key in expected} == expected

    def test_it_tells_the_reasons_of_the_decision(self, relay: House):
        relay.submit("a@contoso.com", "known@contoso.com")
        relay.submit("a@example.net", "unknown@contoso.com", source=STRANGER)

        ((known,), (unknown,)) = (relay.trace("--to", f"{name}@contoso.com") for name in ("known", "unknown"))

        assert known["connector"] == "Scanners"
        assert "Scanners: 127.0.0.1 is in" in known["reasons"][0]
        assert unknown["connector"] is None
        assert any(reason.startswith("Scanners:") and STRANGER in reason for reason in unknown["reasons"])

    def test_each_filter_finds_its_own(self, relay: House, internet: Internet):
        internet.nobody("filter.test")
        content = b"Subject: =?utf-8?q?=C3=9Cbersicht_f=C3=BCr_Mai?=\r\nMessage-ID: <42@device>\r\n\r\nx\r\n"
        at = time.time()
        wanted = relay.submit("filter@contoso.com", "b@filter.test", content=content)
        relay.submit("other@contoso.com", "filter-other@contoso.com")
        waiting(relay, "b@filter.test")
        relay.trace("--to", "filter-other@contoso.com", until=lambda found: found[0]["status"] == "delivered")
        soon, ago = (datetime.fromtimestamp(at + shift, UTC).isoformat() for shift in (3600, -3600))

        def found(*filters: str) -> bool:
            return wanted in [entry["id"] for entry in relay.read("trace", *filters)]

        matching = [
            ["--from", "FILTER@contoso.com"],
            ["--from", "filter*"],
            ["--to", "*@filter.test"],
            ["--status", "waiting", "--subject", "übersicht FÜR"],
            ["--id", wanted],
            ["--id", "<42@device>"],
            ["--connector", "scanners", "--to", "b@filter.test"],
            ["--connector", "Internet", "--to", "b@filter.test"],
            ["--since", "1h", "--until", soon],
        ]
        missing = [
            ["--from", "other*"],
            ["--to", "filter.test"],
            ["--status", "delivered", "--from", "filter*"],
            ["--subject", "Juni"],
            ["--id", "<43@device>"],
            ["--connector", "Mailboxes"],
            ["--since", soon],
            ["--until", ago],
        ]
        assert [filters for filters in matching if not found(*filters)] == []
        assert [filters for filters in missing if found(*filters)] == []

    def test_the_newest_come_first_and_no_more_than_wanted(self, relay: House):
        sent = [relay.submit("many@contoso.com", f"many-{n}@contoso.com") for n in range(5)]

        entries = relay.read("trace", "--from", "many@contoso.com", "--limit", "3")

        assert [entry["id"] for entry in entries] == sent[:1:-1]
