"""The OpenAPI description holds for whatever is asked: schemathesis makes requests of it, right and wrong ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from support.house import House
from support.office import ORGANIZATION, SETTINGS, Office

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
]
"""Not that what fits the description is taken: which names there are, it doesn't say. Nor that nobody gets in: the many
wrong tokens that this takes are soon answered by 429, and `test_rest_roles` has it.
"""
CONFIG = {
    "checks": {
        "negative_data_rejection": {
            "expected-statuses": ["400", "401", "403", "404", "405", "412", "413", "422", "428"]
        }
    }
}
OUTWARD = r"/(send|doctor)$"
"""These would connect to whatever host comes up."""


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = House(tmp_path_factory.mktemp("described"), ORGANIZATION, SETTINGS)
    made.apply()
    with Office(made) as opened:
        yield opened
    made.clean_up()


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_operation_does_as_it_is_described(described: Office, mode: GenerationMode) -> None:
    config = SchemathesisConfig.from_dict(CONFIG)
    described_by = schemathesis.openapi.from_url(f"{described.url}/api/v1/openapi.json", config=config)
    schema = described_by.exclude(path_regex=OUTWARD)
    headers = {"Authorization": described.client().headers["authorization"]}
    for operation in schema.get_all_operations():
        requests = operation.ok().as_strategy(generation_mode=mode)

        @given(requests)
        @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        check()
