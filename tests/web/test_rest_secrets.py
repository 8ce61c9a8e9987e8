"""A marked secret in every field of the API that takes one: no answer, no log line and no record has it."""

from __future__ import annotations

import base64
import json
from typing import Any

from posthouse.net.certificates import Authority
from support.house import House
from support.office import Office, done

MARK = "MARKED-secret-of-the-test"
LISTS = (
    *("/domains", "/connectors/inbound", "/connectors/outbound", "/organization", "/organization.toml", "/settings"),
    *("/administrators", "/tokens", "/audit", "/health", "/queue", "/trace", "/openapi.json"),
)


def requests_with_secrets() -> list[tuple[str, str, dict[str, Any]]]:
    """Right ones, and each again with something wrong beside the secret."""
    pfx = base64.b64encode(Authority.create("CA").issue(["a.contoso.com"]).to_pfx(MARK)).decode()
    outbound = {"SmartHosts": ["mail.contoso.com"], "ClientCertificate": {"Pfx": pfx, "Password": MARK}}
    login = {"SenderCredentials": [{"User": "device", "Password": MARK}]}
    mail = {"from": "a@contoso.com", "to": ["b@contoso.com"], "server": "127.0.0.1", "port": 1, "timeout": 1}
    right = [
        ("post", "/connectors/inbound", {"Name": "Secret", **login}),
        ("post", "/connectors/outbound", {"Name": "Secret", **outbound}),
        ("patch", "/connectors/inbound/Secret", {"SenderCredentials": [{"User": "other", "Password": MARK}]}),
        ("post", "/administrators", {"name": "alice", "password": MARK}),
        ("patch", "/administrators/alice", {"password": MARK}),
        ("post", "/session", {"name": "alice", "password": MARK}),
        ("post", "/session", {"name": "nobody", "password": MARK}),
        ("post", "/setup", {"secret": MARK, "name": "bob", "password": MARK}),
        ("post", "/send", {**mail, "user": "u", "password": MARK}),
        ("post", "/send", {**mail, "pfx": pfx, "pfx_password": MARK}),
    ]
    return [*right, *((method, path, {**body, "unknown": 1}) for method, path, body in right)]


def test_a_secret_that_goes_in_does_not_come_out(house: House) -> None:
    with Office(house) as office:
        api = office.client()
        answers = [
            api.request(method, path, json=body, headers={"If-Match": "*"}).text
            for method, path, body in requests_with_secrets()
        ]
        assert done(api.get("/connectors/inbound/Secret"))["SenderCredentials"] == [{"User": "other"}]
        answers += [api.get(path, params={"limit": 1000} if path == "/audit" else {}).text for path in LISTS]
        answers.append(house.log.read_text("utf-8"))
        leaks = [text[:200] for text in answers for form in forms(MARK) if form in text]
        assert leaks == []
        house.stop()
        stored = b"".join(file.read_bytes() for file in house.data_dir.glob("posthouse.db*"))
        assert [form for form in forms(MARK) if form.encode() in stored] == []


def forms(secret: str) -> list[str]:
    """As it is, and as it may be written somewhere."""
    raw = secret.encode()
    return [secret, json.dumps(secret)[1:-1], base64.b64encode(raw).decode(), raw.hex()]
