"""The Exchange Online tenant behind this relay: what it has, what it lacks for this relay's mail, and getting it there.

`facts.py` reads, `ways.py` tells what this relay sends by, `plan.py` compares (pure), `acts.py` carries out on
confirmation, `script.py` prints the same for whoever has no access by API. What wasn't made from here is left alone.
"""

from posthouse.admin.tenant.acts import Done, Tenant, Wish
from posthouse.admin.tenant.facts import TenantConnector, TenantState
from posthouse.admin.tenant.plan import Act, Item, Plan
from posthouse.admin.tenant.script import plan_script
from posthouse.admin.tenant.shown import shown_done, shown_plan, shown_state
from posthouse.admin.tenant.verification import Trial, Verdict

__all__ = [
    "Act",
    "Done",
    "Item",
    "Plan",
    "Tenant",
    "TenantConnector",
    "TenantState",
    "Trial",
    "Verdict",
    "Wish",
    "plan_script",
    "shown_done",
    "shown_plan",
    "shown_state",
]
