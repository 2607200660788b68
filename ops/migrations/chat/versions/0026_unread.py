"""What is unread in total, with mentions and threads, also for a connection that begins."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0026"
down_revision = "0024"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add the counts, and let `chat.connect_users` answer with the totals."""
    execute_script(op.get_bind(), (_SQL / "0026_unread.sql").read_text())
