"""Stored bytes are counted, in the transaction of what is stored, edited or wiped."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0034"
down_revision = "0032"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Count what is there and go on counting. Writers wait while it is counted: a scan of the messages."""
    execute_script(op.get_bind(), (_SQL / "0034_storage.sql").read_text())
