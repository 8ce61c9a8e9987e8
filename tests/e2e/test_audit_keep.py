"""The audit log doesn't grow for ever."""

from __future__ import annotations

from support.house import MakeHouse, wait_for


def test_records_older_than_audit_keep_are_purged_by_a_running_house(house: MakeHouse) -> None:
    relay = house("", '\n[limits]\naudit_keep = "1s"\n')
    relay.patch("from posthouse.relay import worker\nworker._HOUSEKEEPING = 0.2")
    relay.run("domain", "new", "contoso.com")
    assert [record["act"] for record in relay.read("audit")] == ["New-AcceptedDomain"]
    relay.start()
    wait_for(lambda: not relay.read("audit"), what="the record to be purged")
