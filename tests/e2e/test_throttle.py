"""The real program and next hops with limits: a minute is 6 s here, so that there are several of them in a test."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.house import House, MakeHouse, listens, wait_for
from support.peers import GOOD, Answer, Peer, Received

MINUTE = 6.0
FAST = f"""
from posthouse.relay import brake, limits, throttle
limits.MINUTE = {MINUTE}
throttle.PATIENCE = 2.0
brake.STEP = brake.BREATHER = 0.1
"""
A_MINUTE, CONNECTIONS, FLOOD = 90, 3, 220
ON_THE_WAY = 1.0
"""Seconds that a busy machine may take from a permit's use to the sink's clock."""

ORGANIZATION = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Devices"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.0/8"]

[[inbound_connector]]
name = "Counted"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.40"]
rate_limit = 5
"""
SENDER = "scanner@contoso.com"
TOO_MANY = "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending"

_numbers = itertools.count()


class Sink(Peer):
    """Knows when each message came, and how many sessions there were at once."""

    def __init__(self, **answers: Answer | list[Answer]) -> None:
        super().__init__(**answers)
        self.arrivals: list[float] = []
        self.most_at_once = 0
        self._present: set[int] = set()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        session = threading.get_ident()
        self._present.add(session)
        self.most_at_once = max(self.most_at_once, len(self._present))
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._present.discard(session)

    def answer(self, verb: str, message: Received) -> Answer:
        if verb == "MAIL":
            self.arrivals.append(time.monotonic())
        if verb == "QUIT":
            self._present.discard(threading.get_ident())
        return super().answer(verb, message)

    @property
    def subjects(self) -> list[str]:
        lines = (line for message in list(self.messages) for line in message.content.decode().split("\r\n"))
        return [line for line in lines if line.startswith("Subject: ")]

    def most_in(self, seconds: float) -> int:
        """The most messages that came in any span of time of that length."""
        times, first, most = sorted(self.arrivals), 0, 0
        for last, arrival in enumerate(times):
            while arrival - times[first] >= seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


def outbound(name: str, domain: str, sink: Peer, throttle: str = "") -> str:
    return f"""
[[outbound_connector]]
name = "{name}"
recipient_domains = ["{domain}"]
smart_hosts = ["127.0.0.1"]
port = {sink.port}
throttle = {{ {throttle} }}
"""


def flood(house: House, count: int, recipient: str = "user@example.net", source: str = "127.0.0.9") -> set[str]:
    """As many mails as fast as they are taken. Returns their subjects."""
    subjects = [f"Subject: {next(_numbers)}" for _ in range(count)]
    with house.smtp(source) as client:
        for subject in subjects:
            client.sendmail(SENDER, recipient, f"{subject}\r\n\r\nA page\r\n")
    return set(subjects)


def rows_that_say(house: House, text: str) -> list[Any]:
    return [row for row in house.read("queue", "list") if text in str(row["reply"])]


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def limited(shared_house: MakeHouse, sink: Sink) -> House:
    throttle = f"messages_per_minute = {A_MINUTE}, connections = {CONNECTIONS}"
    house = shared_house(ORGANIZATION + outbound("Sink", "example.net", sink, throttle))
    house.patch(FAST)
    house.apply()
    return house.start()


def test_a_flood_waits_passes_no_limit_and_lets_others_overtake(limited: House, sink: Sink) -> None:
    sink.most_at_once = 0
    subjects = flood(limited, FLOOD)
    limited.send(SENDER, "vip@example.net", subject="Quick", source="127.0.0.10")
    wait_for(lambda: any("vip@" in str(message.recipients) for message in sink.messages), what="the newcomer's mail")
    assert len(subjects & set(sink.subjects)) < FLOOD / 2
    waiting = wait_for(lambda: rows_that_say(limited, "waits: connector Sink allows "), what="why it waits")
    wait_for(lambda: subjects <= set(sink.subjects), 60, "the whole flood")
    assert sum(subject in subjects for subject in sink.subjects) == FLOOD
    assert sink.most_at_once <= CONNECTIONS
    assert sink.most_in(MINUTE - ON_THE_WAY) <= A_MINUTE
    [entry] = [one for one in limited.read("trace", "--limit", "1000") if one["id"] == waiting[-1]["id"]]
    told = [event["detail"] for event in entry["events"] if event["event"] == "waits"]
    assert sorted(set(told)) == sorted(told)
    assert (entry["status"], entry["attempts"]) == ("delivered", 1)


def test_a_worker_that_dies_loses_nothing_and_its_permits_stay_used(limited: House, sink: Sink) -> None:
    subjects = flood(limited, A_MINUTE * 2)
    limited.kill_worker(next(worker for worker in limited.workers if listens(worker)))
    wait_for(lambda: subjects <= set(sink.subjects), 60, "all mail")
    assert sink.most_in(MINUTE - ON_THE_WAY) <= A_MINUTE


def test_a_connector_takes_no_more_than_its_rate_over_all_workers(limited: House) -> None:
    def handed_in() -> int:
        with limited.smtp("127.0.0.40") as client:
            client.ehlo()
            code, text = client.mail(SENDER)
        assert code == 250 or (code, text.startswith(b"4.7.1 Message submission rate for this client")) == (450, True)
        return code

    codes = [handed_in() for _ in range(12)]
    assert codes == [250] * 5 + [450] * 7
    flood(limited, 1, source="127.0.0.41")
    wait_for(lambda: handed_in() == 250, what="the next minute")


def test_a_next_hop_that_has_too_much_of_us_gets_less_and_nobody_else_waits_for_it(house: MakeHouse) -> None:
    with Sink(MAIL=[TOO_MANY] * 4 + [GOOD]) as busy, Sink() as other:
        relay = house(
            ORGANIZATION + outbound("Busy", "busy.test", busy) + outbound("Other", "other.test", other),
            '\n[delivery]\nretry_after = ["1s"]\n',
        )
        relay.patch(FAST)
        relay.apply()
        relay.start()
        subjects = flood(relay, 20, "user@busy.test")
        others = flood(relay, 5, "user@other.test")
        wait_for(lambda: others <= set(other.subjects), what="the mail for somebody else")
        wait_for(lambda: subjects <= set(busy.subjects), what="the mail for the busy one")
        assert relay.log_lines("slowing down")[0]["reply"] == TOO_MANY
        relay.await_idle()


def test_a_days_quota_that_is_used_up_leaves_the_mail_waiting(house: MakeHouse) -> None:
    quota = "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message"
    with Sink(CONTENT=quota) as used_up:
        relay = house(ORGANIZATION + outbound("Mailbox", "example.net", used_up))
        relay.apply()
        relay.start()
        flood(relay, 3)
        rows = wait_for(lambda: rows_that_say(relay, "SubmissionQuotaExceeded"), what="what the queue says")
        assert {row["status"] for row in rows} == {"waiting"}


def test_mail_beyond_a_days_recipients_goes_back_to_the_store_and_says_why(house: MakeHouse) -> None:
    with Sink() as sink:
        relay = house(ORGANIZATION + outbound("Sink", "example.net", sink, "recipients_per_day = 3"))
        relay.apply()
        relay.start()
        subjects = flood(relay, 3)
        wait_for(lambda: subjects == set(sink.subjects), what="the day's mail")
        message = relay.send(SENDER, "user@example.net")

        def shown() -> Any:
            [entry] = relay.read("queue", "show", message)
            return entry if entry["events"] else None

        entry = wait_for(shown, what="why it waits")
        assert entry["reply"] == "450 4.4.5 waits: connector Sink allows 3 recipients a day"
        assert [event["event"] for event in entry["events"]] == ["waits"]
        assert (entry["status"], entry["attempts"]) == ("waiting", 0)


def test_what_waits_in_the_store_goes_as_soon_as_a_limit_is_raised_or_gone(house: MakeHouse) -> None:
    with Sink() as sink:
        relay = house(ORGANIZATION + outbound("Sink", "example.net", sink, "messages_per_minute = 1"))
        relay.apply()
        relay.start()
        subjects = flood(relay, 60)
        wait_for(lambda: len(rows_that_say(relay, "waits: connector Sink")) >= 39, what="mail in the store")
        relay.apply(ORGANIZATION + outbound("Sink", "example.net", sink))
        wait_for(lambda: subjects <= set(sink.subjects), what="all mail")
        assert len(sink.subjects) == 60
