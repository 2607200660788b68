"""Organizations change hands, close, come back or are erased, and may ask their members for two-step sign-in."""

from pathlib import Path

from alembic import op

from ops.migrations.script import execute_script

revision = "0005"
down_revision = "0004"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Only add: to servers of the release before, a closed organization looks open; its apps are suspended all the
    same once a server of this release answers the nodes."""
    execute_script(op.get_bind(), (_SQL / "0005_organization_life.sql").read_text())
