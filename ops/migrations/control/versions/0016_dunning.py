"""What is unpaid has its steps, and an app can be held without being suspended by somebody."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0016"
down_revision = "0013"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Only add: servers of the release before hold nothing, and know no hold."""
    execute_script(op.get_bind(), (_SQL / "0016_dunning.sql").read_text())
