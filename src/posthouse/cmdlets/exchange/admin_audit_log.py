"""Search-AdminAuditLog: who did what.

https://learn.microsoft.com/powershell/module/exchangepowershell/search-adminauditlog
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from posthouse.admin import Administration
from posthouse.cmdlets.conversion import BOOLEAN, DATE, INT, STRINGS
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.exchange.changes import told
from posthouse.cmdlets.exchange.parameters import DOMAIN_CONTROLLER
from posthouse.cmdlets.exchange.wording import spelled, worded
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, Parameter, View
from posthouse.cmdlets.patterns import like
from posthouse.cmdlets.values import PSObject, Value
from posthouse.spool import AuditChange, AuditFilter, AuditOutcome, AuditRecord

TYPE = "Microsoft.Exchange.Management.SystemConfigurationTasks.AdminAuditLogEvent"
_DAYS = 14  # that are searched if no date is given, as in Exchange Online
_USUAL, _MOST = 1000, 250_000
_EVENT_SIZE = 500  # characters, about
_TABLES = ("Limits", "Delivery")
_SPELLED = {"Type": "DomainType"}


def search(context: Context, bound: Bound) -> Iterator[Value]:
    if "Parameters" in bound and "Cmdlets" not in bound:
        text = "Parameters needs Cmdlets beside it; name the cmdlets whose parameters these are."
        raise PSError(text, category="InvalidArgument", error_id="TaskArgumentException")
    if not 0 < bound.get("ResultSize", _USUAL) <= _MOST or bound.get("StartIndex", 0) < 0:
        text = f"ResultSize is from 1 to {_MOST}, and StartIndex 0 or more."
        raise PSError(text, category="InvalidArgument", error_id="TaskArgumentException")
    start = bound.get("StartIndex", 0)
    with told(context, ""):
        records = context.service(Administration).audit.find(_filter(context, bound))
        wanted = (record for record in map(_by_parameters, records) if _is_wanted(record, bound))
        for record in islice(wanted, start, start + bound.get("ResultSize", _USUAL)):
            context.charge(_EVENT_SIZE)
            yield _event(record)


def _filter(context: Context, bound: Bound) -> AuditFilter:
    since, until = bound.get("StartDate"), bound.get("EndDate")
    if since is None and until is None:
        since = context.services.now() - timedelta(days=_DAYS)
    return AuditFilter(since=_moment(since), until=_moment(until))


def _moment(date: datetime | None) -> float | None:
    """One without a zone is in UTC."""
    return date and (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _by_parameters(record: AuditRecord) -> AuditRecord:
    """With its changes by the parameters that make them: a table of limits is recorded as a whole."""
    return replace(record, changes=tuple(part for change in record.changes for part in _parts(change)))


def _parts(change: AuditChange) -> Iterator[AuditChange]:
    if change.key not in _TABLES:
        yield replace(change, key=_SPELLED.get(change.key, change.key))
        return
    before, after = change.before or {}, change.after or {}
    for key in {**before, **after}:
        if before.get(key) != after.get(key):
            yield AuditChange(spelled(key), before.get(key), after.get(key))


def _is_wanted(record: AuditRecord, bound: Bound) -> bool:
    keys = [change.key for change in record.changes]
    return (
        _fits([record.act], bound.get("Cmdlets"))
        and _fits([record.object], bound.get("ObjectIds"))
        and _fits([record.who], bound.get("UserIds"))
        and _fits(keys, bound.get("Parameters"))
        and not bound.get("ExternalAccess")
        and bound.get("IsSuccess") in (None, record.outcome is AuditOutcome.OK)
    )


def _fits(words: Sequence[str], patterns: Sequence[str] | None) -> bool:
    return patterns is None or any(like(word, pattern) for word in words for pattern in patterns)


def _event(record: AuditRecord) -> PSObject:
    properties: dict[str, Value] = {
        "ObjectModified": record.object,
        "CmdletName": record.act,
        "CmdletParameters": _listed(record.changes, _parameter),
        "ModifiedProperties": _listed(record.changes, _modified),
        "Caller": record.who,
        "ExternalAccess": False,
        "Succeeded": record.outcome is AuditOutcome.OK,
        "Error": worded(record.reason) or None,
        "RunDate": datetime.fromtimestamp(record.at, UTC).astimezone(),
        "OriginatingServer": record.origin,
        "Face": record.face,
    }
    return PSObject.of(TYPE, properties)


def _listed(changes: Sequence[AuditChange], shown: Callable[[AuditChange], PSObject]) -> list[PSObject]:
    return [shown(change) for change in changes]


def _parameter(change: AuditChange) -> PSObject:
    kind = "Microsoft.Exchange.Data.ApplicationLogic.AdminAuditLogCmdletParameter"
    return PSObject.of(kind, {"Name": change.key, "Value": _text(change.after)}, change.key)


def _modified(change: AuditChange) -> PSObject:
    values = {"Name": change.key, "NewValue": _text(change.after), "OldValue": _text(change.before)}
    return PSObject.of("Microsoft.Exchange.Data.ApplicationLogic.AdminAuditLogModifiedProperty", values, change.key)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ";".join(map(_text, value))
    if value is None:
        return ""
    return str(value) if isinstance(value, str | bool | int | float) else json.dumps(value, ensure_ascii=False)


ADMIN_AUDIT_LOG_CMDLETS = Library(
    cmdlets=(
        Cmdlet(
            "Search-AdminAuditLog",
            (
                Parameter(name="Cmdlets", type=STRINGS, from_pipeline_by_name=True, help="Names, with * as wildcard."),
                Parameter(name="Parameters", type=STRINGS, help="Names of properties that changed."),
                Parameter(name="StartDate", type=DATE, help="In UTC, if it names no zone."),
                Parameter(name="EndDate", type=DATE, help="In UTC, if it names no zone."),
                Parameter(name="ObjectIds", type=STRINGS, help="Names, with * as wildcard."),
                Parameter(name="UserIds", type=STRINGS, help="Names, with * as wildcard."),
                Parameter(name="IsSuccess", type=BOOLEAN),
                Parameter(name="ExternalAccess", type=BOOLEAN, help="$true finds nothing: nobody else has access."),
                Parameter(name="ResultSize", type=INT, help="1000 by default."),
                Parameter(name="StartIndex", type=INT, help="How many to leave out first."),
                *DOMAIN_CONTROLLER,
            ),
            search,
            synopsis="Finds what administrators did or were refused, newest first.",
        ),
    ),
    views={
        TYPE: View(
            (
                *("ObjectModified", "CmdletName", "CmdletParameters", "ModifiedProperties", "Caller", "Succeeded"),
                *("Error", "RunDate", "OriginatingServer", "Face"),
            ),
            as_list=True,
        )
    },
)
