"""What is known of Stripe: customers, subscriptions, invoices, its events, and what is to be told and asked of it."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0013"
down_revision = "0012"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Only add: without Stripe the tables stay empty."""
    execute_script(op.get_bind(), (_SQL / "0013_stripe.sql").read_text())
