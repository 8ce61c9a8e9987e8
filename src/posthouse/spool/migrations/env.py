"""Alembic's entry: runs the migrations on the connection that `posthouse.spool.store` hands over."""

from alembic import context

from posthouse.spool.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, compare_type=True)
context.run_migrations()
