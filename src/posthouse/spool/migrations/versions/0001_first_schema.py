"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SERIAL = sa.Integer().with_variant(sa.BigInteger, "postgresql")


def upgrade() -> None:
    _create_queue()
    _create_content()
    op.create_table(
        "event",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("message_id", _KEY, nullable=False),
        sa.Column("place", sa.Integer, comment="NULL: all recipients"),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("event_message", "event", ["message_id"])
    op.create_table(
        "worker",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("heartbeat_at", sa.Double, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False, comment="the organization's, as far as this worker has it"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "organization",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False, comment="1: there is one"),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False, comment="JSON"),
    )
    op.create_table(
        "secret",
        sa.Column("name", sa.Text, primary_key=True, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    )


def _create_queue() -> None:
    op.create_table(
        "message",
        sa.Column("id", _KEY, primary_key=True, nullable=False),
        sa.Column("received_at", sa.Double, nullable=False),
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
    op.create_table(
        "recipient",
        sa.Column("message_id", _KEY, primary_key=True, nullable=False),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False, comment="in the envelope"),
        sa.Column("forward_path", sa.Text, nullable=False),
        sa.Column("notify", sa.Text, nullable=False),
        sa.Column("orcpt", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("worker", sa.BigInteger, comment="who leases it, while it waits"),
        sa.Column("due", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("delay_warned", sa.Boolean, nullable=False),
        sa.Column("connector", sa.Text, nullable=False, comment="outbound"),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("code", sa.Integer, comment="the last reply, NULL before the first"),
        sa.Column("enhanced", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("remote", sa.Text, nullable=False),
        sa.Column("at", sa.Double, comment="of the last outcome"),
        sqlite_with_rowid=False,
    )
    _create_partial_index("recipient_due", "recipient", ["worker", "due"], "state = 'waiting'")
    _create_partial_index("recipient_live", "recipient", ["message_id", "place"], "state IN ('waiting', 'held')")


def _create_content() -> None:
    op.create_table(
        "content",
        sa.Column("message_id", _KEY, primary_key=True, nullable=False),
        sa.Column("piece", sa.Integer, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, comment="the bytes, or NULL where they are in a file"),
        sa.Column("file", sa.Text),
        sa.Column("offset", sa.BigInteger),
    )
    _create_partial_index("content_file", "content", ["file"], "file IS NOT NULL")


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
