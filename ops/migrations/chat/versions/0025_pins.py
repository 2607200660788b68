"""Pins go when a channel's content is wiped."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0025"
down_revision = "0029"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Replace the functions that wipe."""
    execute_script(op.get_bind(), (_SQL / "0025_pins.sql").read_text())
