"""Get-Queue, Get-Message and the acts on them, beside a house whose next hop is busy."""

from __future__ import annotations

import itertools
import time

import pytest

from cmdlets.mail.conftest import MakeScript, Script
from posthouse.admin import Role
from posthouse.spool import AuditOutcome, State
from support.house import House, wait_for

_numbers = itertools.count(1)


@pytest.fixture
def waiting(stuck: House) -> str:
    """The id of a message that was tried once, and waits for an hour, as all others do by then."""
    recipient = f"q{next(_numbers)}@fabrikam.com"
    message = stuck.submit(
        "queue@contoso.com", recipient, content=b"Message-ID: <q@device.test>\r\nSubject: Stuck\r\n\r\nHello\r\n"
    )
    wait_for(lambda: all(entry.due > time.time() + 60 for entry in stuck.entries(state=State.WAITING)))
    return message


@pytest.fixture
def script(stuck: House, scripts: MakeScript) -> Script:
    return scripts(stuck)


def state(house: House, message: str) -> State:
    (entry,) = house.entries(message_id=message)
    return entry.state


class TestQueue:
    def test_by_the_next_hop(self, script: Script, waiting: str):
        header, _, row = script.run("Get-Queue").split("\n")[1:4]
        assert header.split() == ["Identity", "Status", "MessageCount", "NextHopDomain", "NextHopConnector"]
        assert row.split()[:2] + row.split()[3:] == ["127.0.0.1", "Retry", "127.0.0.1", "Internet"]

    def test_why_it_waits_and_until_when(self, script: Script, waiting: str):
        assert script.run("(Get-Queue 127.0.0.1).LastError") == "421 4.3.2 come back later\n"
        assert script.run("(Get-Queue 'HUB01\\127.*').NextRetryTime -gt (Get-Date).AddMinutes(30)") == "True\n"
        assert script.run("Get-Queue -Filter \"MessageCount -ge 1 -and Status -eq 'Retry'\" | % Identity") == (
            "127.0.0.1\n"
        )
        assert script.run("Get-Queue -Filter 'MessageCount -gt 1000'") == ""

    def test_a_queue_that_there_is_not(self, script: Script):
        shown = script.run("Get-Queue nowhere.test")
        assert "object 'nowhere.test' couldn't be found; Get-Queue lists what waits." in shown

    def test_retry_makes_it_due_now(self, script: Script, stuck: House, waiting: str):
        assert script.run("Get-Queue -Filter \"Status -eq 'Retry'\" | Retry-Queue") == ""
        wait_for(lambda: stuck.entries(message_id=waiting)[0].attempts == 2)
        assert script.records[0].act == "Retry-Queue"

    def test_retry_of_what(self, script: Script):
        assert "give Identity or Filter." in script.run("Retry-Queue")

    def test_what_retry_would_do(self, script: Script, stuck: House, waiting: str):
        shown = script.run("Retry-Queue 127.0.0.1 -Resubmit $true -WhatIf")
        assert shown == 'What if: Performing the operation "Retry-Queue" on target "127.0.0.1".\n'
        assert stuck.entries(message_id=waiting)[0].attempts == 1

    @pytest.mark.parametrize("verb", ["Suspend", "Resume"])
    def test_a_queue_is_never_stopped(self, script: Script, verb: str):
        shown = script.run(f"{verb}-Queue 127.0.0.1 -Confirm:$false")
        assert "A queue can't be stopped here, since that would keep back mail to come as well." in shown


class TestMessage:
    def test_its_table(self, script: Script, waiting: str):
        header, _, row = script.run(f"Get-Message {waiting}").split("\n")[1:4]
        assert header.split() == ["Identity", "FromAddress", "Status", "Queue", "Subject"]
        assert row.split() == [f"127.0.0.1\\{waiting}", "queue@contoso.com", "Retry", "127.0.0.1", "Stuck"]

    @pytest.mark.parametrize(
        "line",
        [
            "Get-Message {id}",
            "Get-Message -Identity '127.0.0.1\\{id}'",
            "Get-Message 'HUB01\\127.0.0.1\\{id}'",
            "Get-Message '127.*\\{id}'",
            "'{id}' | Get-Message",
            "Get-Queue | Get-Message -ResultSize Unlimited | Where-Object Identity -like '*{id}'",
            "Get-Message -Queue 127.0.0.1 -ResultSize 5000 | ? {{ $_.Identity -like '*{id}' }}",
            "Get-Message {id} -Filter \"FromAddress -like '*@contoso.com' -and Size -lt 1MB\"",
            "Get-Message {id} -Filter \"Subject -eq 'stuck' -and Status -ne 'Suspended'\"",
            "Get-Message {id} -Filter \"DateReceived -gt '1/1/2026' -and RetryCount -ge 1\"",
            "Get-Message -Filter 'InternetMessageId -eq \"<q@device.test>\"' | ? Identity -like '*{id}'",
        ],
    )
    def test_it_is_found(self, script: Script, waiting: str, line: str):
        found = script.run(line.format(id=waiting) + " | ForEach-Object Identity")
        assert found == f"127.0.0.1\\{waiting}\n"

    def test_its_recipients_if_asked_for(self, script: Script, waiting: str):
        assert script.run(f"(Get-Message {waiting}).Recipients") == ""
        assert script.run(f"(Get-Message {waiting} -IncludeRecipientInfo).Recipients").endswith("@fabrikam.com\n")

    @pytest.mark.parametrize(
        ("filter_", "text"),
        [
            ("Sender -eq 'a'", "'Sender' is no property to filter by; there are Identity, Subject,"),
            ("FromAddress", "can't be read; write it like"),
            ("Size -gt 1 -or Size -lt 2", "can't be read; write it like"),
            ("Size -gt 1 -and", "can't be read; write it like"),
            ("DateReceived -gt 'soon'", "String was not recognized as a valid DateTime."),
            ("Size -foo 1", "can't be read; write it like"),
        ],
    )
    def test_filters_that_are_none(self, script: Script, waiting: str, filter_: str, text: str):
        assert text in script.run(f'Get-Message -Filter "{filter_}"')

    @pytest.mark.parametrize(
        ("parameter", "why"),
        [
            ("-Server HUB01", "The parameter 'Server' is not taken here: there is one queue for all of Posthouse"),
            ("-SortOrder Size", "pipe to Sort-Object and Select-Object instead"),
            ("-ResultSize all", "to a number of results, or Unlimited."),
        ],
    )
    def test_what_is_not_taken(self, script: Script, parameter: str, why: str):
        assert why in script.run(f"Get-Message {parameter}")


class TestActs:
    def test_suspend_and_resume(self, script: Script, stuck: House, waiting: str):
        assert script.run(f"Suspend-Message {waiting} -Confirm:$false") == ""
        assert state(stuck, waiting) is State.HELD
        assert script.run(f"(Get-Message {waiting}).Status") == "Suspended\n"
        assert script.run(f"Get-Message {waiting} | Resume-Message") == ""
        wait_for(lambda: stuck.entries(message_id=waiting)[0].attempts == 2)
        assert [record.act for record in script.records[:2]] == ["Resume-Message", "Suspend-Message"]

    def test_remove(self, script: Script, stuck: House, waiting: str):
        assert script.run(f"Remove-Message -Identity {waiting} -WithNDR $false -Confirm:$false") == ""
        assert state(stuck, waiting) is State.DROPPED
        assert f"object '{waiting}' couldn't be found" in script.run(f"Get-Message {waiting}")
        assert script.run(f"(Get-MessageTrace -MessageTraceId {waiting}).Status") == "Failed\n"

    def test_remove_with_a_notification_is_refused(self, script: Script, stuck: House, waiting: str):
        shown = script.run(f"Remove-Message {waiting} -WithNDR $true -Confirm:$false")
        assert "give -WithNDR $false, and write to its sender." in shown
        assert state(stuck, waiting) is State.WAITING

    def test_remove_says_that_nobody_is_told_where_exchange_would(self, script: Script, stuck: House, waiting: str):
        shown = script.run(f"Remove-Message {waiting} -Confirm:$false")
        assert shown == "WARNING: Nobody is told here of a message that is removed, as -WithNDR $false says.\n"
        assert state(stuck, waiting) is State.DROPPED

    def test_it_asks_first(self, stuck: House, scripts: MakeScript, waiting: str):
        script = scripts(stuck, answers=("n",))
        assert f'target "127.0.0.1\\{waiting}"' in script.run(f"Remove-Message {waiting} -WithNDR $false")
        assert state(stuck, waiting) is State.WAITING
        assert "add -Confirm:$false" in scripts(stuck).run(f"Suspend-Message {waiting}")
        assert state(stuck, waiting) is State.WAITING

    def test_what_if(self, script: Script, stuck: House, waiting: str):
        shown = script.run(f"Suspend-Message {waiting} -WhatIf")
        assert shown == (f'What if: Performing the operation "Suspend-Message" on target "127.0.0.1\\{waiting}".\n')
        assert state(stuck, waiting) is State.WAITING

    def test_by_a_filter(self, script: Script, stuck: House, waiting: str):
        line = f"Suspend-Message -Filter \"Identity -like '*{waiting}'\" -Confirm:$false"
        assert script.run(line) == ""
        assert state(stuck, waiting) is State.HELD
        assert script.run("Remove-Message -Filter \"Subject -eq 'other'\" -WithNDR $false -Confirm:$false") == ""

    def test_what_is_held_already(self, script: Script, waiting: str):
        script.run(f"Suspend-Message {waiting} -Confirm:$false")
        assert f"nothing to hold: {waiting}" in script.run(f"Suspend-Message {waiting} -Confirm:$false")

    def test_what_is_not_there(self, script: Script):
        shown = script.run("Resume-Message nothing")
        assert "object 'nothing' couldn't be found; Get-Message lists what waits." in shown

    @pytest.mark.parametrize(
        "line",
        [
            "Suspend-Message {id} -Confirm:$false",
            "Resume-Message {id}",
            "Remove-Message {id} -WithNDR $false -Confirm:$false",
            "Retry-Queue 127.0.0.1",
        ],
    )
    def test_who_only_views_may_not(self, stuck: House, scripts: MakeScript, waiting: str, line: str):
        shown = scripts(stuck, Role.VIEW_ONLY).run(line.format(id=waiting))
        assert f"anna may not {line.split()[0]}: it needs the role Organization Management or Recipient" in shown
        assert state(stuck, waiting) is State.WAITING
        record = scripts(stuck).records[0]
        assert (record.act, record.outcome) == (line.split()[0], AuditOutcome.REFUSED)

    def test_an_operator_may(self, stuck: House, scripts: MakeScript, waiting: str):
        script = scripts(stuck, Role.MAIL_FLOW_OPERATOR)
        assert script.run(f"Remove-Message {waiting} -WithNDR $false -Confirm:$false") == ""
        assert state(stuck, waiting) is State.DROPPED
