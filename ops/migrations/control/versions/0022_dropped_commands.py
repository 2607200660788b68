"""Requests that Stripe refused and that staff lets be."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0022"
down_revision = "0021"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add."""
    execute_script(op.get_bind(), (_SQL / "0022_dropped_commands.sql").read_text())
