"""A page of history in the form that costs a node least."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0005"
down_revision = "0002"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add the functions."""
    execute_script(op.get_bind(), (_SQL / "0005_history_page.sql").read_text())
