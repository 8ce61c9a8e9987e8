"""Get-MessageTrace, Get-MessageTraceV2 and their details, beside a house that delivered, failed and waits."""

from __future__ import annotations

import pytest

from cmdlets.mail.conftest import MakeScript, Script
from posthouse.admin import Role, roles
from posthouse.spool import AuditOutcome
from support.house import House

MAIL = b"Message-ID: <%s@device.test>\r\nSubject: %s\r\n\r\nHello\r\n"


@pytest.fixture(scope="module")
def traced(stuck: House) -> House:
    """It delivered a message to two, and another waits."""
    stuck.submit("scan@contoso.com", "t1@contoso.com", "t2@contoso.com", content=MAIL % (b"one", b"Scan 1 of 2"))
    stuck.submit("erp@contoso.com", "t3@fabrikam.com", content=MAIL % (b"two", b"Invoice 7"))
    stuck.trace("--to", "t*", until=lambda found: len(found) == 3 and all(one["attempts"] for one in found))
    return stuck


@pytest.fixture
def script(traced: House, scripts: MakeScript) -> Script:
    return scripts(traced)


def recipients(script: Script, line: str) -> list[str]:
    return script.run(f"{line} | Where-Object RecipientAddress -like 't?@*' | ForEach-Object RecipientAddress").split()


ALL = ["t3@fabrikam.com", "t2@contoso.com", "t1@contoso.com"]
BOTH = ("Get-MessageTrace", "Get-MessageTraceV2")


@pytest.mark.parametrize("cmdlet", BOTH)
class TestBoth:
    def test_the_newest_first(self, script: Script, cmdlet: str):
        assert recipients(script, cmdlet) == ALL

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ("-SenderAddress scan@contoso.com -RecipientAddress t*", ALL[1:]),
            ("-SenderAddress ERP@contoso.com, nobody@contoso.com", ALL[:1]),
            ("-SenderAddress '*@contoso.com' -RecipientAddress 't1@contoso.com','T3@fabrikam.com'", [ALL[0], ALL[2]]),
            ("-SenderAddress '<>'", []),
            ("-RecipientAddress t*@fabrikam.com", ALL[:1]),
            ("-RecipientAddress *fabrikam.com -Status Pending", ALL[:1]),
            ("-RecipientAddress *fabrikam.com -Status Delivered", []),
            ("-RecipientAddress t* -Status delivered, pending", ALL),
            ("-MessageId '<one@device.test>'", ALL[1:]),
            ("-MessageId one@device.test, two@device.test", ALL),
            ("-RecipientAddress t* -FromIP 127.0.0.1", ALL),
            ("-RecipientAddress t* -FromIP 192.0.2.1", []),
            ("-RecipientAddress t* -ToIP 192.0.2.1", []),
            ("-RecipientAddress t* -StartDate (Get-Date).AddDays(-1) -EndDate (Get-Date)", ALL),
            ("-RecipientAddress t* -StartDate (Get-Date).AddDays(-9) -EndDate (Get-Date).AddDays(-8)", []),
            ("-RecipientAddress t* -EndDate '1/1/2020 5:00 PM'", []),
        ],
    )
    def test_filters(self, script: Script, cmdlet: str, filters: str, found: list[str]):
        assert recipients(script, f"{cmdlet} {filters}") == found

    def test_by_the_id_that_the_250_told(self, script: Script, cmdlet: str):
        script.run(f"$one = {cmdlet} -RecipientAddress t1@contoso.com")
        assert recipients(script, f"{cmdlet} -MessageTraceId $one.MessageTraceId") == ALL[1:]
        assert recipients(script, f"{cmdlet} -MessageTraceId c20e0f7a-f06b-41df-fe33-08d9da155ac1") == []

    def test_its_table(self, script: Script, cmdlet: str):
        header, _, row = script.run(f"{cmdlet} -RecipientAddress t3@fabrikam.com").split("\n")[1:4]
        assert header.split() == ["Received", "SenderAddress", "RecipientAddress", "Subject", "Status"]
        assert row.split()[-5:] == ["erp@contoso.com", "t3@fabrikam.com", "Invoice", "7", "Pending"]

    def test_its_properties(self, script: Script, cmdlet: str):
        script.run(f"$one = {cmdlet} -RecipientAddress t1@contoso.com")
        assert script.run("'{0} {1} {2}' -f $one.MessageId, $one.Size, $one.FromIP").split() == [
            "<one@device.test>",
            script.run("$one.Size").strip(),
            "127.0.0.1",
        ]
        assert script.run("$one.Size -gt 50; $one.ToIP -eq ''; $one.Received -gt (Get-Date).AddHours(-1)") == (
            "True\n" * 3
        )

    def test_a_status_that_there_is_not(self, script: Script, cmdlet: str):
        assert script.run(f"{cmdlet} -Status Quarantined") == (
            "WARNING: No mail is ever Quarantined here; Status is Delivered, Failed or Pending.\n"
        )
        assert "Unable to match the identifier name Lost" in script.run(f"{cmdlet} -Status Lost")

    def test_dates_the_wrong_way_round(self, script: Script, cmdlet: str):
        shown = script.run(f"{cmdlet} -StartDate 2026-02-02 -EndDate 2026-01-01")
        assert "The StartDate can't be greater than the EndDate." in shown

    def test_whoever_may_not(self, traced: House, scripts: MakeScript, cmdlet: str):
        assert recipients(scripts(traced, Role.MAIL_FLOW_OPERATOR), cmdlet) == ALL


class TestPages:
    def test_by_number(self, script: Script):
        line = "Get-MessageTrace -RecipientAddress t* -PageSize 2 -Page"
        assert recipients(script, f"{line} 1") == ALL[:2]
        assert recipients(script, f"{line} 2") == ALL[2:]
        assert recipients(script, f"{line} 3") == []

    def test_by_where_the_last_one_ended(self, script: Script):
        line = "Get-MessageTraceV2 -RecipientAddress t* -ResultSize 1"
        script.run(f"$last = {line}")
        found = [script.run("$last.RecipientAddress").strip()]
        for _ in range(2):
            script.run(f"$last = {line} -EndDate $last.Received -StartingRecipientAddress $last.RecipientAddress")
            found.append(script.run("$last.RecipientAddress").strip())
        assert found == ALL
        assert script.run(f"{line} -EndDate $last.Received -StartingRecipientAddress $last.RecipientAddress") == ""

    def test_that_there_is_more_is_said_with_the_command_for_it(self, script: Script):
        script.run("$some = Get-MessageTraceV2 -RecipientAddress t* -ResultSize 2")
        (warning,) = script.said("warning")
        assert warning.startswith("WARNING: There are more results, use the following command to get more. Get-Mess")
        assert '-StartingRecipientAddress "t2@contoso.com" -ResultSize 2' in warning
        command = warning.partition("more. ")[2].partition(", with")[0]
        assert recipients(script, f"{command} -RecipientAddress t*") == ALL[2:]

    @pytest.mark.parametrize(
        "line", ["Get-MessageTrace -PageSize 5001", "Get-MessageTrace -Page 0", "Get-MessageTraceV2 -ResultSize 0"]
    )
    def test_beyond_the_bounds(self, script: Script, line: str):
        assert " value. It has to be from 1 to " in script.run(line)

    @pytest.mark.parametrize("end", ["1/1/0001", "9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59-10:00"])
    def test_dates_at_the_end_of_time(self, script: Script, end: str):
        found = recipients(script, f"Get-MessageTrace -StartDate '0001-01-01T00:00:00+10:00' -EndDate '{end}'")
        assert (found == []) is end.endswith("0001")
        assert "Error" not in script.run(f"Get-MessageTrace -EndDate '{end}'")


class TestSubject:
    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ("-Subject 'scan 1'", ALL[1:]),
            ("-Subject 'of 2' -SubjectFilterType EndsWith", ALL[1:]),
            ("-Subject 'of 2' -SubjectFilterType StartsWith", []),
            ("-Subject invoice -SubjectFilterType startswith", ALL[:1]),
            ("-Subject oic -SubjectFilterType Contains", ALL[:1]),
        ],
    )
    def test_it_is_compared_as_asked(self, script: Script, filters: str, found: list[str]):
        assert recipients(script, f"Get-MessageTraceV2 {filters}") == found


class TestDetail:
    @pytest.mark.parametrize("version", ["", "V2"])
    def test_step_by_step_through_the_pipeline(self, script: Script, version: str):
        line = f"Get-MessageTrace{version} -RecipientAddress t1@contoso.com | Get-MessageTraceDetail{version}"
        assert script.run(f"{line} | ForEach-Object Event").split() == ["Receive", "Deliver"]
        detail = script.run(f"({line})[1].Detail")
        assert "by the connector 'Mailboxes': 250 2.1.5" in detail

    def test_why_it_waits(self, script: Script):
        script.run("$one = Get-MessageTrace -RecipientAddress t3@fabrikam.com")
        line = "Get-MessageTraceDetail $one.MessageTraceId t3@fabrikam.com -Event defer | ForEach-Object Detail"
        assert "421 4.3.2 come back later" in script.run(line)

    @pytest.mark.parametrize(
        ("filters", "steps"),
        [
            ("-PageSize 1", "Receive"),
            ("-PageSize 1 -Page 2", "Deliver"),
            ("-Page 2", ""),
            ("-SenderAddress *@nowhere.test", ""),
            ("-SenderAddress *@contoso.com", "Receive Deliver"),
            ("-MessageId other", ""),
            ("-EndDate (Get-Date).AddHours(-1)", ""),
            ("-StartDate (Get-Date).AddHours(-1) -EndDate (Get-Date)", "Receive Deliver"),
        ],
    )
    def test_some_of_the_steps(self, script: Script, filters: str, steps: str):
        script.run("$id = (Get-MessageTrace -RecipientAddress t1@contoso.com).MessageTraceId")
        line = f"Get-MessageTraceDetail $id t1@contoso.com {filters} | ForEach-Object Event"
        assert script.run(line).split() == steps.split()

    def test_its_table(self, script: Script):
        shown = script.run("Get-MessageTrace -RecipientAddress t3@fabrikam.com | Get-MessageTraceDetailV2")
        assert shown.split("\n")[1].split() == ["Date", "Event", "Detail"]

    def test_it_needs_to_know_which(self, script: Script):
        shown = script.run("Get-MessageTraceDetail -RecipientAddress t1@contoso.com")
        assert "missing mandatory parameters: MessageTraceId" in shown


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that may nothing: there is none, since each of ours may look at mail."""
    monkeypatch.setitem(roles.PERMISSIONS, Role.VIEW_ONLY, frozenset())


@pytest.mark.parametrize(
    ("line", "act"),
    [
        ("Get-MessageTrace", "Get-MessageTrace"),
        ("Get-MessageTraceV2", "Get-MessageTrace"),
        ("Get-MessageTraceDetail a b", "Get-MessageTrace"),
        ("Get-Queue", "Get-Message"),
        ("Get-Message", "Get-Message"),
    ],
)
def test_who_may_nothing_sees_nothing(traced: House, scripts: MakeScript, nobody: None, line: str, act: str):
    script = scripts(traced, Role.VIEW_ONLY)
    shown = script.run(line)
    assert f"anna may not {act}: it needs the role Organization Management" in shown
    assert "CmdletAccessDeniedException" in shown
    record = scripts(traced).records[0]
    assert (record.act, record.outcome) == (act, AuditOutcome.REFUSED)
