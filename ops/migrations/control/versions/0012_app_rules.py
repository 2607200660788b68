"""Keys know when they were last used; apps are promoted once, and what is deleted stays so."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0012"
down_revision = "0011"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Only add."""
    execute_script(op.get_bind(), (_SQL / "0012_app_rules.sql").read_text())
