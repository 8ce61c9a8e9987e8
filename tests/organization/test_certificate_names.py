from __future__ import annotations

import pytest

from posthouse.organization import name_matches


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*.contoso.com", "mail.contoso.com", True),
        ("*.contoso.com", "*.contoso.com", True),
        ("*.contoso.com", "MAIL.Contoso.COM", True),
        ("*.Contoso.com", "mail.contoso.com", True),
        ("*.contoso.com", "contoso.com", False),
        ("*.contoso.com", "a.mail.contoso.com", False),
        ("*.contoso.com", "*.mail.contoso.com", False),
        ("*.contoso.com", "mailcontoso.com", False),
        ("*.contoso.com", "mail.contoso.com.evil.example", False),
        ("mail.contoso.com", "mail.contoso.com", True),
        ("mail.contoso.com", "mail.contoso.com.", True),
        ("mail.contoso.com", "*.contoso.com", False),
        ("mail.contoso.com", "a.mail.contoso.com", False),
        ("contoso.com", "mail.contoso.com", False),
        ("*.com", "localhost", False),
        ("*.contoso.com", "", False),
    ],
)
def test_a_wildcard_matches_itself_and_one_label_below_and_a_name_only_itself(
    pattern: str, name: str, matches: bool
) -> None:
    assert name_matches(pattern, name) is matches
