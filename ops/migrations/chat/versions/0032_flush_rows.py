"""The rows of a flush are put together in time that grows with their number."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0032"
down_revision = "0031"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Replace a function."""
    execute_script(op.get_bind(), (_SQL / "0032_flush_rows.sql").read_text())
