"""Accounts, members, mails; row-level security on every tenant table, and a role for pages that it holds apart."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0002"
down_revision = "0001"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Only add: servers of the release before go on, for their role every policy says yes."""
    connection = op.get_bind()
    execute_script(connection, (_SQL / "0002_accounts.sql").read_text())
    execute_script(connection, (_SQL / "0002_tenants.sql").read_text())
    execute_script(connection, (_SQL / "0002_grants.sql").read_text())
