"""What an administrator is told to see to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from posthouse.admin import Actor, Administration, ConcernKind, Face, Gravity, Role
from posthouse.probe.doctor import basic_authentication
from posthouse.relay.house import node_name
from posthouse.settings import Limits, Settings
from posthouse.spool import Organizations, Secrets, Store, open_store
from posthouse.spool.schema import worker
from support.spools import SpoolWorker, new_message

DOMAIN = '[[accepted_domain]]\nname = "contoso.com"\n'
DESK = '[[inbound_connector]]\nname = "Desk"\nsender_ip_addresses = ["192.0.2.1"]\n'
WAY = '[[outbound_connector]]\nname = "Way"\nrecipient_domains = ["*"]\nuse_mx_record = true\n'
SUBMISSION = """
[[outbound_connector]]
name = "Submission"
recipient_domains = ["*"]
smart_hosts = ["smtp.office365.com"]
tls_settings = "DomainValidation"
credential = "Relay user"
[[credential]]
name = "Relay user"
kind = "password"
user = "relay@contoso.com"
secret_env = "SECRET"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, workers=2, limits=Limits(min_free=0))


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    made = open_store(settings.store_url, settings.data_dir)
    yield made
    made.close()


def lives(store: Store, settings: Settings, number: int = 1, revision: int = 1_000_000) -> None:
    """Enter a worker of this node."""
    now = time.time()
    values = {"node": node_name(settings.data_dir), "pid": number, "started_at": now, "heartbeat_at": now}
    with store.transaction() as connection:
        connection.execute(worker.insert().values(**values, revision=revision))


def concerns(store: Store, settings: Settings, organization: str = DOMAIN + DESK + WAY) -> list[tuple[str, str, int]]:
    file = settings.data_dir / "organization.toml"
    file.write_text(organization, "utf-8")
    Administration(store, {"SECRET": "not to be told"}).apply(file)
    found = Administration(store).attention.condition(settings).concerns
    return [(concern.kind.value, concern.subject, concern.number) for concern in found]


@pytest.fixture
def two_live(store: Store, settings: Settings) -> None:
    for number in (1, 2):
        lives(store, settings, number)


@pytest.mark.usefixtures("two_live")
def test_where_all_is_well_nothing_is_to_be_done(store: Store, settings: Settings) -> None:
    assert concerns(store, settings) == []


def test_workers_that_are_not_there(store: Store, settings: Settings) -> None:
    assert concerns(store, settings) == [("no_worker", "", 0)]
    lives(store, settings)
    assert concerns(store, settings) == [("few_workers", "", 1)]


def test_a_worker_with_an_older_organization(store: Store, settings: Settings) -> None:
    concerns(store, settings)
    for number, revision in ((1, 0), (2, 1)):
        lives(store, settings, number, revision)
    found = Administration(store).attention.condition(settings)
    assert [(concern.kind, concern.number) for concern in found.concerns] == [(ConcernKind.BEHIND, 1)]


@pytest.mark.usefixtures("two_live")
def test_a_disk_that_gets_full(store: Store, settings: Settings) -> None:
    limit = '[limits]\nmin_free = "100000 GiB"\n'
    ((kind, _, number),) = concerns(store, settings, DOMAIN + DESK + WAY + limit)
    assert (kind, number > 0) == ("disk_full", True)


@pytest.mark.usefixtures("two_live")
def test_connectors_that_are_no_use(store: Store, settings: Settings) -> None:
    idle = '[[outbound_connector]]\nname = "Idle"\nuse_mx_record = true\n'
    off = '[[inbound_connector]]\nname = "Off"\nenabled = false\n'
    nobody = '[[inbound_connector]]\nname = "Nobody"\n'
    assert concerns(store, settings, DOMAIN + DESK + WAY + idle + off + nobody) == [
        ("matches_nobody", "Nobody", 0),
        ("carries_nothing", "Idle", 0),
    ]
    assert [kind for kind, _, _ in concerns(store, settings, "")] == ["no_domain", "no_outbound", "no_inbound"]


@pytest.mark.usefixtures("two_live")
def test_passwords_that_microsoft_takes_no_more(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(basic_authentication, "ENDS", date(2999, 12, 31))
    ((kind, name, days),) = concerns(store, settings, DOMAIN + DESK + SUBMISSION)
    assert (kind, name, days) == ("passwords_end", "Submission", (date(2999, 12, 31) - datetime.now(UTC).date()).days)


@pytest.mark.usefixtures("two_live")
def test_a_password_that_is_gone(store: Store, settings: Settings) -> None:
    concerns(store, settings, DOMAIN + DESK + SUBMISSION)
    document: dict[str, Any] = dict(Organizations(store).load().document or {})
    (credential,) = document["credential"]
    Organizations(store).save(document, drop={credential["secret"]})
    with pytest.raises(KeyError):
        Secrets(store).get(credential["secret"])
    found = Administration(store).attention.condition(settings).concerns
    assert (found[0].kind, found[0].gravity, found[0].subject) == (ConcernKind.UNUSABLE, Gravity.BAD, "Submission")


@pytest.mark.usefixtures("two_live")
def test_a_queue_that_waits_and_grows(store: Store, settings: Settings) -> None:
    assert concerns(store, settings) == []
    spool_worker = SpoolWorker(store)
    now = time.time()
    spool_worker.accept(new_message(received_at=now - 7200))
    spool_worker.accept(*(new_message(received_at=now - 300) for _ in range(60)))
    spool_worker.close()
    found = {each.kind: each.number for each in Administration(store).attention.condition(settings).concerns}
    assert found.keys() == {ConcernKind.QUEUE_GROWS, ConcernKind.QUEUE_WAITS}
    assert (found[ConcernKind.QUEUE_GROWS], found[ConcernKind.QUEUE_WAITS] >= 7200) == (60, True)


@pytest.mark.usefixtures("two_live")
def test_the_organization_is_not_told_to_who_may_not_see_it(store: Store, settings: Settings) -> None:
    assert concerns(store, settings, "") != []
    operator = Actor("op", (Role.MAIL_FLOW_OPERATOR,), Face.WEB, "127.0.0.1")
    assert Administration(store, actor=operator).attention.condition(settings).concerns == ()
