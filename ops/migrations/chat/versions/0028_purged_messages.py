"""Messages that are deleted for good."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0028"
down_revision = "0027"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add what takes a message's content away, and what empties the entries about it."""
    execute_script(op.get_bind(), (_SQL / "0028_purged_messages.sql").read_text())
