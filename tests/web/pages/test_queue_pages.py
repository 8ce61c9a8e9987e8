"""Mail flow > Queue without a browser."""

from __future__ import annotations

import httpx

from posthouse.mail import Reply
from posthouse.web.pages.mailflow.states import awaited_limit
from support.office import PASSWORD, Office
from support.visit import Page, Visit


def waiting(office: Office, sender: str, *recipients: str) -> str:
    """A message whose next hop isn't there, once that was tried."""
    made = office.house.submit(sender, *(recipients or ("away@example.net",)))
    office.house.trace("--id", made, until=lambda found: all(each["attempts"] for each in found))
    return made


def statuses(office: Office, message: str) -> set[str]:
    return {each["status"] for each in office.house.trace("--id", message)}


def listed(page: Page) -> list[str]:
    """Ids of the messages that are in the list."""
    return [link.split("/")[2].partition("?")[0] for link in page.links if "?recipient=" in link]


def test_the_queue_tells_what_waits_for_what_and_why(office: Office, keeper: Visit) -> None:
    message = waiting(office, "told@contoso.com")
    page = keeper.get("/queue")
    assert "/queue?status=waiting&connector=Nowhere&destination=127.0.0.1" in page.links
    assert "The host is there, but nothing listens on this port" in page.text
    found = keeper.get("/queue?status=waiting&connector=Nowhere&destination=127.0.0.1&from=told@*")
    assert listed(found) == [message]
    assert "after 1 try" in found.text
    assert listed(keeper.get("/queue?connector=-&destination=-&from=told@*")) == []


def test_mail_that_waits_for_a_limit_says_whose() -> None:
    waits = Reply(450, "4.4.5", "waits: connector Slow allows 1 message a minute")
    assert awaited_limit(waits) == "connector Slow allows 1 message a minute"
    assert awaited_limit(Reply(451, "4.7.1", "Try again later")) == awaited_limit(None) == ""


def test_chosen_mail_is_held_released_and_dropped_once_that_is_confirmed(office: Office, keeper: Visit) -> None:
    message = waiting(office, "chosen@contoso.com")
    page = keeper.get("/queue?from=chosen@*")
    for act, notice, status in (
        ("hold", "1 recipient is held.", "held"),
        ("release", "1 recipient is released.", "waiting"),
        ("drop", "1 recipient is dropped.", "dropped"),
    ):
        asked = keeper.get(f"/queue?from=chosen@*&ids={message}&act={act}")
        assert "1 message" in asked.text
        page = keeper.press(asked, "/queue/act", ("", ""))
        assert (page.path, notice in page.text) == ("/queue?from=chosen%40%2A", True)
        if act == "release":
            office.house.trace("--id", message, until=lambda found: found[0]["attempts"] == 2)
        assert statuses(office, message) == {status}
    (record, *_) = office.audit(object=message)
    assert (record["act"], record["face"], record["who"]) == ("Remove-Message", "web", "keeper")


def test_all_that_matches_is_done_and_nothing_else(office: Office, keeper: Visit) -> None:
    ours = waiting(office, "all@contoso.com", "one@example.net", "two@example.net")
    others = waiting(office, "others@contoso.com")
    asked = keeper.get("/queue?from=all@*&all=1&act=drop")
    assert "Drop all that is listed?" in asked.text
    page = keeper.press(asked, "/queue/act", ("", ""))
    assert "2 recipients are dropped." in page.text
    assert (statuses(office, ours), statuses(office, others)) == ({"dropped"}, {"waiting"})


def test_a_message_page_acts_too_and_is_come_back_to(office: Office, keeper: Visit) -> None:
    message = waiting(office, "page@contoso.com")
    page = keeper.get(f"/trace/{message}?recipient=0")
    (form,) = [form for form in page.forms if ("act", "hold") in form.fields]
    page = keeper.post(form.action, None, **dict(form.fields))
    assert page.path == f"/trace/{message}?recipient=0"
    assert ("1 recipient is held." in page.text, "Held until somebody releases it" in page.text) == (True, True)


def test_who_chooses_nothing_is_told(keeper: Visit, office: Office) -> None:
    waiting(office, "nothing@contoso.com")
    for page in (keeper.get("/queue?act=drop"), keeper.post("/queue/act", csrf=keeper.get("/queue").fields["csrf"])):
        assert (page.status, "Choose messages first, or all of them." in page.text) == (422, True)


def test_what_has_gone_meanwhile_is_said(office: Office, keeper: Visit) -> None:
    message = office.house.send("gone@contoso.com", "here@contoso.com")
    office.house.trace("--id", message, until=lambda found: found[0]["status"] == "delivered")
    page = keeper.post("/queue/act", csrf=keeper.get("/queue").fields["csrf"], act="hold", ids=message)
    assert (page.status, "nothing to hold" in page.text) == (422, True)


def test_the_groups_come_anew_while_somebody_looks(office: Office) -> None:
    waiting(office, "streamed@contoso.com")
    with httpx.Client(base_url=office.url, timeout=30, trust_env=False) as client:
        client.post("/sign-in", data={"name": "keeper", "password": PASSWORD})
        with client.stream("GET", "/queue/events") as stream:
            assert 'data: <div id="groups">' in stream.iter_lines()


def test_whoever_may_look_has_no_way_to_act(office: Office, reader: Visit) -> None:
    message = waiting(office, "looked-at@contoso.com")
    page = reader.get("/queue?from=looked-at@*")
    assert listed(page) == [message]
    assert [name for form in page.forms for name, _ in (*form.fields, *form.buttons) if name in ("ids", "act")] == []
    assert reader.post("/queue/act", csrf=page.fields["csrf"], act="drop", ids=message).status == 403
    assert statuses(office, message) == {"waiting"}


def test_an_operator_acts_without_seeing_the_organization(office: Office, operator: Visit) -> None:
    message = waiting(office, "operated@contoso.com")
    asked = operator.get(f"/queue?ids={message}&act=hold")
    assert "1 recipient is held." in operator.press(asked, "/queue/act", ("", "")).text
    assert statuses(office, message) == {"held"}
