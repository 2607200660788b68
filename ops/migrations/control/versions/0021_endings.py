"""Plans that had ended before that was a fact, key sets that are followed, chats of deleted apps that are erased."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0021"
down_revision = "0020"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add, and state what was left unsaid."""
    for name in ("0021_endings.sql", "0021_stated_late.sql"):
        execute_script(op.get_bind(), (_SQL / name).read_text())
