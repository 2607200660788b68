"""Invites: who was asked to become a member of a channel."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0024"
down_revision = "0014"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add the table."""
    execute_script(op.get_bind(), (_SQL / "0024_invites.sql").read_text())
