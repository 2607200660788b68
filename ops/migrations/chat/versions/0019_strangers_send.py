"""Who may only watch a channel may not send there."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0019"
down_revision = "0016"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Replace a function."""
    execute_script(op.get_bind(), (_SQL / "0019_strangers_send.sql").read_text())
