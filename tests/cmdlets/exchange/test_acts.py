"""What holds for all cmdlets that change something: roles, -WhatIf, -Confirm, and the audit log."""

from __future__ import annotations

import pytest

from posthouse.admin import Role
from posthouse.cmdlets.exchange import EXCHANGE
from posthouse.spool import AuditFilter, AuditOutcome
from support.shell import OpenShell, Shell

BEFORE = """\
New-InboundConnector Relay -SenderDomains * -SenderIPAddresses 10.0.0.1 | Out-Null
New-OutboundConnector Out -RecipientDomains * | Out-Null
New-AcceptedDomain fabrikam.com | Out-Null
Add-RoleGroupMember 'Organization Management' -Member bob
"""
CHANGES = {
    "New-InboundConnector": "New-InboundConnector New -SenderDomains * -SenderIPAddresses 10.0.0.2",
    "Set-InboundConnector": "Set-InboundConnector Relay -Enabled $false",
    "Remove-InboundConnector": "Remove-InboundConnector Relay",
    "New-OutboundConnector": "New-OutboundConnector New -RecipientDomains a.com",
    "Set-OutboundConnector": "Set-OutboundConnector Out -SmartHosts mail.contoso.com -UseMXRecord $false",
    "Remove-OutboundConnector": "Remove-OutboundConnector Out",
    "New-AcceptedDomain": "New-AcceptedDomain tailspin.com",
    "Set-AcceptedDomain": "Set-AcceptedDomain fabrikam.com -DomainType InternalRelay",
    "Remove-AcceptedDomain": "Remove-AcceptedDomain fabrikam.com",
    "Set-OrganizationConfig": "Set-OrganizationConfig -RejectDirectSend $true",
    "Set-TransportConfig": "Set-TransportConfig -MaxSendSize 35MB",
    "Add-RoleGroupMember": "Add-RoleGroupMember 'Organization Management' -Member eve",
    "Remove-RoleGroupMember": "Remove-RoleGroupMember 'Organization Management' -Member bob",
    "Update-RoleGroupMember": "Update-RoleGroupMember 'Organization Management' -Members ada, eve",
}
ASKS = [name for name in CHANGES if name.startswith("Remove-")]


def state(shell: Shell) -> tuple[object, ...]:
    return (shell.export(), *((who.name, who.roles) for who in shell.administration.administrators.list()))


def test_each_cmdlet_that_changes_is_here() -> None:
    changing = {cmdlet.name for cmdlet in EXCHANGE.cmdlets if cmdlet.should_process}
    assert changing - {"Validate-OutboundConnector"} == CHANGES.keys()
    assert {cmdlet.name for cmdlet in EXCHANGE.cmdlets if cmdlet.confirm} == set(ASKS)


@pytest.mark.parametrize("script", CHANGES.values(), ids=CHANGES)
def test_it_changes(shell: Shell, script: str) -> None:
    shell.run(BEFORE)
    before = state(shell)
    shell.run("$ConfirmPreference = 'None'\n" + script)
    assert state(shell) != before


@pytest.mark.parametrize("script", CHANGES.values(), ids=CHANGES)
def test_what_if_changes_nothing(shell: Shell, script: str) -> None:
    shell.run(BEFORE)
    before = state(shell)
    shown = shell.run(script + " -WhatIf")
    assert state(shell) == before
    assert shown.startswith("What if: Performing the operation")


@pytest.mark.parametrize("role", [Role.VIEW_ONLY, Role.MAIL_FLOW_OPERATOR])
@pytest.mark.parametrize("script", CHANGES.values(), ids=CHANGES)
def test_who_may_not_is_refused_and_on_record(open_shell: OpenShell, script: str, role: Role) -> None:
    manager = open_shell()
    manager.run(BEFORE)
    before = state(manager)
    shown = open_shell(role=role).run("$ConfirmPreference = 'None'\n" + script)
    assert "ada may not " in shown
    assert "it needs the role Organization Management" in shown
    assert state(manager) == before
    refused = list(manager.administration.audit.find(AuditFilter(outcome=AuditOutcome.REFUSED)))
    assert [(record.who, record.face) for record in refused] == [("ada", "powershell")]


def test_who_may_view_views(open_shell: OpenShell) -> None:
    open_shell().run(BEFORE)
    viewer = open_shell(role=Role.VIEW_ONLY)
    assert viewer.lines("(Get-InboundConnector).Name; (Get-OutboundConnector).Name; (Get-RoleGroup).Count") == [
        *("Relay", "Out", "3")
    ]
    assert "may not Search-AdminAuditLog" in viewer.run("Search-AdminAuditLog")
    operator = open_shell(role=Role.MAIL_FLOW_OPERATOR)
    assert "may not Get-OrganizationConfig" in operator.run("Get-InboundConnector")


def test_who_may_send_test_mail_validates(open_shell: OpenShell) -> None:
    open_shell().run(BEFORE)
    script = "Validate-OutboundConnector -Identity Out -Recipients a@b.test -WhatIf"
    assert "may not Validate-OutboundConnector" in open_shell(role=Role.VIEW_ONLY).run(script)
    assert open_shell(role=Role.MAIL_FLOW_OPERATOR).run(script) == (
        'What if: Performing the operation "Validate-OutboundConnector" on target "Out".\n'
    )


@pytest.mark.parametrize("name", ASKS)
def test_removing_asks(open_shell: OpenShell, name: str) -> None:
    shell = open_shell("no", "yes")
    shell.run(BEFORE)
    before = state(shell)
    assert "Are you sure you want to perform this action?" in shell.run(CHANGES[name])
    assert state(shell) == before
    shell.run(CHANGES[name])
    assert state(shell) != before


def test_each_answer_of_a_pipeline_is_for_one_object_unless_it_is_for_all(open_shell: OpenShell) -> None:
    shell = open_shell("y", "n", "a")
    shell.run('1..5 | % { New-InboundConnector "C$_" -SenderDomains * -SenderIPAddresses 10.0.0.$_ } | Out-Null')
    shell.run("Get-InboundConnector | Remove-InboundConnector")
    assert shell.lines("(Get-InboundConnector).Name") == ["C2"]


def test_confirm_may_be_asked_for(open_shell: OpenShell) -> None:
    shell = open_shell("n")
    shell.run("New-AcceptedDomain fabrikam.com -Confirm")
    assert shell.lines("(Get-AcceptedDomain).Name") == ["contoso.com"]


def test_a_change_is_on_record_once_with_its_face(shell: Shell) -> None:
    shell.run("New-AcceptedDomain fabrikam.com; Set-AcceptedDomain fabrikam.com -DomainType InternalRelay")
    made, changed = reversed(list(shell.administration.audit.find(AuditFilter(object="fabrikam.com"))))
    assert (made.act, made.face, made.who) == ("New-AcceptedDomain", "powershell", "ada")
    assert [(one.key, one.before, one.after) for one in changed.changes] == [("Type", "Authoritative", "InternalRelay")]


def test_an_error_leaves_nothing_half_applied(shell: Shell) -> None:
    shell.run(BEFORE)
    before = state(shell)
    shown = shell.run(
        "Set-InboundConnector Relay -Comment new -Enabled $false -SenderIPAddresses @{Add='10.0.0.2','no'}"
    )
    assert shown.startswith('Set-InboundConnector : SenderIPAddresses: "no" is not an IP address')
    assert state(shell) == before
    assert "SenderDomains" in shell.run("Set-OutboundConnector Out -Comment new -SenderDomains *")
    assert state(shell) == before


def test_a_password_is_in_no_answer_and_no_record(shell: Shell) -> None:
    shown = shell.run(
        "New-InboundConnector Devices -SenderDomains * -SenderCredentials @{User='scanner'; Password='pl4nted'} | fl\n"
        "New-InboundConnector Devices -SenderDomains * -SenderCredentials @{User='scanner'; Password='pl4nted'}\n"
        "Get-InboundConnector | ConvertTo-Json; Search-AdminAuditLog | ConvertTo-Json -Depth 5; $Error"
    )
    assert "scanner" in shown
    assert "already exists" in shown
    assert "pl4nted" not in shown
    assert "argon2" not in shown


def test_roles_that_somebody_changes_meanwhile_are_not_lost(open_shell: OpenShell) -> None:
    shell, other = open_shell("unused"), open_shell()

    def ask(_question: str) -> str:
        other.run("Add-RoleGroupMember 'Recipient and Mail Flow Operator' -Member bob")
        return "y"

    shell.paper.ask = ask
    shown = shell.run("Add-RoleGroupMember 'Organization Management' -Member bob -Confirm")
    assert 'the roles of "bob" were changed meanwhile; look at them, and try again' in shown
    assert shell.lines("(Get-RoleGroup | ? Members -contains bob).Name") == [Role.VIEW_ONLY, Role.MAIL_FLOW_OPERATOR]
