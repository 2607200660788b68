"""What is left of an app that was deleted: counts."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0035"
down_revision = "0034"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Only add."""
    execute_script(op.get_bind(), (_SQL / "0035_erased_apps.sql").read_text())
