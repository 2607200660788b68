"""Alembic's entry for the chat schema of a shard."""

from alembic import context

from ops.migrations.upgrade import run_environment

run_environment(context, "chat", "natter_engine")
