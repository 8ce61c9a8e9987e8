"""Validate-OutboundConnector: doctor's steps for one connector, with a test mail at the end.

https://learn.microsoft.com/powershell/module/exchangepowershell/validate-outboundconnector
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from typing import TYPE_CHECKING

from posthouse.admin import Act, AdminError, Administration, Permission
from posthouse.cmdlets.conversion import STRING, STRINGS
from posthouse.cmdlets.exchange.changes import told
from posthouse.cmdlets.exchange.objects import found
from posthouse.cmdlets.exchange.outbound_connector import KIND
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, Parameter, View
from posthouse.cmdlets.mail.administered import stored_organization
from posthouse.cmdlets.values import PSObject, Value
from posthouse.mail.address import parse_address
from posthouse.organization import OutboundConnector
from posthouse.organization.routing import route
from posthouse.settings import Settings
from posthouse.spool import Secrets, Store, open_store

if TYPE_CHECKING:
    from posthouse.probe.doctor import Step
    from posthouse.probe.doctor.case import Case

TYPE = "Microsoft.Exchange.Management.SystemConfigurationTasks.OutboundConnectorValidationResult"
_ACT = Act("Validate-OutboundConnector", Permission.SEND_TEST)
_RESULTS = {"ok": "Succeeded", "warning": "Warning", "failed": "Failed", "skipped": "Skipped"}
_AT_ONCE = 2  # recipients that doctor asks about


def validate(context: Context, bound: Bound) -> Iterator[Value]:
    administration, settings = context.service(Administration), context.service(Settings)
    with told(context, bound["Identity"]), closing(open_store(settings.store_url, settings.data_dir)) as store:
        with administration.ledger.attempt(_ACT, bound["Identity"]) as record:
            case = _case(settings, store)
            [connector] = found(KIND, case.organization.outbound, bound["Identity"])
            recipients = [_carried(case, connector, address) for address in bound["Recipients"]]
            if not context.should_process(connector.name):
                return
            administration.ledger.write(record())
        yield from map(_shown, asyncio.run(_all_steps(case, connector, recipients)))


def _case(settings: Settings, store: Store) -> Case:
    from posthouse.net.dns import Resolver
    from posthouse.probe.doctor.case import Case, Options
    from posthouse.transports.tokens import TokenSource

    resolver = Resolver(settings.delivery.nameservers)
    return Case(settings, stored_organization(store), resolver, Secrets(store).get, TokenSource(store), Options())


def _carried(case: Case, connector: OutboundConnector, address: str) -> str:
    recipient = str(parse_address(address))
    if route(case.organization, recipient).connector != connector:
        raise AdminError(
            f'Recipients: mail for "{recipient}" does not go by this connector; name recipients in its RecipientDomains'
        )
    return recipient


async def _all_steps(case: Case, connector: OutboundConnector, recipients: Sequence[str]) -> list[Step]:
    """Doctor is sent for two recipients at a time. What it says again isn't told again."""
    from posthouse.probe.doctor import Options
    from posthouse.probe.doctor.connector import steps

    distinct: dict[Step, None] = {}
    for first in range(0, len(recipients), _AT_ONCE):
        internal, *external = recipients[first : first + _AT_ONCE]
        options = Options(internal=internal, external="".join(external), send=True)
        async with aclosing(steps(replace(case, options=options), connector)) as walk:
            async for step in walk:
                distinct[step] = None
    return list(distinct)


def _shown(step: Step) -> PSObject:
    properties = {
        "Connector": step.subject,
        "Result": _RESULTS[step.status],
        "Task": step.text,
        "Remedy": step.remedy,
        "Explanation": step.explanation.title if step.explanation else "",
    }
    return PSObject.of(TYPE, properties)


OUTBOUND_VALIDATION_CMDLETS = Library(
    cmdlets=(
        Cmdlet(
            "Validate-OutboundConnector",
            (
                Parameter(
                    name="Identity", type=STRING, mandatory=True, from_pipeline_by_name=True, help="The Name or Guid."
                ),
                Parameter(name="Recipients", type=STRINGS, mandatory=True, help="They get a test mail."),
            ),
            validate,
            synopsis="Walks the way of an outbound connector step by step, and sends a test mail.",
            should_process=True,
        ),
    ),
    views={TYPE: View(("Result", "Task", "Remedy"))},
)
