"""Organization > Audit log and Settings without a browser."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterator

import pytest
import tomli_w
import trustme

from posthouse.admin import Role
from support.office import Office, done
from support.visit import Visit


@pytest.fixture
def named(office: Office) -> Iterator[str]:
    """A domain that was made, changed, and is then removed."""
    api, name = office.client(), "audited.example"
    done(api.post("/domains", json={"Name": name}))
    yield name
    api.delete(f"/domains/{name}", headers={"If-Match": "*"})


@pytest.fixture
def plain(office: Office) -> Iterator[Office]:
    """Whose organization is as it was, afterwards."""
    before = office.house.run("export").stdout
    yield office
    file = office.house.folder / "before.toml"
    file.write_text(before, "utf-8")
    office.house.run("apply", str(file))


class TestAudit:
    def test_a_search_stands_in_the_address_and_leads_to_the_difference(self, keeper: Visit, named: str) -> None:
        page = keeper.get(f"/audit?object={named}&outcome=ok&face=rest&period=1d")
        assert "New-AcceptedDomain" in page.text
        record, *_ = [link for link in page.links if link.startswith("/audit/")]
        detail = keeper.get(record)
        assert "Authoritative" in detail.text

    @pytest.mark.parametrize("query", ["face=cli", "outcome=failed", "who=nobody", "until=2020-01-01T00:00"])
    def test_what_does_not_match_is_not_there(self, keeper: Visit, named: str, query: str) -> None:
        page = keeper.get(f"/audit?object={named}&act=New-*&{query}")
        assert not any(link.startswith("/audit/") for link in page.links)
        assert "Nothing found" in page.text

    def test_a_time_that_is_none_is_said_at_its_field(self, keeper: Visit) -> None:
        page = keeper.get("/audit?since=yesterday")
        assert (page.status, set(page.errors)) == (422, {"since"})

    def test_it_goes_on_to_older_ones(self, office: Office, keeper: Visit) -> None:
        for _ in range(51):
            office.client(Role.VIEW_ONLY).get("/audit")
        page = keeper.get("/audit")
        (older,) = [link for link in page.links if "cursor=" in link]
        first, second = (
            {link for link in each.links if link.startswith("/audit/")} for each in (page, keeper.get(older))
        )
        assert (len(first), first & second) == (50, set())

    def test_csv_has_all_and_no_formula(self, office: Office, keeper: Visit) -> None:
        office.client().delete("/tokens/=1+1", headers={"If-Match": "*"})
        answer = keeper.get("/audit.csv?act=Remove-ApiToken").response
        assert answer.headers["content-type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert rows[0]["object"] == "'=1+1"
        assert {row["act"] for row in rows} == {"Remove-ApiToken"}

    def test_a_record_that_is_not_there(self, keeper: Visit) -> None:
        for identity in ("999999999", "99999999999999999999"):
            assert keeper.get(f"/audit/{identity}").status == 404


class TestSettings:
    def test_what_is_saved_is_in_force_and_says_where_it_is_from(self, plain: Office, keeper: Visit) -> None:
        page = keeper.press(
            keeper.get("/settings/edit"),
            "/edit",
            ("", ""),
            reject_direct_send="1",
            postmaster_address="admin@contoso.com",
            retry_after="2m, 10m",
            recipients="250",
            message_size="20 MiB",
        )
        assert "saved, and in force" in page.text
        shown = {row["key"]: (row["value"], row["origin"]) for row in done(plain.client().get("/settings"))["value"]}
        assert shown["delivery.retry_after"] == ([120, 600], "organization")
        assert shown["limits.recipients"] == (250, "organization")
        assert shown["limits.message_size"] == (20 << 20, "organization")
        again = keeper.get("/settings/edit")
        assert (again.fields["retry_after"], again.fields["message_size"]) == ("2m, 10m", "20 MiB")
        emptied = keeper.press(again, "/edit", ("", ""), retry_after="", recipients="", message_size="")
        assert "Organization" in emptied.text
        document = tomllib.loads(plain.house.run("export").stdout)
        assert "recipients" not in document.get("limits", {})

    @pytest.mark.parametrize(
        ("field", "typed"),
        [
            ("postmaster_address", "nobody"),
            ("retry_after", "soon"),
            ("warn_after", "5 parsecs"),
            ("recipients", "many"),
            ("min_free", "all"),
        ],
    )
    def test_an_error_stands_at_its_field_and_the_rest_stays(self, keeper: Visit, field: str, typed: str) -> None:
        filled = {"trace_keep": "9d", field: typed}
        page = keeper.press(keeper.get("/settings/edit"), "/edit", ("", ""), **filled)
        assert (page.status, set(page.errors)) == (422, {field})
        assert {name: page.fields[name] for name in filled} == filled

    def test_nobody_overwrites_what_he_has_not_seen(self, plain: Office, keeper: Visit) -> None:
        page = keeper.get("/settings/edit")
        keeper.press(page, "/edit", ("", ""), recipients="77")
        late = keeper.press(page, "/edit", ("", ""), recipients="88")
        assert (late.status, "somebody has changed it since" in late.text) == (422, True)

    def test_a_root_comes_with_its_name_and_goes(self, plain: Office, keeper: Visit) -> None:
        pem = trustme.CA(organization_name="Contoso Roots").cert_pem.bytes().decode()
        page = keeper.press(keeper.get("/settings/roots/new"), "/new", ("", ""), pem=pem)
        assert "Contoso Roots" in page.text
        page = keeper.press(page, "/remove", ("", ""))
        assert "Contoso Roots" not in page.text.replace("is not trusted", "")
        wrong = keeper.press(keeper.get("/settings/roots/new"), "/new", ("", ""), pem="/etc/passwd")
        assert set(wrong.errors) == {"pem"}

    def test_a_file_is_shown_before_it_is_applied(self, plain: Office, keeper: Visit) -> None:
        exported = keeper.get("/settings/organization.toml").response.text
        assert tomllib.loads(exported)["accepted_domain"] == [{"name": "contoso.com", "type": "Authoritative"}]
        unchanged = keeper.press(keeper.get("/settings/apply"), "/apply", ("go", "check"), toml=exported)
        assert "It changes nothing" in unchanged.text
        document = tomllib.loads(exported)
        document["accepted_domain"].append({"name": "tailspin.test"})
        more = tomli_w.dumps(document)
        planned = keeper.press(keeper.get("/settings/apply"), "/apply", ("go", "check"), toml=more)
        assert 'accepted_domain "tailspin.test"' in planned.text
        assert "tailspin.test" not in plain.house.run("export").stdout
        keeper.press(planned, "/apply", ("go", "apply"))
        assert "tailspin.test" in plain.house.run("export").stdout
        late = keeper.press(planned, "/apply", ("go", "apply"))
        assert "somebody has changed it since" in late.text

    @pytest.mark.parametrize(
        ("toml", "text"),
        [
            ("[[", "It is not TOML"),
            ('[[accepted_domain]]\nname = "x y"', "accepted_domain"),
            ('trusted_roots = ["/etc/passwd"]', "a request names no file"),
        ],
    )
    def test_a_file_that_can_not_be_applied(self, keeper: Visit, toml: str, text: str) -> None:
        page = keeper.press(keeper.get("/settings/apply"), "/apply", ("go", "check"), toml=toml)
        assert (page.status, text in page.text) == (422, True)

    def test_powershell_is_what_a_tenant_takes(self, keeper: Visit) -> None:
        answer = keeper.get("/settings/organization.ps1").response
        assert "New-InboundConnector" in answer.text

    def test_who_may_only_look_changes_nothing(self, reader: Visit) -> None:
        page = reader.get("/settings")
        assert page.status == 200
        assert not any("/settings" in form.action for form in page.forms)
        assert not {"/settings/edit", "/settings/apply", "/settings/roots/new"} & set(page.links)
        for path in ("/settings/edit", "/settings/apply", "/settings/roots/new"):
            assert reader.get(path).status == 403
            assert reader.post(path, csrf=page.fields["csrf"], pem="-----BEGIN CERTIFICATE-----").status == 403
