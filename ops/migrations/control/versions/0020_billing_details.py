"""Who an organization is on its invoices."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0020"
down_revision = "0019"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Only add."""
    execute_script(op.get_bind(), (_SQL / "0020_billing_details.sql").read_text())
