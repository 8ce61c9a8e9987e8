"""An error quotes the line that it is in, but never a password."""

from __future__ import annotations

import pytest

from posthouse.cmdlets.generic import GENERIC
from posthouse.cmdlets.mail import MAIL
from support.scripts import Scripts

LEAKING = [
    'ConvertTo-SecureString "hunter2" -AsPlainText',
    "ConvertTo-SecureString hunter2 -AsPlainText",
    "ConvertTo-SecureString my hunter2 -AsPlainText -Force",
    "$pfxPass = 'hunter2'; 1 / 0",
    "$pfxPass = 'hunter2' + (1 / 0)",
    "$pwd = \u2018hunter2\u2019 + (1 / 0)",
    "$key = 'hunter2' | ConvertTo-SecureString -AsPlainText",
    "$c = New-Object PSCredential 'u', 'hunter2'",
    "$secret = @'\nhunter2\n'@ + (1 / 0)",
    "$login = @{\n  User = 'x'\n  Password = 'hunter2' + (1 / 0)\n}",
    "ConvertTo-SecureString `\n  'x' `\n  'hunter2' `\n  -AsPlainText",
    "Get-Date -Token hunter2",
    "try { throw 'x' } catch { $_.InvocationInfo.Line, $_.InvocationInfo.PositionMessage } # password 'hunter2'",
    "$password = 'a' 'hunter2'",
    "$password = ('a' 'hunter2')",
]


@pytest.mark.parametrize("script", LEAKING)
def test_no_password_is_quoted(script: str) -> None:
    shown = Scripts(library=GENERIC + MAIL).run(script)
    assert "test.ps1:" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    "line", ["$password = Get-Date nope", "Send-MailMessage @mail -Credential $credential -Port x"]
)
def test_a_line_that_only_speaks_of_one_is_quoted(line: str) -> None:
    assert f"+ {line}\n" in Scripts(library=GENERIC + MAIL).run(line)
