"""Terms of apps as facts, credits, coupons, invoices, alerts, and the level of stored bytes."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0006"
down_revision = "0005"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Only add: servers of the release before go on, and know nothing of it."""
    execute_script(op.get_bind(), (_SQL / "0006_billing.sql").read_text())
