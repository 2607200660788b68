"""Counts the members of channels that were there before their number was kept."""

from alembic import op

from ops.migrations.script import execute_script

revision = "0007"
down_revision = "0006"

# Small transactions, so that a send never waits long for a head and no sync cursor is held up. Of a head that a writer
# of members moves at the same moment, the trigger counts and this skips, or this counts and the trigger adds.
_BACKFILL = """
do $$
declare v_app uuid := '00000000-0000-0000-0000-000000000000'; v_log text := ''; v_count int;
begin
    loop
        with batch as materialized (
            select h.app_id, h.log from chat.log_heads h
            where (h.app_id, h.log) > (v_app, v_log) order by h.app_id, h.log limit 500
        ), counted as (
            update chat.log_heads h set member_count = case when left(h.log, 2) <> 'c:' then 0 else (
                select count(*) from chat.members b where b.app_id = h.app_id and b.channel_id = substr(h.log, 3)) end
            from batch b where h.app_id = b.app_id and h.log = b.log and h.member_count is null
        )
        select count(*), (array_agg(b.app_id order by b.app_id desc, b.log desc))[1],
               (array_agg(b.log order by b.app_id desc, b.log desc))[1]
        into v_count, v_app, v_log from batch b;
        commit;
        exit when v_count = 0;
    end loop;
end $$
"""


def upgrade() -> None:
    """Count in small transactions of its own; run again, it goes on with what is not counted."""
    connection = op.get_bind()
    with op.get_context().autocommit_block():
        execute_script(connection, "set role natter_engine")  # row-level security hides the heads from a mere owner
        execute_script(connection, _BACKFILL)
        execute_script(connection, "reset role")
