"""The durable store of accepted messages: group commit, leases, trace, queue, secrets, the organization's document.

`open_store(url, data_dir)` creates or migrates the store and gives a `Store`, on which stand, each made as `X(store)`:
`Spool`, a worker's side, asynchronous with a writer thread; and, blocking, `Workers`, `Organizations`, `Secrets`,
`Trace`, `Queue`, `Overview`, `Tallies`, `AuditLog`, `AdministratorTable`, `SignInTable` and `TokenTable`.
"""

from posthouse.spool.access_tokens import AccessTokens, HeldToken, Holding, TokenRefusal
from posthouse.spool.administrators import Administrator, AdministratorChange, AdministratorTable
from posthouse.spool.allowances import Allowance, Grant, Share, Wish
from posthouse.spool.audit import (
    AuditChange,
    AuditFilter,
    AuditLog,
    AuditOutcome,
    AuditPage,
    AuditRecord,
)
from posthouse.spool.contents import Incoming
from posthouse.spool.organizations import Organizations
from posthouse.spool.overview import Group, Overview, Recent, Standing, Use, Used
from posthouse.spool.queue import Queue
from posthouse.spool.records import (
    Event,
    EventKind,
    Lease,
    NewMessage,
    OrganizationDocument,
    Origin,
    Pending,
    QueueChange,
    QueueFilter,
    QueueGroup,
    QueueGroups,
    RevisionConflict,
    Settlement,
    SpoolError,
    State,
    StoreTooNew,
    StoreUnavailable,
    StoreUncertain,
    StoreUnusable,
    TraceEntry,
    TraceFilter,
    TracePage,
    Worker,
)
from posthouse.spool.secrets import Secrets
from posthouse.spool.sign_ins import NewSession, SecondProof, SignInTable, StoredSession
from posthouse.spool.spool import Spool
from posthouse.spool.store import Store, open_store
from posthouse.spool.tally import Tallies, Tally
from posthouse.spool.tokens import Token, TokenTable
from posthouse.spool.trace import Trace
from posthouse.spool.workers import Workers

__all__ = [
    "AccessTokens",
    "Administrator",
    "AdministratorChange",
    "AdministratorTable",
    "Allowance",
    "AuditChange",
    "AuditFilter",
    "AuditLog",
    "AuditOutcome",
    "AuditPage",
    "AuditRecord",
    "Event",
    "EventKind",
    "Grant",
    "Group",
    "HeldToken",
    "Holding",
    "Incoming",
    "Lease",
    "NewMessage",
    "NewSession",
    "OrganizationDocument",
    "Organizations",
    "Origin",
    "Overview",
    "Pending",
    "Queue",
    "QueueChange",
    "QueueFilter",
    "QueueGroup",
    "QueueGroups",
    "Recent",
    "RevisionConflict",
    "SecondProof",
    "Secrets",
    "Settlement",
    "Share",
    "SignInTable",
    "Spool",
    "SpoolError",
    "Standing",
    "State",
    "Store",
    "StoreTooNew",
    "StoreUnavailable",
    "StoreUncertain",
    "StoreUnusable",
    "StoredSession",
    "Tallies",
    "Tally",
    "Token",
    "TokenRefusal",
    "TokenTable",
    "Trace",
    "TraceEntry",
    "TraceFilter",
    "TracePage",
    "Use",
    "Used",
    "Wish",
    "Worker",
    "Workers",
    "open_store",
]
