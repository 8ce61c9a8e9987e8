"""Organization > Administrators and roles, API tokens, and everybody's own account, without a browser."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from posthouse.admin import Role, totp
from support.office import PASSWORD, Office, done
from support.visit import Page, Visit

ANNA = "anna@contoso.com"
OF_ANNA = "/administrators/by-name/anna%40contoso.com"
NEW = "staple of another kind"


@pytest.fixture
def operator(office: Office) -> Iterator[Visit]:
    """One who works with the queue, and may not see who else is there."""
    made = {"name": "operator", "password": PASSWORD, "roles": [Role.MAIL_FLOW_OPERATOR.value]}
    done(office.client().post("/administrators", json=made))
    with Visit(office, "operator") as visit:
        yield visit
    office.client().delete("/administrators/operator", headers={"If-Match": "*"})


@pytest.fixture
def anna(office: Office) -> Iterator[Visit]:
    """One who is signed in, and whose account may be spoilt."""
    made = {"name": ANNA, "password": PASSWORD, "roles": [Role.MAIL_FLOW_OPERATOR.value]}
    done(office.client().post("/administrators", json=made))
    with Visit(office, ANNA) as visit:
        yield visit
    office.client().delete(f"/administrators/{ANNA}", headers={"If-Match": "*"})


def sees(visit: Visit, path: str) -> bool:
    return visit.get(path).status == 200


def link_in(page: Page) -> str:
    found = re.search(r"http://[0-9.:]+(/invitation\?secret=[\w-]+)", page.response.text)
    assert found is not None
    return found[1]


class TestAdministrators:
    def test_one_is_made_by_a_link_sets_a_password_once_and_signs_in(self, office: Office, keeper: Visit) -> None:
        page = keeper.press(
            keeper.get("/administrators/new"), "/new", ("", ""), name=ANNA, roles=Role.VIEW_ONLY.value, by="link"
        )
        link = link_in(page)
        assert "Invited" in keeper.get(OF_ANNA).text
        with Visit(office) as stranger:
            refused = stranger.press(stranger.get(link), "/invitation", ("", ""), password="short")
            assert "too short" in refused.errors["password"]
            accepted = stranger.press(refused, "/invitation", ("", ""), password=NEW)
            assert (urlsplit(accepted.path).path, accepted.fields["name"]) == ("/sign-in", ANNA)
            stranger.press(accepted, "/sign-in", ("", ""), password=NEW)
            assert sees(stranger, "/administrators")
            assert stranger.get(link).status == 404
        assert {record["act"] for record in office.audit(object=ANNA, who="keeper")} >= {
            "Set-Administrator",
            "New-Administrator",
        }
        keeper.press(keeper.get(OF_ANNA), "/remove", ("", ""))
        assert ANNA not in keeper.get("/administrators").text

    def test_a_password_is_said_to_be_too_short_and_the_rest_stays(self, keeper: Visit) -> None:
        page = keeper.press(
            keeper.get("/administrators/new"), "/new", ("", ""), name=ANNA, by="password", password="short"
        )
        assert (page.status, set(page.errors), page.fields["name"]) == (422, {"password"}, ANNA)
        assert "short" not in page.fields.values()

    @pytest.mark.parametrize(
        ("typed", "field"),
        [({"name": ""}, "name"), ({"name": "no name"}, "name"), ({"name": "keeper"}, "name"), ({"roles": ""}, "roles")],
    )
    def test_an_error_stands_at_its_field(self, keeper: Visit, typed: dict[str, str], field: str) -> None:
        page = keeper.press(keeper.get("/administrators/new"), "/new", ("", ""), **{"name": ANNA, **typed})
        assert (page.status, set(page.errors)) == (422, {field})

    def test_roles_change_and_one_is_switched_off(self, keeper: Visit, anna: Visit) -> None:
        page = keeper.press(keeper.get(OF_ANNA), "/roles", ("", ""), roles=Role.VIEW_ONLY.value)
        assert "is saved" in page.text
        assert sees(anna, "/administrators")
        keeper.press(page, "/enabled", ("enabled", "0"))
        assert urlsplit(anna.get("/account").path).path == "/sign-in"

    def test_another_is_signed_out_and_helped_back_in(self, office: Office, keeper: Visit, anna: Visit) -> None:
        page = keeper.get(OF_ANNA)
        keeper.press(page, "/end-sessions", ("", ""))
        assert urlsplit(anna.get("/account").path).path == "/sign-in"
        link = link_in(keeper.press(page, "/link", ("", "")))
        with Visit(office) as stranger:
            stranger.press(stranger.get(link), "/invitation", ("", ""), password=NEW)
            assert sees(stranger.post("/sign-in", name=ANNA, password=NEW) and stranger, "/account")

    def test_nobody_does_it_to_himself_and_the_last_manager_stays(self, keeper: Visit) -> None:
        own = "/administrators/by-name/keeper"
        page = keeper.get(own)
        assert {urlsplit(form.action).path for form in page.forms} >= {f"{own}/roles"}
        assert not any(form.action.endswith(("/remove", "/enabled", "/reset-codes", "/link")) for form in page.forms)
        token = page.fields["csrf"]
        for act in ("remove", "enabled", "reset-codes", "link"):
            assert keeper.post(f"{own}/{act}", csrf=token).status == 422
        kept = keeper.press(page, "/roles", ("", ""), roles=Role.VIEW_ONLY.value)
        assert "nobody would be left" in kept.errors["roles"]

    def test_who_may_only_look_has_no_buttons_and_is_refused(self, reader: Visit) -> None:
        page = reader.get("/administrators/by-name/keeper")
        assert not any("/administrators" in form.action for form in page.forms)
        assert reader.get("/administrators/new").status == 403
        for path in ("/administrators/new", "/administrators/by-name/keeper/remove", "/administrators/end-sessions"):
            posted = reader.post(path, csrf=page.fields["csrf"], name="keeper", roles=Role.VIEW_ONLY.value)
            assert posted.status == 403

    def test_who_may_not_see_them_is_refused(self, operator: Visit) -> None:
        assert "/administrators" not in operator.get("/").links
        for path in (
            "/administrators",
            "/administrators/by-name/keeper",
            "/tokens",
            "/audit",
            "/audit.csv",
            "/settings",
        ):
            assert operator.get(path).status == 403

    def test_search_stands_in_the_address(self, keeper: Visit, reader: Visit) -> None:
        page = keeper.get("/administrators?q=view-only")
        assert "/administrators/by-name/reader" in page.links
        assert "/administrators/by-name/keeper" not in page.links


class TestAccount:
    def test_the_password_changes_by_the_one_of_now(self, office: Office, anna: Visit) -> None:
        page = anna.press(anna.get("/account"), "/password", ("", ""), password="wrong", new=NEW)
        assert (page.status, set(page.errors)) == (422, {"password"})
        page = anna.press(page, "/password", ("", ""), password=PASSWORD, new="short")
        assert set(page.errors) == {"new"}
        with Visit(office, ANNA) as other:
            page = anna.press(page, "/password", ("", ""), password=PASSWORD, new=NEW)
            assert "Your password is changed" in page.text
            assert urlsplit(other.get("/account").path).path == "/sign-in"

    def test_codes_are_set_up_used_replaced_by_recovery_codes_and_ended(self, office: Office, anna: Visit) -> None:
        page = anna.get("/account/app")
        secret = base64.b32decode(page.fields["secret"])
        assert "<path d=" in page.response.text
        wrong = anna.press(page, "/app", ("", ""), password=PASSWORD, first="000000x")
        assert (set(wrong.errors), wrong.fields["secret"]) == ({"first"}, page.fields["secret"])
        page = anna.press(
            wrong, "/app", ("", ""), password=PASSWORD, first=totp.code_at(secret, int(time.time()) // 30)
        )
        codes = re.findall(r"[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}", page.text)
        assert len(codes) == 10
        with Visit(office) as other:
            other.post("/sign-in", name=ANNA, password=PASSWORD)
            assert not sees(other, "/account") or urlsplit(other.get("/account").path).path == "/sign-in"
            other.post("/sign-in", name=ANNA, password=PASSWORD, code=codes[0])
            assert "9 recovery codes are left" in other.get("/account").text
        page = anna.press(anna.get("/account"), "/recovery-codes", ("", ""), password=PASSWORD, code=codes[1])
        fresh = re.findall(r"[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}", page.text)
        assert not set(codes) & set(fresh)
        page = anna.press(anna.get("/account"), "/app/off", ("", ""), password=PASSWORD, code=codes[2])
        assert "Password or code is wrong" in page.text
        page = anna.press(page, "/app/off", ("", ""), password=PASSWORD, code=fresh[0])
        assert "No code is asked for any more" in page.text

    def test_sessions_are_shown_and_all_end_at_once(self, office: Office, anna: Visit) -> None:
        with Visit(office, ANNA) as other:
            page = other.get("/account")
            assert page.text.count("This one") == 1
            page = other.press(page, "/sign-out-everywhere", ("", ""))
            assert "You are signed out everywhere" in page.text
        assert urlsplit(anna.get("/account").path).path == "/sign-in"


class TestTokens:
    def test_one_is_shown_once_serves_and_is_revoked(self, office: Office, keeper: Visit) -> None:
        page = keeper.press(keeper.get("/tokens/new"), "/new", ("", ""), name="Scraper", role=Role.VIEW_ONLY.value)
        found = re.search(r"ph_[\w-]{43}", page.text)
        assert found is not None
        with office.new_client(Authorization=f"Bearer {found[0]}") as client:
            assert done(client.get("/session"))["roles"] == [Role.VIEW_ONLY.value]
            page = keeper.get("/tokens")
            assert ("scraper" in page.text, found[0] in page.text) == (True, False)
            keeper.press(page, "/tokens/by-name/scraper/remove", ("", ""))
            assert client.get("/session").status_code == 401

    @pytest.mark.parametrize(
        ("typed", "field"), [({"name": ""}, "name"), ({"name": "a b"}, "name"), ({"expires": "soon"}, "expires")]
    )
    def test_an_error_stands_at_its_field(self, keeper: Visit, typed: dict[str, str], field: str) -> None:
        page = keeper.press(keeper.get("/tokens/new"), "/new", ("", ""), **{"name": "x", **typed})
        assert (page.status, set(page.errors)) == (422, {field})

    def test_who_may_only_look_makes_and_revokes_none(self, office: Office, reader: Visit) -> None:
        office.client()
        page = reader.get("/tokens")
        assert not any("/tokens" in form.action for form in page.forms)
        assert reader.get("/tokens/new").status == 403
        for path in ("/tokens/new", "/tokens/by-name/organization_management/remove"):
            assert reader.post(path, csrf=page.fields["csrf"], name="x").status == 403
