-- What a member has of its own in a channel: where its history begins, what it keeps with the membership, and whether it
-- archived, hid, muted or pinned the channel. And what a channel says of its history and of its pace.

alter table chat.channels
    -- `all`, or `joined`: who becomes a member sees nothing of what was said before.
    add column history text not null default 'all' check (history in ('all', 'joined')),
    -- The first seq of the log of which anybody sees anything; moved by a truncation.
    add column truncated_to bigint not null default 0,
    -- Seconds between two messages of one member; 0 where everybody writes as quickly as limits allow.
    add column slow_mode int not null default 0 check (slow_mode between 0 and 86400);

-- What new channels of the type begin with.
alter table chat.channel_types
    add column history text not null default 'all' check (history in ('all', 'joined')),
    add column slow_mode int not null default 0 check (slow_mode between 0 and 86400);

alter table chat.members
    -- The first seq of the channel's log that the member sees messages of; 0 for all there are.
    add column history_from bigint not null default 0,
    -- The same by the member's own wish: it cleared what was before, for itself alone.
    add column cleared_to bigint not null default 0,
    add column custom jsonb not null default '{}',
    add column archived_at timestamptz,
    -- Hidden for as long as no message has a higher number, so that a send brings a channel back without a write.
    add column hidden_number bigint,
    add column muted_at timestamptz,
    -- Null with `muted_at`: until it is taken back.
    add column muted_until timestamptz,
    -- The least comes first. Between two others there is nearly always room for a third.
    add column pin_order double precision;

-- Few memberships are any of these, so that most inserts touch none.
create index members_floor on chat.members (app_id, user_id, channel_id) where history_from > 0 or cleared_to > 0;
create index members_archived on chat.members (app_id, user_id, channel_id) where archived_at is not null;
create index members_hidden on chat.members (app_id, user_id, channel_id) where hidden_number is not null;
create index members_muted on chat.members (app_id, user_id, channel_id) where muted_at is not null;
create index members_pinned on chat.members (app_id, user_id, pin_order, channel_id) where pin_order is not null;

grant create on schema chat to natter_engine;
set local role natter_engine;

-- The channels that a user has hidden and in which nothing has been said since. Through a function, because a tenant's
-- own role reaches no head by an expression over the channel's id; of the tenant that row-level security knows.
create function chat.hidden_channels(p_user text) returns text[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare v_app uuid := nullif(current_setting('natter.app_id', true), '')::uuid;
begin
    return array(
        select b.channel_id from chat.members b
        join chat.log_heads h on h.app_id = v_app and h.log = 'c:' || b.channel_id
        where b.app_id = v_app and b.user_id = p_user and b.hidden_number is not null
          and h.last_number <= b.hidden_number);
end $$;

-- As before, with what 0015 adds.
drop function chat.fresh_state(uuid, text);
create function chat.fresh_state(p_app uuid, p_user text)
returns table (
    horizon bigint, id text, type text, name text, image text, custom text, created_by text, frozen boolean,
    created_at timestamptz, updated_at timestamptz, last_seq bigint, last_number bigint, member_count int,
    role text, joined_seq bigint, joined_at timestamptz, read_number bigint, grants text, app_role text, app_seq bigint,
    history text, truncated_to bigint, slow_mode int, history_from bigint, cleared_to bigint, member_custom text,
    archived_at timestamptz, hidden_number bigint, muted_at timestamptz, muted_until timestamptz,
    pin_order double precision
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
           b.archived_at, b.hidden_number, b.muted_at, b.muted_until, b.pin_order
    from b join c on c.id = b.channel_id join h on h.id = b.channel_id
    order by c.id;
    if not found then
        return query select chat.horizon(), null::text, null::text, null::text, null::text, null::text, null::text,
                            null::boolean, null::timestamptz, null::timestamptz, null::bigint, null::bigint, null::int,
                            null::text, null::bigint, null::timestamptz, null::bigint, null::text, v_role, v_seq,
                            null::text, null::bigint, null::int, null::bigint, null::bigint, null::text, null::timestamptz,
                            null::bigint, null::timestamptz, null::timestamptz, null::double precision;
    end if;
end $$;

revoke execute on function chat.hidden_channels, chat.fresh_state from public;
grant execute on function chat.hidden_channels to natter_app;
reset role;
revoke create on schema chat from natter_engine;
