"""Home: is the relay healthy, what is to be done, and how does the mail go."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from posthouse.spool import Tallies, Tally, open_store
from support.house import wait_for
from support.office import Office, done
from support.visit import Visit

TOOK = (0, 8, 2, *(0,) * 11)
HOUR = 3600


@pytest.fixture
def careless(office: Office) -> Iterator[None]:
    """A connector that nobody can match."""
    done(office.client().post("/connectors/inbound", json={"Name": "Careless"}))
    yield
    done(office.client().delete("/connectors/inbound/Careless", headers={"If-Match": "*"}))


def count(office: Office, at: float, counted: Tally) -> None:
    store = open_store(f"sqlite:///{office.house.data_dir / 'posthouse.db'}", office.house.data_dir)
    Tallies(store).add(at, counted)
    store.close()


def test_it_says_how_the_relay_is(office: Office, keeper: Visit) -> None:
    page = keeper.get("/")
    assert "Workers2 / 2" in page.text
    assert f"{office.house.address}:2525" in page.text


def test_what_is_to_be_done_stands_there_for_those_who_may_see_it(
    keeper: Visit, operator: Visit, careless: None
) -> None:
    page = keeper.get("/")
    assert "Connector Careless matches nobody" in page.text
    assert "/connectors?q=Careless" in page.links
    assert "Careless" not in operator.get("/").response.text


def test_numbers_over_time_are_drawn_and_stand_in_a_table(office: Office, keeper: Visit) -> None:
    count(office, time.time() - 4 * 24 * HOUR, Tally(accepted=7100, delivered=10, refused=3, took=TOOK))
    week, hour = keeper.get("/?period=week"), keeper.get("/")
    number = "7\N{NARROW NO-BREAK SPACE}100"
    assert (number in week.response.text, number in hour.response.text) == (True, False)
    assert "Half within: 81 ms" in week.response.text
    assert week.response.text.count('role="img"') == 3
    assert keeper.get("/?period=nonsense").status == 200


def test_why_mail_did_not_get_through_is_explained(office: Office, keeper: Visit) -> None:
    message = office.house.send("a@contoso.com", "somebody@elsewhere.example")
    office.house.trace("--id", message, until=lambda found: found[0]["attempts"] > 0)
    page = keeper.get("/")
    assert "Why mail did not get through" in page.text
    assert [link for link in page.links if link.startswith("/explain?q=451")]


def test_it_goes_on_by_itself_until_one_signs_out(office: Office, keeper: Visit) -> None:
    cookies = dict(keeper.cookies)
    with httpx.Client(base_url=office.url, cookies=cookies, timeout=30, trust_env=False) as client:
        with client.stream("GET", "/home/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            assert next(lines).startswith('data: <div id="now"')
            keeper.press(keeper.get("/"), "/sign-out", ("", ""))
            assert "event: end" in lines
        assert client.get("/home/events").status_code == 303


def test_few_may_listen_at_once(office: Office, keeper: Visit) -> None:
    cookies = dict(keeper.cookies)
    with httpx.Client(base_url=office.url, cookies=cookies, timeout=30, trust_env=False) as client:
        open_ones = [client.stream("GET", "/home/events") for _ in range(4)]
        for one in open_ones:
            assert one.__enter__().status_code == 200
        assert client.get("/home/events").status_code == 204
        for one in open_ones:
            one.__exit__(None, None, None)
        wait_for(lambda: listens(client), what="the places to be free again")


def listens(client: httpx.Client) -> bool:
    with client.stream("GET", "/home/events") as stream:
        return stream.status_code == 200
