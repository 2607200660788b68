"""Two-step sign-in, recovery codes, when a session last proved who it is, and addresses that change."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0004"
down_revision = "0003"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Only add: sessions of before count as not confirmed, and servers of the release before write no new purpose."""
    execute_script(op.get_bind(), (_SQL / "0004_security.sql").read_text())
