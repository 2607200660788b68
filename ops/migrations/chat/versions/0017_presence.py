"""What users have chosen of their presence, and when they were last active."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0017"
down_revision = "0015"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add the table."""
    execute_script(op.get_bind(), (_SQL / "0017_presence.sql").read_text())
