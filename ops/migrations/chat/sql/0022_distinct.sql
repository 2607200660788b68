-- Channels that are the only one of their members, and where the numbers of a truncated channel begin.

alter table chat.channels
    -- Of type and members, where these make the channel: there is no second one. See `members_digest` in channels/distinct.py.
    add column members_digest bytea,
    -- The number of the newest message that a truncation took away: what is up to it is unread to nobody.
    add column truncated_number bigint not null default 0;

-- A deleted channel's members may begin another.
create unique index channels_by_members on chat.channels (app_id, members_digest)
    where members_digest is not null and deleted_at is null;
-- Few channels are ever truncated; sync looks for those among the ones it tells of.
create index channels_truncated on chat.channels (app_id, id) where truncated_to > 0;

-- The new owner needs create on the schema for the moment only.
grant create on schema chat to natter_engine;
set local role natter_engine;

-- As before, with what 0022 adds.
drop function chat.fresh_state(uuid, text);
create function chat.fresh_state(p_app uuid, p_user text)
returns table (
    horizon bigint, id text, type text, name text, image text, custom text, created_by text, frozen boolean,
    created_at timestamptz, updated_at timestamptz, last_seq bigint, last_number bigint, member_count int,
    role text, joined_seq bigint, joined_at timestamptz, read_number bigint, grants text, app_role text, app_seq bigint,
    history text, truncated_to bigint, slow_mode int, history_from bigint, cleared_to bigint, member_custom text,
    archived_at timestamptz, hidden_number bigint, muted_at timestamptz, muted_until timestamptz,
    pin_order double precision, is_distinct boolean, truncated_number bigint
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
#variable_conflict use_column
declare v_ids text[]; v_role text; v_seq bigint;
begin
    select u.role into v_role from chat.users u where u.app_id = p_app and u.id = p_user;
    select h.last_seq into v_seq from chat.log_heads h where h.app_id = p_app and h.log = 'a:';
    v_ids := array(select b.channel_id from chat.members b
                   where b.app_id = p_app and b.user_id = p_user order by b.channel_id);
    return query
    with b as materialized (
        select b.* from chat.members b where b.app_id = p_app and b.user_id = p_user
    ), c as materialized (
        select c.* from chat.channels c where c.app_id = p_app and c.id = any (v_ids) and c.deleted_at is null
    ), h as materialized (
        select substr(h.log, 3) as id, h.last_seq, h.last_number, h.member_count
        from chat.log_heads h
        where h.app_id = p_app and h.log = any (array(select 'c:' || i from unnest(v_ids) i))
    )
    select chat.horizon(), c.id, c.type, c.name, c.image, c.custom::text, c.created_by, c.frozen, c.created_at,
           c.updated_at, h.last_seq, h.last_number, h.member_count, b.role, b.joined_seq, b.joined_at, b.read_number,
           c.grants::text, v_role, v_seq, c.history, c.truncated_to, c.slow_mode, b.history_from, b.cleared_to, b.custom::text,
           b.archived_at, b.hidden_number, b.muted_at, b.muted_until, b.pin_order,
           c.members_digest is not null, c.truncated_number
    from b join c on c.id = b.channel_id join h on h.id = b.channel_id
    order by c.id;
    if not found then
        return query select chat.horizon(), null::text, null::text, null::text, null::text, null::text, null::text,
                            null::boolean, null::timestamptz, null::timestamptz, null::bigint, null::bigint, null::int,
                            null::text, null::bigint, null::timestamptz, null::bigint, null::text, v_role, v_seq,
                            null::text, null::bigint, null::int, null::bigint, null::bigint, null::text, null::timestamptz,
                            null::bigint, null::timestamptz, null::timestamptz, null::double precision,
                            null::boolean, null::bigint;
    end if;
end $$;

revoke execute on function chat.fresh_state from public;
reset role;
revoke create on schema chat from natter_engine;
