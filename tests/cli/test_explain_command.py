"""`posthouse explain`: words, standard input, JSON, and what is no reply."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

BOUNCE = b"""\
Content-Type: multipart/report; boundary=b

--b
Content-Type: message/delivery-status

Final-Recipient: rfc822; b@example.net
Action: failed
Status: 5.7.68
Diagnostic-Code: smtp; 550 5.7.68 TenantInboundAttribution; Direct Send not allowed

--b--
"""


def test_words_as_the_shell_splits_them(posthouse: Any) -> None:
    ran = posthouse("explain", "550", "5.7.68", "TenantInboundAttribution; Direct Send not allowed")
    assert ran.status == 0
    assert "550 5.7.68 TenantInboundAttribution" in ran.out
    assert "`reject_direct_send" in ran.out
    assert [word for word in ("Means", "Why", "What to do", "More") if word not in ran.out] == []
    assert ran.err == ""


@pytest.mark.parametrize("words", [(), ("-",)])
def test_a_bounce_on_standard_input(posthouse: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(BOUNCE)))
    (explanation,) = posthouse("explain", *words, "--json").json
    assert explanation["reply"] == "550 5.7.68 TenantInboundAttribution; Direct Send not allowed"
    assert explanation["permanent"] is True
    assert explanation["causes"]
    assert explanation["remedies"]
    assert explanation["sources"]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_is_no_reply(posthouse: Any, options: tuple[str, ...]) -> None:
    ran = posthouse("explain", "hello", *options)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == (
        "there is no reply of a mail server in it; "
        "give a line with a code, such as 550 5.7.64, or a file: posthouse explain < FILE\n"
    )
