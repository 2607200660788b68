"""Truncation: what is gone with it is unread to nobody, and a hard one takes its content."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0023"
down_revision = "0022"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Replace functions and add two."""
    execute_script(op.get_bind(), (_SQL / "0023_truncate.sql").read_text())
