"""An index of the slow channels, which nodes look up every second."""

from alembic import op

from ops.migrations.script import execute_script

revision = "0016"
down_revision = "0018"


def upgrade() -> None:
    """Few channels are in it."""
    execute_script(
        op.get_bind(),
        "create index channels_slow on chat.channels (app_id, id) where slow_mode > 0 and deleted_at is null",
    )
