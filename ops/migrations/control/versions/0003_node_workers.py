"""A node may be several processes, each of which applies configuration by itself."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0003"
down_revision = "0002"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add the table, and let `live_nodes` look at it. Servers of the release before write no rows into it, and what
    they write elsewhere counts as before."""
    execute_script(op.get_bind(), (_SQL / "0003_node_workers.sql").read_text())
