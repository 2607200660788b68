"""A key knows that it was found where anybody can read it."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0019"
down_revision = "0016"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Only add."""
    execute_script(op.get_bind(), (_SQL / "0019_leaked_keys.sql").read_text())
