"""The fake that ships."""

import asyncio

from posthouse.mail import Reply, Status
from posthouse.transports import FakeTransport


def test_it_answers_in_turn_and_keeps_what_it_got(mail, to):
    fake = FakeTransport(Reply(451, "4.3.0", "Later"), Reply(250, "2.0.0", "OK"))
    deliveries = [mail(to("b@example.net", "c@example.net")) for _ in range(3)]
    statuses = [{outcome.status for outcome in asyncio.run(fake.deliver(each))} for each in deliveries]
    assert statuses == [{Status.DEFERRED}, {Status.DELIVERED}, {Status.DELIVERED}]
    assert fake.deliveries == deliveries


def test_one_recipient_may_have_an_answer_of_its_own(mail, to):
    fake = FakeTransport()
    fake.replies_to["c@example.net"] = Reply(550, "5.1.1", "Unknown")
    outcomes = asyncio.run(fake.deliver(mail(to("b@example.net", "c@example.net"))))
    assert [outcome.status for outcome in outcomes] == [Status.DELIVERED, Status.FAILED]
    assert fake.destination("b@Example.net") == "example.net"
    asyncio.run(fake.close())
    assert fake.closed
