"""Blocks between users, and a flush that heeds them and deactivation."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0011"
down_revision = "0010"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add the table, replace the function."""
    execute_script(op.get_bind(), (_SQL / "0011_blocks.sql").read_text())
