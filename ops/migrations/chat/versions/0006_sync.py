"""Sync at scale: fixed plans, a page in one statement, and a number of members that is kept instead of counted."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0006"
down_revision = "0005"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add the column and what keeps it; replace the functions. What was there before is counted by 0007."""
    execute_script(op.get_bind(), (_SQL / "0006_sync.sql").read_text())
