"""Channels of many members: roles are mentioned by their index, mentions go in batches."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0031"
down_revision = "0028"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Replace what read or wrote all of a channel at once."""
    execute_script(op.get_bind(), (_SQL / "0031_crowds.sql").read_text())
