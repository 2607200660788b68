-- Messages that somebody hides for itself are not unread to it. Unread is arithmetic on numbers, so the numbers of what is
-- hidden are kept; whoever hides nothing in a channel pays nothing for it.

alter table chat.hidden_messages
    add column channel_id    text collate "C" not null,
    add column number        bigint,  -- null when it makes nothing unread in its channel
    add column thread_id     uuid,
    add column reply_number  bigint,
    add column hidden_at     timestamptz not null;
create index hidden_numbers on chat.hidden_messages (app_id, user_id, channel_id, number);
create index hidden_replies on chat.hidden_messages (app_id, user_id, thread_id, reply_number) where thread_id is not null;

-- Whether there may be rows to subtract.
alter table chat.members add column hides boolean not null default false;
alter table chat.thread_members add column hides boolean not null default false;

-- The numbers above one of the messages that a user hides in a channel; of the replies that it hides in a thread.
create function chat.hidden_above(p_app uuid, p_channel text, p_user text, p_number bigint) returns bigint[]
language sql stable as $$
    select array(select h.number from chat.hidden_messages h
                 where h.app_id = p_app and h.user_id = p_user and h.channel_id = p_channel and h.number > p_number
                 order by h.number)
$$;
create function chat.hidden_replies_above(p_app uuid, p_thread uuid, p_user text, p_number bigint) returns bigint[]
language sql stable as $$
    select array(select h.reply_number from chat.hidden_messages h
                 where h.app_id = p_app and h.user_id = p_user and h.thread_id = p_thread and h.reply_number > p_number
                 order by h.reply_number)
$$;

-- Hides a message from a member of its channel, under the locks of the channel's log and of the member's own.
create function chat.hide_message(p_app uuid, p_message uuid, p_user text, p_at timestamptz) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
declare m chat.messages;
begin
    select * into strict m from chat.messages x where x.app_id = p_app and x.id = p_message;
    insert into chat.hidden_messages (app_id, user_id, message_id, channel_id, number, thread_id, reply_number, hidden_at)
        values (p_app, p_user, p_message, m.channel_id, case when not m.silent then m.number end, m.thread_id,
                (m.extra ->> 'reply_number')::bigint, p_at)
        on conflict do nothing;
    if m.extra is null or not m.extra ? 'hidden' then
        update chat.messages x set extra = coalesce(x.extra, '{}') || '{"hidden": true}'
        where x.app_id = p_app and x.channel_id = m.channel_id and x.seq = m.seq;
    end if;
    update chat.members b set hides = true
    where b.app_id = p_app and b.channel_id = m.channel_id and b.user_id = p_user and not b.hides;
    update chat.thread_members b set hides = true
    where b.app_id = p_app and b.user_id = p_user and b.thread_id = m.thread_id and not b.hides;
end $$;

-- Whoever leaves a channel and comes back sees it as anybody who joins.
create function chat.forget_hidden() returns trigger
language plpgsql volatile set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
begin
    delete from chat.hidden_messages h
    where h.app_id = old.app_id and h.user_id = old.user_id and h.channel_id = old.channel_id;
    return null;
end $$;
create trigger hidden_forgotten after delete on chat.members for each row
    when (old.hides) execute function chat.forget_hidden();

-- As before, without what the user hides.
create or replace function chat.unread_channels(p_app uuid, p_user text, p_at timestamptz)
returns table (
    channel_id text, type text, read_number bigint, last_number bigint, unread bigint, mentions bigint, muted boolean
)
language sql stable as $$
    select c.id, c.type, b.read_number, h.last_number,
        h.last_number - greatest(b.read_number, c.truncated_number) - case when b.hides then cardinality(
            chat.hidden_above(p_app, b.channel_id, p_user, greatest(b.read_number, c.truncated_number))) else 0 end,
        (select count(distinct t.number) from chat.mentions t
         where t.app_id = p_app and t.channel_id = b.channel_id and t.user_id in ('', p_user)
             and t.number > greatest(b.read_number, c.truncated_number)
             and (not b.hides or t.number <> all (
                 chat.hidden_above(p_app, b.channel_id, p_user, greatest(b.read_number, c.truncated_number))))),
        b.muted_at is not null and (b.muted_until is null or b.muted_until > p_at)
    from chat.members b
    cross join lateral (select x.last_number from chat.log_heads x
                        where x.app_id = p_app and x.log = 'c:' || b.channel_id and x.last_number > b.read_number
                        offset 0) h
    -- Looked up where the head says that there is something.
    cross join lateral (select x.id, x.type, x.truncated_number from chat.channels x
                        where x.app_id = p_app and x.id = b.channel_id and x.deleted_at is null
                            and x.truncated_number < h.last_number offset 0) c
    where b.app_id = p_app and b.user_id = p_user
        and (not b.hides or h.last_number - greatest(b.read_number, c.truncated_number) > cardinality(
            chat.hidden_above(p_app, b.channel_id, p_user, greatest(b.read_number, c.truncated_number))))
$$;

create or replace function chat.unread_threads(p_app uuid, p_user text, p_at timestamptz)
returns table (thread_id uuid, channel_id text, unread bigint, muted boolean)
language sql stable as $$
    select t.thread_id, t.channel_id, (m.extra ->> 'thread_last_number')::bigint - t.read_number
            - case when t.hides then cardinality(chat.hidden_replies_above(p_app, t.thread_id, p_user, t.read_number))
                   else 0 end,
        b.muted_at is not null and (b.muted_until is null or b.muted_until > p_at)
    from chat.thread_members t
    cross join lateral (select x.seq, x.extra from chat.messages x
                        where x.app_id = p_app and x.id = t.thread_id offset 0) m
    cross join lateral (select x.history_from, x.cleared_to, x.muted_at, x.muted_until from chat.members x
                        where x.app_id = p_app and x.channel_id = t.channel_id and x.user_id = p_user offset 0) b
    cross join lateral (select x.truncated_to from chat.channels x
                        where x.app_id = p_app and x.id = t.channel_id and x.deleted_at is null offset 0) c
    where t.app_id = p_app and t.user_id = p_user
        and (m.extra ->> 'thread_last_number')::bigint > t.read_number
        and (not t.hides or (m.extra ->> 'thread_last_number')::bigint - t.read_number
            > cardinality(chat.hidden_replies_above(p_app, t.thread_id, p_user, t.read_number)))
        and m.seq >= greatest(b.history_from, b.cleared_to, c.truncated_to)
        and (not m.extra ? 'hidden' or not chat.is_hidden(p_app, t.thread_id, p_user))
$$;

revoke execute on function chat.hidden_above, chat.hidden_replies_above, chat.hide_message, chat.forget_hidden from public;
grant execute on function chat.hidden_above, chat.hidden_replies_above, chat.is_hidden, chat.forget_hidden
    to natter_app, natter_engine;
grant execute on function chat.hide_message to natter_app;

-- The new owner needs create on the schema for the moment only.
grant create on schema chat to natter_engine;
set local role natter_engine;

-- As before, with what a user hides above its position.
drop function chat.fresh_state(uuid, text);
create function chat.fresh_state(p_app uuid, p_user text)
returns table (
    horizon bigint, id text, type text, name text, image text, custom text, created_by text, frozen boolean,
    created_at timestamptz, updated_at timestamptz, last_seq bigint, last_number bigint, member_count int,
    role text, joined_seq bigint, joined_at timestamptz, read_number bigint, grants text, app_role text, app_seq bigint,
    history text, truncated_to bigint, slow_mode int, history_from bigint, cleared_to bigint, member_custom text,
    archived_at timestamptz, hidden_number bigint, muted_at timestamptz, muted_until timestamptz,
    pin_order double precision, is_distinct boolean, truncated_number bigint,
    hidden_numbers bigint[]
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_nestloop = off as $$
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
           c.members_digest is not null, c.truncated_number,
           case when b.hides then chat.hidden_above(p_app, b.channel_id, p_user, b.read_number) end
    from b join c on c.id = b.channel_id join h on h.id = b.channel_id
    order by c.id;
    if not found then
        return query select chat.horizon(), null::text, null::text, null::text, null::text, null::text, null::text,
                            null::boolean, null::timestamptz, null::timestamptz, null::bigint, null::bigint, null::int,
                            null::text, null::bigint, null::timestamptz, null::bigint, null::text, v_role, v_seq,
                            null::text, null::bigint, null::int, null::bigint, null::bigint, null::text, null::timestamptz,
                            null::bigint, null::timestamptz, null::timestamptz, null::double precision,
                            null::boolean, null::bigint, null::bigint[];
    end if;
end $$;

-- As before, and what the reader hides is not unread.
drop function chat.move_positions(uuid[], text[], text[], text[], bigint[], uuid[], timestamptz);
create function chat.move_positions(
    p_apps uuid[], p_channels text[], p_users text[], p_kinds text[], p_numbers bigint[], p_messages uuid[],
    p_at timestamptz
) returns table (
    ord bigint, verdict text, read_number bigint, delivered_number bigint, last_number bigint,
    read_moved boolean, delivered_moved boolean, seq bigint, shows_read boolean, shows_delivered boolean, xid bigint,
    hidden_numbers bigint[]
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
    -- The readers' own logs alone: a thousand readers of one channel must not queue behind its writer.
    perform chat.lock_logs(p_apps, array(select 'u:' || u from unnest(p_users) with ordinality x(u, o) order by o));
    -- Sends move their authors' positions, so the rows are held, in the order in which sends take them.
    perform 1 from (
        select distinct x.app_id, x.channel_id, x.user_id
        from unnest(p_apps, p_channels, p_users) x(app_id, channel_id, user_id) order by 1, 2, 3 offset 0
    ) x cross join lateral (
        select 1 from chat.members b
        where b.app_id = x.app_id and b.channel_id = x.channel_id and b.user_id = x.user_id for no key update
    ) held;

    return query
    with judged as materialized (
        select i.*, b.read_number as old_read, b.delivered_number as old_delivered, h.last_number, b.truncated_number, b.hides,
            coalesce(v.read_receipts, true) as shows_read, coalesce(v.delivery_receipts, true) as shows_delivered,
            case when b.user_id is null then 'no_channel'
                 when i.message_id is not null and m.id is null then 'no_message'
                 else 'ok' end as judgement,
            least(case when i.kind <> 'unread' then coalesce(m.number, i.number, h.last_number)
                       when m.id is not null then coalesce((
                           select p.number from chat.messages p
                           where p.app_id = i.app_id and p.channel_id = i.channel_id and p.seq < m.seq
                             and p.seq > 0  -- no reply of a thread
                           order by p.seq desc limit 1), 0)
                       else greatest(i.number - 1, 0) end, h.last_number) as target
        from unnest(p_apps, p_channels, p_users, p_kinds, p_numbers, p_messages) with ordinality
             as i(app_id, channel_id, user_id, kind, number, message_id, ord)
        left join lateral (
            select b.*, greatest(b.history_from, b.cleared_to, c.truncated_to) as first_seq, c.truncated_number
            from chat.members b join chat.channels c on c.app_id = b.app_id and c.id = b.channel_id
            where b.app_id = i.app_id and b.channel_id = i.channel_id and b.user_id = i.user_id and c.deleted_at is null
            offset 0
        ) b on true
        left join chat.log_heads h on h.app_id = i.app_id and h.log = 'c:' || i.channel_id
        left join chat.messages m on m.app_id = i.app_id and m.id = i.message_id and m.channel_id = i.channel_id
            and m.seq >= b.first_seq  -- what it does not see is not there for it
        left join chat.privacy v on v.app_id = i.app_id and v.user_id = i.user_id
    ), wanted as materialized (
        select j.*,
            case when j.judgement <> 'ok' then j.old_read
                 when j.kind = 'read' then greatest(j.old_read, j.target, j.truncated_number)
                 when j.kind = 'unread' then greatest(least(j.old_read, j.target), j.truncated_number)
                 else j.old_read end as new_read,
            case when j.judgement = 'ok' and j.kind = 'delivered' then greatest(j.old_delivered, j.target)
                 -- What was read was delivered, and stays so.
                 when j.judgement = 'ok' and j.kind = 'unread' then greatest(j.old_delivered, j.old_read)
                 else j.old_delivered end as new_delivered
        from judged j
    ), left_out as materialized (
        -- Of messages above the position that the reader hides: they are not unread.
        select w.ord, chat.hidden_above(w.app_id, w.channel_id, w.user_id, w.new_read) as numbers
        from wanted w where w.hides
    ), stored as (
        update chat.members b set read_number = w.new_read, delivered_number = w.new_delivered
        from wanted w
        where b.app_id = w.app_id and b.channel_id = w.channel_id and b.user_id = w.user_id
          and (w.new_read <> w.old_read or w.new_delivered <> w.old_delivered)
    ), told as materialized (
        select w.*, row_number() over (partition by w.app_id, w.user_id order by w.ord) as nth
        from wanted w where w.new_read <> w.old_read
    ), heads as (
        insert into chat.log_heads as h (app_id, log, last_seq, last_xid)
            select t.app_id, 'u:' || t.user_id, count(*), chat.xid() from told t group by 1, 2 order by 1, 2
            on conflict (app_id, log) do update
                set last_seq = h.last_seq + excluded.last_seq, last_xid = excluded.last_xid
            returning h.app_id, h.log, h.last_seq
    ), placed as materialized (
        select t.*, h.last_seq - max(t.nth) over (partition by t.app_id, t.user_id) + t.nth as place
        from told t join heads h on h.app_id = t.app_id and h.log = 'u:' || t.user_id
    ), written as (
        insert into chat.events (app_id, log, seq, type, at, actor, message_id, data, xid)
        select p.app_id, 'u:' || p.user_id, p.place, 'unread.changed', p_at, p.user_id, null,
               jsonb_build_object('channel_id', p.channel_id, 'read_number', p.new_read, 'last_number', p.last_number,
                   'unread', greatest(p.last_number - p.new_read - coalesce(cardinality(l.numbers), 0), 0),
                   'marked_unread', p.kind = 'unread')
                   || case when cardinality(l.numbers) > 0 then jsonb_build_object('hidden_numbers', l.numbers)
                           else '{}' end, chat.xid()
        from placed p left join left_out l on l.ord = p.ord order by p.ord
    ), hinted as (
        insert into chat.commits (xid, at, apps, logs, seqs)
        select chat.xid(), p_at, array_agg(n.app_id), array_agg(n.log), array_agg(n.seq)
        from (
            select h.app_id, h.log, h.last_seq as seq from heads h
            union all
            select distinct w.app_id, 'r:' || w.channel_id, chat.xid() from wanted w
            where (w.new_read <> w.old_read and w.shows_read)
               or (w.new_delivered <> w.old_delivered and w.shows_delivered)
        ) n having count(*) > 0
    )
    select w.ord, w.judgement, w.new_read, w.new_delivered, w.last_number, w.new_read <> w.old_read,
           w.new_delivered <> w.old_delivered, p.place, w.shows_read, w.shows_delivered,
           pg_current_xact_id_if_assigned()::text::bigint, l.numbers
    from wanted w left join placed p on p.ord = w.ord left join left_out l on l.ord = w.ord
    order by w.ord;
end $$;

revoke execute on function chat.fresh_state, chat.move_positions from public;
reset role;
revoke create on schema chat from natter_engine;
