-- Catching up at scale: a user's heads in one scan, whatever the statistics say; a page of sync in one statement; and
-- a channel's number of members kept beside its head, where it was counted at every look.

-- Null: not counted yet, see 0007. New heads begin at 0; the trigger moves them.
alter table chat.log_heads add column member_count int;
alter table chat.log_heads alter column member_count set default 0;

-- The new owner needs create on the schema for the moment only.
grant create on schema chat to natter_engine;
set local role natter_engine;

-- Keeps chat.log_heads.member_count. Writers of members hold the channel's log lock, so nobody waits here; who does
-- without it (the members of a deleted channel leaving) is serialised by the head's row.
create function chat.count_members() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
    if tg_op = 'INSERT' then
        insert into chat.log_heads as h (app_id, log, last_seq, last_xid, member_count)
            select m.app_id, 'c:' || m.channel_id, 0, chat.xid(), count(*)
            from changed m group by m.app_id, m.channel_id order by m.app_id, m.channel_id
            on conflict (app_id, log) do update
                -- Not counted yet: count, those inserted just now included.
                set member_count = coalesce(h.member_count + excluded.member_count, (
                    select count(*) from chat.members b
                    where b.app_id = h.app_id and b.channel_id = substr(h.log, 3)));
    else
        update chat.log_heads h
            set member_count = coalesce(h.member_count - d.gone, (
                select count(*) from chat.members b where b.app_id = h.app_id and b.channel_id = substr(h.log, 3)))
            from (select m.app_id, m.channel_id, count(*) as gone from changed m
                  group by m.app_id, m.channel_id order by m.app_id, m.channel_id) d
            where h.app_id = d.app_id and h.log = 'c:' || d.channel_id;
    end if;
    return null;
end $$;

-- The logs that a user hears: of its channels, and its own.
create function chat.logs_of(p_app uuid, p_user text) returns text[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
begin
    return array(select 'c:' || b.channel_id from chat.members b where b.app_id = p_app and b.user_id = p_user)
        || ('u:' || p_user);
end $$;

-- As before, but the plan is fixed: the logs of the user's channels as one array, and their heads in one scan of the
-- index (a probe for each costs ten times that). Statistics of a moment made it read every head of the app, and all of
-- the memberships again for each head that had moved.
create or replace function chat.changes(p_app uuid, p_user text, p_from bigint, p_limit int, p_tail boolean)
returns table (log text, lo bigint, hi bigint, cursor bigint, has_more boolean, total bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
    v_horizon bigint := chat.horizon();
    v_logs text[]; v_lo bigint[]; v_hi bigint[]; v_total bigint; v_cut bigint;
begin
    select array_agg(c.log), array_agg(c.lo), array_agg(c.hi), coalesce(sum(c.hi - c.lo + 1), 0)
    into v_logs, v_lo, v_hi, v_total
    from (
        select k.log,
               greatest(chat.first_since(p_app, k.log, k.last_seq, p_from), k.least_seq) as lo,
               case when p_tail or k.last_xid < v_horizon then k.last_seq
                    else chat.first_since(p_app, k.log, k.last_seq, v_horizon) - 1 end as hi
        from (
            select h.log, h.last_seq, h.last_xid, coalesce((
                select b.joined_seq from chat.members b
                where b.app_id = p_app and b.user_id = p_user and b.channel_id = substr(h.log, 3)
                    and left(h.log, 2) = 'c:'), 1) as least_seq
            from chat.log_heads h
            where h.app_id = p_app and h.log = any (chat.logs_of(p_app, p_user)) and h.last_xid >= p_from
            offset 0
        ) k
        offset 0
    ) c where c.hi >= c.lo;

    if v_total <= p_limit then
        return query select r.log, r.lo, r.hi, v_horizon, false, v_total from unnest(v_logs, v_lo, v_hi) r(log, lo, hi);
        if v_total = 0 then
            return query select null::text, null::bigint, null::bigint, v_horizon, false, 0::bigint;
        end if;
        return;
    end if;

    -- The id of the transaction in which the limit falls; whole transactions only.
    select max(t.xid) into v_cut from (
        select e.xid from unnest(v_logs, v_lo, v_hi) r(log, lo, hi)
        cross join lateral (
            select chat.entry_xid(p_app, r.log, s) as xid
            from generate_series(r.lo, least(r.hi, r.lo + p_limit - 1)) s
        ) e order by e.xid limit p_limit
    ) t;
    if p_tail and v_cut >= v_horizon then
        -- All that is decided fits, and the tail above the horizon cannot be paged through: all of it, then.
        return query select r.log, r.lo, r.hi, v_horizon, false, v_total from unnest(v_logs, v_lo, v_hi) r(log, lo, hi);
        return;
    end if;
    return query
    select c.log, c.lo, c.cut_hi, v_cut + 1, true, v_total
    from (
        select r.log, r.lo, least(r.hi, chat.first_since(p_app, r.log, r.hi, v_cut + 1) - 1) as cut_hi
        from unnest(v_logs, v_lo, v_hi) r(log, lo, hi)
    ) c where c.cut_hi >= c.lo;
end $$;

-- One page of sync in one statement: the entries of chat.changes' ranges with the page's own columns beside each.
-- Always at least one row; its log is null when the page is empty, and when more than p_at_most entries have gathered,
-- which `total` tells.
create function chat.sync_page(p_app uuid, p_user text, p_from bigint, p_limit int, p_tail boolean, p_at_most bigint)
returns table (
    cursor bigint, has_more boolean, total bigint,
    app_id uuid, log text, seq bigint, xid bigint, type text, at timestamptz, actor text, data text,
    message_id uuid, message_seq bigint, number bigint, user_id text, text text, attachments text, custom text,
    silent boolean, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    v_cursor bigint; v_more boolean; v_total bigint; v_logs text[]; v_lo bigint[]; v_hi bigint[];
begin
    select min(c.cursor), bool_or(c.has_more), min(c.total), array_agg(c.log), array_agg(c.lo), array_agg(c.hi)
    into v_cursor, v_more, v_total, v_logs, v_lo, v_hi
    from chat.changes(p_app, p_user, p_from, p_limit, p_tail) c;
    if v_total > 0 and v_total <= p_at_most then
        return query
        select v_cursor, v_more, v_total, e.*
        from chat.read_ranges(array_fill(p_app, array[cardinality(v_logs)]), v_logs, v_lo, v_hi) e;
        if found then return; end if;
    end if;
    return query select v_cursor, v_more, v_total, (null::chat.entry).*;
end $$;

-- Every channel of a user with what its view needs, by id, and the horizon of the same snapshot: the fresh state.
-- Always at least one row; its id is null when the user is in no channel.
create function chat.user_channels(p_app uuid, p_user text)
returns table (
    horizon bigint, id text, type text, name text, image text, custom text, created_by text, frozen boolean,
    created_at timestamptz, updated_at timestamptz, last_seq bigint, last_number bigint, member_count int,
    role text, joined_seq bigint, joined_at timestamptz, read_number bigint
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
#variable_conflict use_column
declare v_ids text[];
begin
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
           c.updated_at, h.last_seq, h.last_number, h.member_count, b.role, b.joined_seq, b.joined_at, b.read_number
    from b join c on c.id = b.channel_id join h on h.id = b.channel_id
    order by c.id;
    if not found then
        return query select chat.horizon(), null::text, null::text, null::text, null::text, null::text, null::text,
                            null::boolean, null::timestamptz, null::timestamptz, null::bigint, null::bigint, null::int,
                            null::text, null::bigint, null::timestamptz, null::bigint;
    end if;
end $$;

-- What a node must know before it serves connections, and the month's activity rows, for many users in one call.
-- verdict: ok, revoked, deactivated, over_quota (p_refuse_new and not yet active this month). `moved`: whether anything
-- in the user's logs may be new since the horizon p_since; null without one. Users that the customer's own tokens name
-- for the first time are made here.
create function chat.connect_users(
    p_apps uuid[], p_users text[], p_issued timestamptz[], p_subjects text[], p_refuse_new boolean[], p_since bigint[],
    p_month text, p_at timestamptz
) returns table (
    ord bigint, verdict text, profile text, horizon bigint, user_seq bigint, channels text[], seqs bigint[], moved boolean
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
#variable_conflict use_column
declare r record; u chat.users; v_active boolean; v_verdict text;
begin
    -- In one order for everybody, so that two nodes with the same new users do not wait for each other in a circle.
    for r in
        select x.* from unnest(p_apps, p_users, p_issued, p_subjects, p_refuse_new, p_since) with ordinality
            as x(app, id, issued, subject, refuse_new, since, ord)
        order by x.app, x.id
    loop
        select * into u from chat.users where app_id = r.app and id = r.id;
        v_active := exists (select 1 from chat.active_users a
                            where a.app_id = r.app and a.month = p_month and a.user_id = r.id);
        v_verdict := case
            when u.deactivated_at is not null then 'deactivated'
            when u.tokens_valid_after is not null and r.issued < u.tokens_valid_after then 'revoked'
            when r.refuse_new and not v_active then 'over_quota'
            else 'ok'
        end;
        if v_verdict <> 'ok' then
            return query select r.ord, v_verdict, null::text, null::bigint, null::bigint, null::text[], null::bigint[],
                                null::boolean;
            continue;
        end if;
        if u.id is null then
            insert into chat.users (app_id, id, created_at, updated_at) values (r.app, r.id, p_at, p_at)
            on conflict do nothing;
            select * into u from chat.users where app_id = r.app and id = r.id;
        end if;
        if not v_active then
            perform chat.mark_active(r.app, r.id, p_month, r.subject, p_at);
        end if;
        return query
        select r.ord, v_verdict,
            json_build_object('id', u.id, 'name', u.name, 'image', u.image, 'role', u.role, 'custom', u.custom)::text,
            chat.horizon(),
            coalesce(min(h.last_seq) filter (where left(h.log, 2) = 'u:'), 0),
            coalesce(array_agg(substr(h.log, 3)) filter (where left(h.log, 2) = 'c:'), '{}'),
            coalesce(array_agg(h.last_seq) filter (where left(h.log, 2) = 'c:'), '{}'),
            case when r.since is not null then coalesce(bool_or(h.last_xid >= r.since), false) end
        from chat.log_heads h where h.app_id = r.app and h.log = any (chat.logs_of(r.app, r.id));
    end loop;
end $$;

-- chat.append_messages that waits for nobody: sends to channels that somebody else writes at the moment come back with
-- the verdict `busy`, untouched, so that the others of the batch need not wait with them.
create function chat.try_append_messages(
    p_apps uuid[], p_channels text[], p_ids uuid[], p_users text[], p_texts text[], p_attachments text[],
    p_custom text[], p_silent boolean[], p_hashes bytea[], p_server boolean[], p_active boolean[],
    p_subjects text[], p_month text, p_at timestamptz
) returns table (ord bigint, verdict text, seq bigint, number bigint, created_at timestamptz)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    v_busy bigint[]; v_free bigint[];
begin
    -- Each lock once, in the order of chat.lock_logs, which then finds them taken by this transaction.
    select array_agg(k.h) into v_busy from (
        select distinct hashtextextended(x.app::text || '/c:' || x.channel, 0) h
        from unnest(p_apps, p_channels) x(app, channel) order by h offset 0
    ) k where not pg_try_advisory_xact_lock(k.h);
    if v_busy is null then
        return query select a.* from chat.append_messages(p_apps, p_channels, p_ids, p_users, p_texts, p_attachments,
            p_custom, p_silent, p_hashes, p_server, p_active, p_subjects, p_month, p_at) a;
        return;
    end if;
    select array_agg(x.o order by x.o) into v_free
    from unnest(p_apps, p_channels) with ordinality x(app, channel, o)
    where hashtextextended(x.app::text || '/c:' || x.channel, 0) <> all (v_busy);
    if v_free is not null then
        return query
        select v_free[a.ord], a.verdict, a.seq, a.number, a.created_at
        from chat.append_messages(
            array(select p_apps[o] from unnest(v_free) o), array(select p_channels[o] from unnest(v_free) o),
            array(select p_ids[o] from unnest(v_free) o), array(select p_users[o] from unnest(v_free) o),
            array(select p_texts[o] from unnest(v_free) o), array(select p_attachments[o] from unnest(v_free) o),
            array(select p_custom[o] from unnest(v_free) o), array(select p_silent[o] from unnest(v_free) o),
            array(select p_hashes[o] from unnest(v_free) o), array(select p_server[o] from unnest(v_free) o),
            array(select p_active[o] from unnest(v_free) o), array(select p_subjects[o] from unnest(v_free) o),
            p_month, p_at) a;
    end if;
    return query
    select x.o::bigint, 'busy', null::bigint, null::bigint, null::timestamptz
    from generate_subscripts(p_apps, 1) x(o) where x.o <> all (coalesce(v_free, '{}'));
end $$;

revoke execute on function chat.count_members, chat.try_append_messages, chat.logs_of, chat.sync_page, chat.user_channels, chat.connect_users
    from public;
reset role;
revoke create on schema chat from natter_engine;

create trigger members_added after insert on chat.members
    referencing new table as changed for each statement execute function chat.count_members();
create trigger members_gone after delete on chat.members
    referencing old table as changed for each statement execute function chat.count_members();
