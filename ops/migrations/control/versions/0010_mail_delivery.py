"""Letters know whether they were delivered."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0010"
down_revision = "0006"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Only add: what the release before writes gets defaults, and is delivered by this one's worker."""
    execute_script(op.get_bind(), (_SQL / "0010_mail_delivery.sql").read_text())
