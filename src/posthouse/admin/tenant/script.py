"""A plan as a PowerShell script, for whoever administers the tenant and gives nobody's application that right."""

from __future__ import annotations

from posthouse.admin.migration.script import encoded, remark, splat
from posthouse.admin.tenant.plan import Item, Plan

_HEAD = """\
# What `posthouse tenant plan` would do in the tenant. Look through it, then run it in Exchange Online PowerShell:
# https://learn.microsoft.com/powershell/exchange/connect-to-exchange-online-powershell
"""
_UNINFORMED = """\
# The tenant was not looked at: see by Get-InboundConnector that there is no such connector already.
"""


def plan_script(plan: Plan) -> str:
    """What isn't run stands in comments."""
    head = _HEAD if plan.is_informed else _HEAD + _UNINFORMED
    return encoded("\n".join((head, *map(_part, plan.items))))


def _part(item: Item) -> str:
    """Names of connectors are the tenant's: in a comment they are one line, in a command they are quoted."""
    said = remark(f"{item.act}: {item.about}: {item.why}")
    return f"{said}{splat(item.parameters)}{item.cmdlet} @splat\n" if item.cmdlet else said
