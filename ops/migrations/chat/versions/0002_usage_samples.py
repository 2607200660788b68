"""Samples of connections, of which the peak meter is made."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0002"
down_revision = "0001"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add the table."""
    execute_script(op.get_bind(), (_SQL / "0002_usage_samples.sql").read_text())
