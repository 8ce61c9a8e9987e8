from __future__ import annotations

from collections.abc import Iterator

import pytest

from posthouse.admin import Role
from support.office import PASSWORD, Office, done
from support.visit import Visit

READER, OPERATOR = "reader", "operator"


@pytest.fixture
def keeper(office: Office) -> Iterator[Visit]:
    """The administrator who may do everything, signed in."""
    with Visit(office, "keeper") as visit:
        yield visit


@pytest.fixture
def reader(office: Office) -> Iterator[Visit]:
    """One who may look, signed in."""
    made = {"name": READER, "password": PASSWORD, "roles": [Role.VIEW_ONLY.value]}
    done(office.client().post("/administrators", json=made))
    with Visit(office, READER) as visit:
        yield visit
    done(office.client().delete(f"/administrators/{READER}", headers={"If-Match": "*"}))


@pytest.fixture
def operator(office: Office) -> Iterator[Visit]:
    """One who sees mail and sends test mails, but does not see the organization; signed in."""
    made = {"name": OPERATOR, "password": PASSWORD, "roles": [Role.MAIL_FLOW_OPERATOR.value]}
    done(office.client().post("/administrators", json=made))
    with Visit(office, OPERATOR) as visit:
        yield visit
    done(office.client().delete(f"/administrators/{OPERATOR}", headers={"If-Match": "*"}))
