"""Messages that somebody deletes for itself alone."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0027"
down_revision = "0025"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add what counting needs of hidden messages, and let it be counted wherever unread is."""
    execute_script(op.get_bind(), (_SQL / "0027_hidden_messages.sql").read_text())
