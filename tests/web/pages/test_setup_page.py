"""The first start: from the link that `serve` prints to a relay that takes and passes on mail, in one form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.house import House, wait_for
from support.office import PASSWORD, PORT, Office
from support.visit import Visit

SETTINGS = f'\n[admin]\naddress = "ADDRESS:{PORT}"\n'
ANSWERS = {
    "administrator": "Maria",
    "password": PASSWORD,
    "domain": "contoso.com",
    "sender_ip_addresses": "127.0.0.0/8",
    "route": "smart_host",
    "smart_host": "127.0.0.1",
}


@pytest.fixture
def new_office(tmp_path: Path) -> Iterator[Office]:
    """A relay that nobody has configured."""
    house = House(tmp_path / "house", "", SETTINGS)
    office = Office(house)
    house.start()
    office.await_answer()
    yield office
    house.clean_up()


def link(office: Office) -> str:
    """That which is printed once the admin address listens."""
    found = wait_for(lambda: re.search(r"http://\S+?(/setup\?secret=\S+)", office.house.log.read_text("utf-8")))
    return found[1]


def test_one_form_makes_a_relay_that_takes_mail(new_office: Office) -> None:
    with Visit(new_office) as visit:
        page = visit.press(visit.get(link(new_office)), "/setup", **ANSWERS)
        assert (page.path, "Your relay is set up." in page.text) == ("/", True)
        assert "Devices" in visit.get("/connectors").text
        message = new_office.house.send("scanner@contoso.com", "customer@example.net")
        assert new_office.house.trace("--id", message)[0]["connector"] == "Devices"
        page = visit.press(visit.get(link(new_office)), "/setup", **{**ANSWERS, "domain": "example.org"})
        assert (page.status, "the link is used up" in page.text) == (422, True)
    assert [each["Name"] for each in new_office.house.json("domain", "list")] == ["contoso.com"]


def test_what_is_wrong_is_said_at_its_field_before_the_link_is_used_up(new_office: Office) -> None:
    wrong = {"domain": "contoso", "sender_ip_addresses": "10.0.0.300", "smart_host": "a b"}
    with Visit(new_office) as visit:
        page = visit.press(visit.get(link(new_office)), "/setup", **{**ANSWERS, **wrong})
        assert (page.status, set(page.errors)) == (422, set(wrong))
        assert {name: page.fields[name] for name in wrong} == wrong
        assert page.fields["password"] == ""
        page = visit.press(page, "/setup", **ANSWERS)
        assert page.path == "/"


def test_an_empty_form_says_what_is_missing(new_office: Office) -> None:
    with Visit(new_office) as visit:
        page = visit.press(visit.get("/setup?secret=none"), "/setup")
    assert set(page.errors) == {"administrator", "password", "domain", "smart_host"}
