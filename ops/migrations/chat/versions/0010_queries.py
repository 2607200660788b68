"""What queries rest on: indexes, words of names, declared custom fields."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0010"
down_revision = "0007"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add tables, functions and triggers."""
    execute_script(op.get_bind(), (_SQL / "0010_queries.sql").read_text())
