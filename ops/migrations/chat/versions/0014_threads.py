"""Threads, quotes, mentions; former contents, pins and hidden messages."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0014"
down_revision = "0023"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add the tables and the column, and the functions that look at them."""
    execute_script(op.get_bind(), (_SQL / "0014_threads.sql").read_text())
