"""What a change of the organization changes, without secrets."""

from __future__ import annotations

from posthouse.admin import Change
from posthouse.admin.difference import difference
from posthouse.net.certificates import Authority, thumbprint

SCANNERS = {"name": "Scanners", "sender_ip_addresses": ["192.0.2.0/24"]}


def test_nothing_differs_between_equals() -> None:
    document = {"reject_direct_send": True, "inbound_connector": [SCANNERS]}
    assert difference(document, document) == ()


def test_items_come_and_go() -> None:
    before = {"accepted_domain": [{"name": "contoso.com"}]}
    after = {"accepted_domain": [{"name": "fabrikam.com"}], "inbound_connector": [SCANNERS]}
    assert difference(before, after) == (
        Change("remove", 'accepted_domain "contoso.com"'),
        Change("add", 'accepted_domain "fabrikam.com"'),
        Change("add", 'inbound_connector "Scanners"'),
    )


def test_another_order_is_a_change() -> None:
    """The first accepted domain has the postmaster where none is named."""
    contoso, fabrikam = {"name": "contoso.com"}, {"name": "fabrikam.com"}
    assert difference({"accepted_domain": [contoso, fabrikam]}, {"accepted_domain": [fabrikam, contoso]}) == (
        Change("change", "", "accepted_domain", ["contoso.com", "fabrikam.com"], ["fabrikam.com", "contoso.com"]),
    )


def test_keys_change_and_may_have_been_unset() -> None:
    changed = {"name": "Scanners", "require_tls": True, "sender_ip_addresses": ["192.0.2.7"]}
    assert difference(
        {"inbound_connector": [SCANNERS]}, {"inbound_connector": [changed], "reject_direct_send": True}
    ) == (
        Change("change", "", "reject_direct_send", None, True),
        Change("change", 'inbound_connector "Scanners"', "sender_ip_addresses", ["192.0.2.0/24"], ["192.0.2.7"]),
        Change("change", 'inbound_connector "Scanners"', "require_tls", None, True),
    )


def test_a_root_is_told_by_its_name(authority: Authority) -> None:
    (change,) = difference({}, {"trusted_roots": [authority.certificate_pem.decode()]})
    assert change.after == [f"CN=Contoso CA {thumbprint(authority.certificate)}"]


def test_a_new_password_is_a_change_that_does_not_show_it() -> None:
    def with_hash(text: str) -> dict[str, object]:
        return {"inbound_connector": [{**SCANNERS, "sender_credentials": [{"user": "a", "password_hash": text}]}]}

    (change,) = difference(with_hash("$argon2id$1"), with_hash("$argon2id$2"))
    assert change == Change(
        "change", 'inbound_connector "Scanners"', "sender_credentials", [{"user": "a"}], [{"user": "a"}]
    )
