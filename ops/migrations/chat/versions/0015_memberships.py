"""What a member has of its own in a channel, and what a channel says of its history and pace."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0015"
down_revision = "0013"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add the columns, their indexes, and fresh state that shows them."""
    execute_script(op.get_bind(), (_SQL / "0015_memberships.sql").read_text())
