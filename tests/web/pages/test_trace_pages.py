"""Mail flow > Message trace without a browser: the search, one message, and the export."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from posthouse.mail import message_id
from posthouse.spool import TraceFilter, TracePage
from posthouse.web.pages.forms import Form
from posthouse.web.pages.mailflow import trace
from posthouse.web.pages.mailflow.wanted import Wanted
from posthouse.web.pages.texts import texts
from support.office import Office
from support.visit import Visit


@pytest.fixture(scope="module")
def message(office: Office) -> str:
    """The id of a message to one who gets it, and one whose next hop isn't there."""
    content = b"Subject: =HYPERLINK(<b>)\r\n\r\nx\r\n"
    made = office.house.submit("traced@contoso.com", "here@contoso.com", "away@example.net", content=content)
    office.house.trace("--id", made, until=lambda found: all(each["reply"] for each in found))
    return made


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("from=traced@contoso.com", 2),
        ("from=TRACED@*&to=here@*", 1),
        ("from=traced@*&status=waiting", 1),
        ("from=traced@*&subject=hyperlink", 2),
        ("from=traced@*&connector=Mailboxes", 1),
        ("from=traced@*&client=127.*", 2),
        ("from=traced@*&client=192.0.2.1", 0),
        ("from=traced@*&when=between&until=2001-01-01T00:00", 0),
        ("from=traced@*&when=between&until=0001-01-01T00:00%2B14:00", 0),
        ("from=traced@*&when=all", 2),
    ],
)
@pytest.mark.usefixtures("message")
def test_mail_is_found_by_each_condition(keeper: Visit, query: str, count: int) -> None:
    page = keeper.get(f"/trace?{query}")
    assert (page.status, len([link for link in page.links if "?recipient=" in link])) == (200, count)


def test_a_message_is_found_by_its_id(keeper: Visit, message: str) -> None:
    page = keeper.get(f"/trace?id={message}")
    assert [link for link in page.links if "?recipient=" in link] == [
        f"/trace/{message}?recipient=1",
        f"/trace/{message}?recipient=0",
    ]


@pytest.mark.usefixtures("message")
def test_what_was_typed_is_kept_and_led_on(keeper: Visit) -> None:
    page = keeper.press(keeper.get("/trace"), "/trace", ("", ""), to="nobody@nowhere.example", when="hour")
    assert (page.fields["to"], "Nothing found" in page.text) == ("nobody@nowhere.example", True)
    assert "/trace?when=all&to=nobody%40nowhere.example" in page.links


@pytest.mark.parametrize(
    ("query", "field", "text"),
    [
        ("since=2026-11-25T10:00&until=2026-11-24T10:00", "until", "The end is before the beginning."),
        ("since=yesterday", "since", "This is no time"),
    ],
)
def test_an_impossible_time_is_told_at_its_field(keeper: Visit, query: str, field: str, text: str) -> None:
    page = keeper.get(f"/trace?{query}")
    assert (page.status, set(page.errors)) == (422, {field})
    assert text in page.errors[field]
    assert keeper.get(f"/trace.csv?{query}").status == 422


def test_pages_go_on_from_a_cursor(keeper: Visit, message: str) -> None:
    page = keeper.get(f"/trace?from=traced@*&cursor={message}.1")
    assert [link for link in page.links if "?recipient=" in link] == [f"/trace/{message}?recipient=0"]
    assert "Newest" in page.text
    assert keeper.get("/trace?cursor=nonsense").status == 422


def test_a_message_tells_its_story_to_each_recipient(keeper: Visit, message: str) -> None:
    page = keeper.get(f"/trace/{message}?recipient=1")
    for text in (
        "away@example.net",
        "Put off until the next try",
        "Next try",
        "What to do",
        "Desk: 127.0.0.1 is in its SenderIPAddresses",
    ):
        assert text in page.text
    assert "Connection refused" in page.text
    assert "Nowhere: of all RecipientDomains its own name example.net most closely" in page.text
    delivered = keeper.get(f"/trace/{message}?recipient=0")
    assert "Delivered to the mailbox" in delivered.text
    assert keeper.get("/trace/nothing").status == 404


def test_subjects_are_shown_as_text(keeper: Visit, message: str) -> None:
    page = keeper.get(f"/trace/{message}")
    assert ("=HYPERLINK(<b>)" in page.text, "(<b>)" in page.response.text) == (True, False)


def test_content_is_read_by_those_who_may_and_on_record(
    office: Office, keeper: Visit, operator: Visit, message: str
) -> None:
    path = f"/trace/{message}/content"
    assert path in keeper.get(f"/trace/{message}").links
    page = keeper.get(path)
    assert "Subject: =HYPERLINK(<b>)" in page.text
    assert office.audit(object=message)[0]["act"] == "Export-Message"
    file = keeper.get(f"/trace/{message}/message.eml").response
    assert (file.headers["content-type"], file.content.endswith(b"\r\n\r\nx\r\n")) == ("message/rfc822", True)
    assert path not in operator.get(f"/trace/{message}").links
    for refused in (path, f"/trace/{message}/message.eml"):
        assert operator.get(refused).status == 403
    (record, *_) = office.audit(object=message)
    assert (record["who"], record["outcome"]) == ("operator", "refused")


def test_an_export_has_what_the_search_found(keeper: Visit, message: str) -> None:
    response = keeper.get("/trace.csv?from=traced@*").response
    assert response.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert [(row["id"], row["recipient"], row["status"]) for row in rows] == [
        (message, "away@example.net", "waiting"),
        (message, "here@contoso.com", "delivered"),
    ]
    assert rows[0]["subject"] == "'=HYPERLINK(<b>)", "no spreadsheet takes it for a formula"


def test_a_search_that_gave_up_says_how_far_it_came() -> None:
    """However fast this machine is."""
    cursor = f"{message_id(1_800_000_000_000, 0)}.0"
    assert trace._looked_back_to(TracePage((), cursor)) == 1_800_000_000.0
    assert trace._looked_back_to(TracePage((), None)) is None


def test_an_export_says_where_it_stopped() -> None:
    lines = "".join(trace._chunks([("a", "b"), ["x" * 70_000, "="], ["stopped"]]))
    assert lines.splitlines()[2:] == ["stopped"]
    assert trace._cell("+1") == "'+1"


@pytest.mark.usefixtures("message")
def test_all_who_see_mail_may_search(reader: Visit, operator: Visit) -> None:
    for visit in (reader, operator):
        assert "traced@contoso.com" in visit.get("/trace?from=traced@*").text


def wanted(**typed: str) -> Wanted:
    return Wanted.of(Form(list(typed.items())))


def test_an_address_says_what_is_wanted_and_no_more() -> None:
    assert wanted().address() == "/trace"
    assert wanted(**{"from": "a@b.example", "when": "week"}).address() == "/trace?when=week&from=a%40b.example"
    assert wanted(since="2026-11-25T10:00").address(cursor="x.1").endswith("&cursor=x.1")
    assert wanted(since="2026-11-25T10:00").address(when="day") == "/trace"


def test_times_are_of_utc_unless_they_say_otherwise() -> None:
    ten = datetime(2026, 11, 25, 10, tzinfo=UTC)
    assert wanted(since="2026-11-25T10:00").filter(0) == TraceFilter(since=ten.timestamp())
    later = wanted(until="2026-11-25T10:00+01:00").filter(0)
    assert later.until == (ten - timedelta(hours=1)).timestamp()
    assert wanted(when="hour").filter(7200) == TraceFilter(since=3600)
    assert wanted(when="nonsense", status="nonsense").filter(86_400) == TraceFilter(since=0)
    assert not wanted(when="day", since="nonsense").errors(texts()["en"])
