"""The OpenAPI description holds for whatever is asked: schemathesis makes requests of it, right and wrong ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from support.house import House
from support.office import ORGANIZATION, SETTINGS, Office

CHECKS = [
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
]
"""Not that nobody gets in: the many wrong tokens that this takes are soon answered by 429; `test_rest_roles` has it."""
REFUSED = ["400", "401", "403", "404", "405", "412", "413", "422", "428"]
CONFIG = {
    "checks": {
        "negative_data_rejection": {"expected-statuses": REFUSED},
        "positive_data_acceptance": {"expected-statuses": ["2xx", "304", *REFUSED, "409", "429"]},
    }
}
ALWAYS = {"checks": {**CONFIG["checks"], "positive_data_acceptance": {"expected-statuses": ["2xx"]}}}
TAKES_ANYTHING = (
    r"/(domains|connectors/inbound|credentials|queue|trace|audit|administrators|tokens|health|settings|headers)$"
)
"""Reading by these, all that fits the description is answered, but for what only an earlier answer tells."""
schemathesis.serializer.alias("application/toml", "text/plain")
TOLD_BEFORE = ("cursor", "sort")
NO_DNS = SETTINGS.replace("[delivery]", '[delivery]\nnameservers = ["127.0.0.1:1"]')


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = House(tmp_path_factory.mktemp("described"), ORGANIZATION, NO_DNS)
    made.apply()
    with Office(made) as opened:
        yield opened
    made.clean_up()


def operations(office: Office, config: dict[str, Any], wanted: str = "", method: str = "") -> list[APIOperation]:
    """Those of a path that ends so."""
    place = f"{office.url}/api/v1/openapi.json"
    schema = schemathesis.openapi.from_url(place, config=SchemathesisConfig.from_dict(config))
    found = [result.ok() for result in schema.get_all_operations()]
    return [each for each in found if re.search(wanted, each.path) and method in ("", each.method.lower())]


def staying_here(case: schemathesis.Case) -> schemathesis.Case:
    """Test mail and doctor would connect to whatever host comes up, and wait for it."""
    here: dict[str, Any] = {
        "/send": {"server": "127.0.0.1", "mx": "", "port": 1, "timeout": 1},
        "/doctor": {"connectors": ["Mailboxes"], "timeout": 1},
    }.get(case.operation.path.removeprefix("/api/v1"), {})
    if isinstance(case.body, dict):
        case.body.update({key: value for key, value in here.items() if _may_be_meant(key, case.body.get(key, value))})
    return case


def _may_be_meant(key: str, value: object) -> bool:
    """What is wrong stays so, to be refused."""
    if key in ("port", "timeout"):
        return isinstance(value, int | float) and 0 < value <= (60 if key == "timeout" else 65535)
    return isinstance(value, list if key == "connectors" else str)


def tried(requests: SearchStrategy[schemathesis.Case], office: Office, examples: int = 12) -> None:
    headers = {"Authorization": office.client().headers["authorization"]}

    @given(requests)
    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=(Phase.generate,),
    )
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    check()


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_operation_does_as_it_is_described(described: Office, mode: GenerationMode) -> None:
    for operation in operations(described, CONFIG):
        outward = operation.path.endswith(("/send", "/doctor"))
        requests = operation.as_strategy(generation_mode=mode).map(staying_here)
        tried(requests, described, examples=4 if outward else 12)


def test_what_fits_the_description_is_answered(described: Office) -> None:
    def without_what_was_told(case: schemathesis.Case) -> schemathesis.Case:
        for name in TOLD_BEFORE:
            case.query.pop(name, None)
        return case

    found = operations(described, ALWAYS, TAKES_ANYTHING, "get")
    assert len(found) > 5
    for operation in found:
        requests = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        tried(requests.map(without_what_was_told), described)
