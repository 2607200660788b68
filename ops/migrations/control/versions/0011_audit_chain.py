"""The audit log becomes a chain of hashes for each organization; what is there is chained too."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0011"
down_revision = "0010"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Only add. A trigger chains what servers of the release before write."""
    execute_script(op.get_bind(), (_SQL / "0011_audit_chain.sql").read_text())
