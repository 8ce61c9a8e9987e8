"""The stand-in of Azure's token endpoints on a machine, asked as Microsoft's pages say: by plain HTTP requests.

https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

import pytest

from standins.entra import Entra
from standins.imds import SYSTEM_ASSIGNED, VM_PATH, Imds

RESOURCE = "https://outlook.office365.com"
VM = {"api-version": "2018-02-01", "resource": RESOURCE}
METADATA = {"Metadata": "true"}


def test_the_machine_s_own_identity(entra: Entra) -> None:
    with Imds(entra) as imds:
        status, token = ask(f"{imds.environment['AZURE_POD_IDENTITY_AUTHORITY_HOST']}{VM_PATH}", VM, METADATA)
    assert status == 200
    assert (token["access_token"], token["client_id"]) == (entra.issued[0], SYSTEM_ASSIGNED)
    assert (token["resource"], token["token_type"], token["expires_in"]) == (RESOURCE, "Bearer", "3599")
    assert int(token["expires_on"]) > time.time() + 3000


@pytest.mark.parametrize(
    ("changed", "headers", "error", "text"),
    [
        ({}, {}, "invalid_request", "Required metadata header not specified"),
        ({"api-version": ""}, METADATA, "bad_request_102", "Required query variable 'api-version' is missing"),
        ({"resource": "https://nowhere.example"}, METADATA, "invalid_resource", "AADSTS500011: "),
        ({"client_id": "unknown"}, METADATA, "invalid_request", "Identity not found"),
    ],
)
def test_what_a_vm_refuses(
    entra: Entra, changed: dict[str, str], headers: dict[str, str], error: str, text: str
) -> None:
    query = {key: value for key, value in (VM | changed).items() if value}
    with Imds(entra) as imds:
        status, refusal = ask(f"{imds.environment['AZURE_POD_IDENTITY_AUTHORITY_HOST']}{VM_PATH}", query, headers)
    assert (status, refusal["error"]) == (400, error)
    assert refusal["error_description"].startswith(text)


def test_app_service_gives_a_token_for_its_header(entra: Entra) -> None:
    query = {"api-version": "2019-08-01", "resource": RESOURCE, "client_id": "assigned by the user"}
    with Imds(entra, is_app_service=True) as imds:
        imds.identities.append("assigned by the user")
        endpoint = imds.environment["IDENTITY_ENDPOINT"]
        assert ask(endpoint, query, METADATA)[0] == 403
        status, token = ask(endpoint, query, {"X-IDENTITY-HEADER": imds.environment["IDENTITY_HEADER"]})
        refused = ask(
            endpoint,
            query | {"client_id": "unknown"},
            {"X-IDENTITY-HEADER": imds.environment["IDENTITY_HEADER"]},
        )
    assert (status, token["access_token"], token["client_id"]) == (200, entra.issued[0], "assigned by the user")
    assert "expires_in" not in token
    assert refused == (400, {"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found"})


def ask(url: str, query: dict[str, str], headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(f"{url}?{urlencode(query)}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"{}")
