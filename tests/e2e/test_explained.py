"""What a refusal means is told where it is met: in the sender's report, and in the queue."""

from __future__ import annotations

import pytest

from posthouse.analysis import explain
from support.house import House, MakeHouse
from support.internet import RELAY, Internet
from support.reports import read_report

REFUSED = "550 5.7.64 TenantAttribution; Relay Access Denied [ValidationStatus of '' is EmptyCertificate]"
CONTENT = b"From: me@contoso.com\r\nSubject: A scan\r\n\r\nSee page 1.\r\n"


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse, internet: Internet) -> House:
    internet.host("refusing.test", RCPT=REFUSED)
    internet.host("full.test", RCPT="452 4.2.2 Over quota")
    relay = shared_house(RELAY, internet.settings(retry_after=["1h"]))
    relay.apply()
    return relay.start()


def plain(text: str) -> str:
    """Without the line breaks."""
    return " ".join(text.split())


def test_the_report_of_a_failure_says_what_it_means_and_what_to_do(relay: House):
    (known,) = explain(REFUSED)
    relay.submit("failed@contoso.com", "b@refusing.test", "c@refusing.test", content=CONTENT)

    (mail,) = relay.await_mail("failed@contoso.com")

    text = plain(read_report(mail).text)
    assert text.count(f"What this means: {known.title}.") == 1
    assert f"Why: {known.causes[0]}" in text
    assert f"What to do: {known.remedies[0]}" in text
    assert explain(mail)[0].title == known.title


def test_the_report_of_a_delivery_needs_no_explanation(relay: House):
    rcpt = ["NOTIFY=SUCCESS"]
    relay.submit("delivered@contoso.com", "user@contoso.com", content=CONTENT, rcpt=rcpt)

    (mail,) = relay.await_mail("delivered@contoso.com")

    assert "What this means" not in read_report(mail).text


def test_the_queue_says_what_the_last_answer_means(relay: House):
    (known,) = explain("452 4.2.2 Over quota")
    message_id = relay.submit("waiting@contoso.com", "b@full.test", "user@contoso.com", content=CONTENT)
    relay.trace("--to", "b@full.test", until=lambda found: found[0]["attempts"] == 1)
    relay.trace("--to", "user@contoso.com", "--id", message_id, until=lambda found: found[0]["status"] == "delivered")

    entries = {entry["recipient"]: entry for entry in relay.json("queue", "show", message_id)}

    assert entries["b@full.test"]["explanation"] == known.to_json()
    assert entries["user@contoso.com"]["explanation"] is None
    shown = relay.run("queue", "show", message_id).stdout
    assert shown.count(known.title) == 1
    assert known.remedies[0] in shown
