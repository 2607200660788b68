"""The chat schema: users, channels, logs, messages, usage, and the functions that keep the logs' rules."""

from pathlib import Path

from alembic import op

from kernel.outbox import OUTBOX_TABLE
from ops.migrations.script import execute_script

revision = "0001"
down_revision = None

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Make everything. The roles exist already, see `ops.migrations`."""
    connection = op.get_bind()
    op.execute("create schema if not exists chat")
    execute_script(connection, OUTBOX_TABLE.format(schema="chat"))
    execute_script(connection, (_SQL / "0001_tables.sql").read_text())
    execute_script(connection, (_SQL / "0001_functions.sql").read_text())
