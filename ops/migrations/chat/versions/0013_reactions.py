"""Reactions, and the column that holds what is shown beside a message."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0013"
down_revision = "0012"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add the table and the column, and the functions that look at them."""
    execute_script(op.get_bind(), (_SQL / "0013_reactions.sql").read_text())
