"""Channel types, roles and what they may do; the flush judges by them."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0012"
down_revision = "0011"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add the tables, and the functions that look at them."""
    execute_script(op.get_bind(), (_SQL / "0012_grants.sql").read_text())
