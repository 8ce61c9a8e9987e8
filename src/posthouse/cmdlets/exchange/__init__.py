"""The cmdlets of Exchange Online that configure.

They need an `Administration` and the node's `Settings` as services.
"""

from posthouse.cmdlets.exchange.accepted_domain import ACCEPTED_DOMAIN_CMDLETS
from posthouse.cmdlets.exchange.admin_audit_log import ADMIN_AUDIT_LOG_CMDLETS
from posthouse.cmdlets.exchange.inbound_connector import INBOUND_CONNECTOR_CMDLETS
from posthouse.cmdlets.exchange.management_role_assignment import MANAGEMENT_ROLE_ASSIGNMENT_CMDLETS
from posthouse.cmdlets.exchange.organization_config import ORGANIZATION_CONFIG_CMDLETS
from posthouse.cmdlets.exchange.outbound_connector import OUTBOUND_CONNECTOR_CMDLETS
from posthouse.cmdlets.exchange.outbound_validation import OUTBOUND_VALIDATION_CMDLETS
from posthouse.cmdlets.exchange.role_group import ROLE_GROUP_CMDLETS
from posthouse.cmdlets.exchange.transport_config import TRANSPORT_CONFIG_CMDLETS

EXCHANGE = (
    INBOUND_CONNECTOR_CMDLETS
    + OUTBOUND_CONNECTOR_CMDLETS
    + ACCEPTED_DOMAIN_CMDLETS
    + OUTBOUND_VALIDATION_CMDLETS
    + ORGANIZATION_CONFIG_CMDLETS
    + TRANSPORT_CONFIG_CMDLETS
    + ADMIN_AUDIT_LOG_CMDLETS
    + ROLE_GROUP_CMDLETS
    + MANAGEMENT_ROLE_ASSIGNMENT_CMDLETS
)

__all__ = ["EXCHANGE"]
