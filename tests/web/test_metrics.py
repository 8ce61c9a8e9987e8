"""What Prometheus is told: what the workers counted, what waits, and what expires."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from posthouse.admin import Role
from support.house import House, wait_for
from support.office import Office, problem


@pytest.fixture
def counting(house: House) -> Iterator[Office]:
    with Office(house) as office:
        yield office


def told(office: Office) -> dict[str, float]:
    """Each sample over all workers, as `name{label="value"}` with the labels but the worker's."""
    text = office.client(Role.MAIL_FLOW_OPERATOR).get(f"{office.url}/metrics").text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()) if key != "worker")
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            found[name] = found.get(name, 0) + sample.value
    return found


def settled(office: Office) -> dict[str, float] | None:
    now = told(office)
    outcomes = sum(now[f"posthouse_recipients_total{{outcome={outcome}}}"] for outcome in ("delivered", "deferred"))
    return now if (outcomes, now["posthouse_sessions_total"], now["posthouse_sessions_open"]) == (2, 3, 0) else None


def test_what_happens_is_counted(counting: Office) -> None:
    house = counting.house
    house.send("a@contoso.com", "b@contoso.com")
    message_id = house.send("a@contoso.com", "b@elsewhere.example")
    house.trace("--id", message_id, until=lambda found: found[0]["attempts"] > 0)
    house.await_mail("b@contoso.com")
    with pytest.raises(smtplib.SMTPException):
        house.send("a@fabrikam.com", "b@elsewhere.example")
    now = wait_for(lambda: settled(counting), what="the workers to have told")
    assert now["posthouse_messages_accepted_total"] == 2
    assert now["posthouse_recipients_total{outcome=delivered}"] == 1
    assert now["posthouse_refused_total{status=5.7.64}"] == 1
    assert now["posthouse_recipients_total{outcome=deferred}"] == 1
    assert now["posthouse_queue_recipients{state=waiting}"] == 1
    assert now["posthouse_queue_oldest_seconds"] > 0
    assert now["posthouse_workers_alive"] == 2
    commits = now["posthouse_commit_seconds_count"]
    assert now["posthouse_commit_works_count"] == now["posthouse_commit_works_bucket{le=+Inf}"] == commits > 0
    assert now["posthouse_commit_works_sum"] >= commits
    assert now[f"posthouse_certificate_not_after_seconds{{shown_by={house.address}:{house.port}}}"] > 0


def test_an_open_session_is_counted_until_it_ends(counting: Office) -> None:
    with smtplib.SMTP(counting.house.address, counting.house.port):
        wait_for(lambda: told(counting)["posthouse_sessions_open"] == 1, what="the session")
    wait_for(lambda: told(counting)["posthouse_sessions_open"] == 0, what="the end of the session")


def test_a_worker_that_dies_leaves_nothing_open(counting: Office) -> None:
    house = counting.house
    with smtplib.SMTP(house.address, house.port):
        wait_for(lambda: told(counting)["posthouse_sessions_open"] == 1, what="the session")
        for worker in (before := house.workers):
            worker.kill()
        wait_for(lambda: len(house.workers) == 2 and not set(house.workers) & set(before), what="other workers")
        wait_for(lambda: told(counting)["posthouse_sessions_open"] == 0, what="the open session to be forgotten")


def test_it_is_for_those_who_see_the_queue(office: Office) -> None:
    problem(office.anyone.get(f"{office.url}/metrics"), 401)
    assert "text/plain" in office.client(Role.VIEW_ONLY).get(f"{office.url}/metrics").headers["content-type"]
