"""Channels that are the only one of their members, and where the numbers of a truncated channel begin."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0022"
down_revision = "0019"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add columns and indexes, and fresh state that shows them."""
    execute_script(op.get_bind(), (_SQL / "0022_distinct.sql").read_text())
