"""Read and delivery positions of many members in one statement, and who shows its own."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0018"
down_revision = "0017"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add columns, a table and functions."""
    execute_script(op.get_bind(), (_SQL / "0018_receipts.sql").read_text())
