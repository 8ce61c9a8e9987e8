"""The whole organization in one request: applied, looked at before, never over what somebody else has changed since."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from posthouse.net.certificates import Authority
from posthouse.spool import Organizations, open_store
from support.house import House
from support.office import Office, done, problem, seen

PLACE = "/organization.toml"
PFX_PASSWORD = "Pfx-Passw0rd"
MAIN_CF = """
relayhost = [smtp.example.net]:587
mynetworks = 192.0.2.0/24
mydestination =
relay_domains = hash:/etc/postfix/relay
"""


@pytest.fixture
def api(office: Office) -> Iterator[httpx.Client]:
    """The organization is afterwards what it was."""
    client = office.client()
    before = client.get(PLACE).text
    yield client
    done(client.put(PLACE, content=before, headers={"If-Match": "*"}))


def test_a_file_is_applied_and_what_is_not_in_it_goes(office: Office, api: httpx.Client) -> None:
    exported = api.get(PLACE)
    text = exported.text.replace('name = "Desk"', 'name = "Counter"')
    changed = done(api.put(PLACE, content=text, headers=seen(exported)))
    assert {(change["act"], change["item"]) for change in changed["changes"]} == {
        ("remove", 'inbound_connector "Desk"'),
        ("add", 'inbound_connector "Counter"'),
    }
    assert office.house.run("export").stdout == api.get(PLACE).text == text
    problem(api.put(PLACE, content=exported.text, headers=seen(exported)), 412)
    problem(api.put(PLACE, content=exported.text), 428)


def test_it_can_be_looked_at_first(api: httpx.Client) -> None:
    text = api.get(PLACE).text
    planned = api.put(PLACE, params={"dry_run": True}, content="reject_direct_send = true")
    assert {"act": "change", "item": "", "key": "reject_direct_send", "before": None, "after": True} in done(planned)[
        "changes"
    ]
    assert api.get(PLACE).text == text
    done(api.put(PLACE, content=f"reject_direct_send = true\n{text}", headers=seen(planned)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = ", "not TOML"),
        ("a = " + "[" * 50_000, "too deep"),
        ("unknown = 1", "unknown"),
        ('trusted_roots = ["/etc/hostname"]', "names no file"),
        (
            '[[outbound_connector]]\nname = "x"\nclient_certificate = {certificate = "/etc/x", key = "y"}',
            "names no file",
        ),
        ('[[outbound_connector]]\nname = "x"\nclient_certificate = {pfx = "/etc/hostname"}', "not Base64"),
        ('[[inbound_connector]]\nname = "x"\nsender_credentials = [{user = "u", password_env = "PATH"}]', "PATH"),
        ("\udcff", "not TOML"),
    ],
)
def test_a_file_that_is_none_or_names_others_is_refused(api: httpx.Client, text: str, words: str) -> None:
    content = text.encode("utf-8", "surrogateescape")
    assert words in problem(api.put(PLACE, content=content, headers={"If-Match": "*"}), 422)["detail"]


def test_a_certificate_is_in_it(api: httpx.Client) -> None:
    identity = Authority.create("CA").issue(["relay.contoso.com"])
    pfx = base64.b64encode(identity.to_pfx(PFX_PASSWORD)).decode()
    connector = f'''
    [[outbound_connector]]
    name = "Signed"
    smart_hosts = ["mail.example.net"]
    recipient_domains = ["example.net"]
    client_certificate = {{ pfx = "{pfx}", password = "{PFX_PASSWORD}" }}
    '''
    done(api.put(PLACE, content=api.get(PLACE).text + connector, headers={"If-Match": "*"}))
    assert f'thumbprint = "{identity.thumbprint}"' in api.get(PLACE).text


def test_another_product_is_taken_over(api: httpx.Client) -> None:
    main, relay = (
        {"name": name, "content": base64.b64encode(text.encode()).decode()}
        for name, text in (("main.cf", MAIN_CF), ("relay", "fabrikam.com OK\n"))
    )
    body = {"files": [main], "beside": [relay]}
    planned = api.post("/import", params={"dry_run": True}, json=body)
    assert "smtp.example.net" in str(done(planned)["understood"])
    assert "fabrikam.com" in str(done(planned)["changes"])
    problem(api.post("/import", json=body), 428)
    taken = done(api.post("/import", json=body, headers=seen(planned)))
    assert taken["changes"] == done(planned)["changes"]
    problem(api.post("/import", json=body, headers=seen(planned)), 412)


def test_what_an_older_version_stored_can_be_changed(house: House) -> None:
    """It wrote the same in other words: what was seen is what is stored, not what this version would store."""
    with Office(house) as office:
        with closing(open_store(f"sqlite:///{house.data_dir / 'posthouse.db'}", house.data_dir)) as store:
            organizations = Organizations(store)
            stored = organizations.load()
            document: dict[str, Any] = dict(stored.document or {})
            document["inbound_connector"] = [{**document["inbound_connector"][0], "enabled": True}]
            organizations.save(document, expected_revision=stored.revision, records=())
        api, place = office.client(), "/connectors/inbound/Desk"
        done(api.patch(place, json={"Comment": "seen"}, headers=seen(api.get(place))))


# Credentials


def test_a_credential_is_made_used_and_never_shown(api: httpx.Client) -> None:
    secret = "the application's own"
    body = {"Name": "Relay app", "Kind": "client_credentials", "Tenant": "contoso.onmicrosoft.com",
            "ClientId": "11111111-2222-3333-4444-555555555555", "User": "scanner@contoso.com"}  # fmt: skip
    made = api.post("/credentials", json={**body, "Secret": secret})
    assert {key: done(made)["value"][key] for key in body} == body
    assert secret not in made.text + api.get("/credentials").text + api.get(PLACE).text
    graph = {"Name": "Graph", "Transport": "graph", "Credential": ["Relay app"], "RecipientDomains": ["example.org"]}
    connector = api.post("/connectors/outbound", json=graph)
    assert done(connector)["value"]["Credential"] == ["Relay app"]
    problem(api.delete("/credentials/Relay app", headers=seen(made)), 422)
    changed = api.patch("/credentials/Relay app", json={"Secret": f"{secret} now"}, headers=seen(made))
    assert done(changed)["changes"][0]["key"] == "secret"
    assert secret not in changed.text
    done(api.delete("/connectors/outbound/Graph", headers=seen(connector)))
    done(api.delete("/credentials/Relay app", headers=seen(changed)))
