"""The store's tables, for SQLite and PostgreSQL alike. A change here needs a migration and a new REVISION.

`message` and `recipient` are queue and message trace in one: a row is written at acceptance, settled where it stands,
and purged when the trace has been kept long enough. The partial indexes hold only what is still in the queue, so
finished rows cost nothing. Message ids sort by time, so every table grows at its end. Times are Unix time in seconds.
"""

from __future__ import annotations

import sqlalchemy as sa

from posthouse.observe import DELIVERY_SECONDS

REVISION = "0006"
"""The newest migration."""

METADATA = sa.MetaData()

Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""A message id: compared as bytes, so that its order is that of time on PostgreSQL too."""

Time = sa.Double
WAITING = sa.literal_column("'waiting'", sa.Text)
HELD = sa.literal_column("'held'", sa.Text)
"""Literals, never parameters: SQLite uses a partial index only where it sees the index's own condition."""

message = sa.Table(
    "message",
    METADATA,
    sa.Column("id", Key, primary_key=True, nullable=False),
    sa.Column("received_at", Time, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("reverse_path", sa.Text, nullable=False),
    sa.Column("ret", sa.Text),
    sa.Column("envid", sa.Text),
    sa.Column("smtputf8", sa.Boolean, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("connector", sa.Text, comment="inbound"),
    sa.Column("client", sa.Text, nullable=False, comment="JSON"),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("header_message_id", sa.Text, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

recipient = sa.Table(
    "recipient",
    METADATA,
    sa.Column("message_id", Key, primary_key=True, nullable=False),
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False, comment="in the envelope"),
    sa.Column("forward_path", sa.Text, nullable=False),
    sa.Column("notify", sa.Text, nullable=False),
    sa.Column("orcpt", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("worker", sa.BigInteger, comment="who leases it, while it waits"),
    sa.Column("due", Time, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("delay_warned", sa.Boolean, nullable=False),
    sa.Column("connector", sa.Text, nullable=False, comment="outbound"),
    sa.Column("destination", sa.Text, nullable=False),
    sa.Column("code", sa.Integer, comment="the last reply, NULL before the first"),
    sa.Column("enhanced", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("remote", sa.Text, nullable=False),
    sa.Column("at", Time, comment="of the last outcome"),
    sqlite_with_rowid=False,
)

sa.Index(
    "recipient_due",
    recipient.c.worker,
    recipient.c.due,
    sqlite_where=recipient.c.state == WAITING,
    postgresql_where=recipient.c.state == WAITING,
)
_LIVE = recipient.c.state.in_([WAITING, HELD])
sa.Index("recipient_live", recipient.c.message_id, recipient.c.place, sqlite_where=_LIVE, postgresql_where=_LIVE)

content = sa.Table(
    "content",
    METADATA,
    sa.Column("message_id", Key, primary_key=True, nullable=False),
    sa.Column("piece", sa.Integer, primary_key=True, nullable=False, autoincrement=False),
    sa.Column("length", sa.BigInteger, nullable=False),
    sa.Column("data", sa.LargeBinary, comment="the bytes, or NULL where they are in a file"),
    sa.Column("file", sa.Text),
    sa.Column("offset", sa.BigInteger),
)
sa.Index(
    "content_file",
    content.c.file,
    sqlite_where=content.c.file.is_not(None),
    postgresql_where=content.c.file.is_not(None),
)

event = sa.Table(
    "event",
    METADATA,
    sa.Column("id", sa.Integer().with_variant(sa.BigInteger, "postgresql"), primary_key=True),
    sa.Column("message_id", Key, nullable=False),
    sa.Column("place", sa.Integer, comment="NULL: all recipients"),
    sa.Column("at", Time, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)
sa.Index("event_message", event.c.message_id)

worker = sa.Table(
    "worker",
    METADATA,
    sa.Column("id", sa.Integer().with_variant(sa.BigInteger, "postgresql"), primary_key=True),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started_at", Time, nullable=False),
    sa.Column("heartbeat_at", Time, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, comment="the organization's, as far as this worker has it"),
    sqlite_autoincrement=True,
)

organization = sa.Table(
    "organization",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False, comment="1: there is one"),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("document", sa.Text, nullable=False, comment="JSON"),
)

secret = sa.Table(
    "secret",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True, nullable=False),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
)

access_token = sa.Table(
    "access_token",
    METADATA,
    sa.Column("credential", sa.Text, primary_key=True, nullable=False, comment="a hash of all that it is"),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False, comment="JSON, encrypted"),
    sa.Column("renewing_until", Time, nullable=False, comment="until then one worker is getting the next one"),
)

allowance = sa.Table(
    "allowance",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True, nullable=False, comment="whose limit, and which"),
    sa.Column("started", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False, comment="in ms"),
    sa.Column("used", sa.Integer, nullable=False, comment="in the span of time that began then"),
)

connection_share = sa.Table(
    "connection_share",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True, nullable=False, comment="whose limit"),
    sa.Column("worker", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False),
    sa.Column("connector", sa.Text, primary_key=True, nullable=False, comment="whose mail they are for"),
    sa.Column("connections", sa.Integer, nullable=False, comment="that the worker may have open"),
)

tally = sa.Table(
    "tally",
    METADATA,
    sa.Column("at", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False, comment="start of a minute"),
    *(
        sa.Column(name, sa.BigInteger, nullable=False)
        for name in ("accepted", "delivered", "deferred", "failed", "refused")
    ),
    *(sa.Column(f"took_{place}", sa.BigInteger, nullable=False) for place in range(len(DELIVERY_SECONDS) + 1)),
)
"""What all workers counted in a minute. `took_N` are deliveries that took up to the Nth of `DELIVERY_SECONDS`, and more
than the one before; other bounds need other rows."""

administrator = sa.Table(
    "administrator",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True, nullable=False, comment="in lower case"),
    sa.Column("password_hash", sa.Text, nullable=False, comment="argon2id"),
    sa.Column("roles", sa.Text, nullable=False, comment="JSON"),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("totp_step", sa.BigInteger, nullable=False, comment="of the last code: none is taken twice"),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("last_sign_in_at", Time),
)

session = sa.Table(
    "session",
    METADATA,
    sa.Column("hash", sa.Text, primary_key=True, nullable=False, comment="SHA-256 of the id"),
    sa.Column("administrator", sa.Text, nullable=False, comment="or oidc:NAME"),
    sa.Column("origin", sa.Text, nullable=False, comment="the IP address that it began from"),
    sa.Column("claims", sa.Text, nullable=False, comment="JSON: what an identity provider says of oidc:NAME"),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("seen_at", Time, nullable=False),
)
sa.Index("session_administrator", session.c.administrator)

invitation = sa.Table(
    "invitation",
    METADATA,
    sa.Column("administrator", sa.Text, primary_key=True, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, comment="SHA-256 of the one-time secret"),
    sa.Column("expires_at", Time, nullable=False),
)

recovery_code = sa.Table(
    "recovery_code",
    METADATA,
    sa.Column("administrator", sa.Text, primary_key=True, nullable=False),
    sa.Column("hash", sa.Text, primary_key=True, nullable=False, comment="SHA-256"),
)

sign_in_failure = sa.Table(
    "sign_in_failure",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True, nullable=False, comment="an account or an origin"),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("until", Time, nullable=False, comment="when the next try is let in"),
    sa.Column("at", Time, nullable=False),
)
sa.Index("sign_in_failure_at", sign_in_failure.c.at)

setup = sa.Table(
    "setup",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False, comment="1: there is one at most"),
    sa.Column("hash", sa.Text, nullable=False, comment="SHA-256 of the one-time secret"),
    sa.Column("expires_at", Time, nullable=False),
)

token = sa.Table(
    "token",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, comment="SHA-256"),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("expires_at", Time, nullable=False),
    sa.Column("used_at", Time),
)
sa.Index("token_hash", token.c.hash, unique=True)

audit = sa.Table(
    "audit",
    METADATA,
    sa.Column("id", sa.Integer().with_variant(sa.BigInteger, "postgresql"), primary_key=True),
    sa.Column("at", Time, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("face", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("act", sa.Text, nullable=False),
    sa.Column("object", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("changes", sa.Text, nullable=False, comment="JSON"),
    sqlite_autoincrement=True,
)
sa.Index("audit_at", audit.c.at, audit.c.id)

version = sa.table("alembic_version", sa.column("version_num", sa.Text))
