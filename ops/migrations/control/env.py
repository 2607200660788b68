"""Alembic's entry for the control schema."""

from alembic import context

from ops.migrations.upgrade import run_environment

run_environment(context, "control", "natter_control")
