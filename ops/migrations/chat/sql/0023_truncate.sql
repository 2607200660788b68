-- Truncation: what is gone with it is unread to nobody, and a hard one takes its content.

-- The new owner needs create on the schema for the moment only.
grant create on schema chat to natter_engine;
set local role natter_engine;

-- As before, but a position that moves is never before what a truncation took away: that is unread to nobody.
-- Move read and delivery positions of many members of many apps in one transaction, one verdict each.
--   p_kinds     read, delivered: forward to the number; unread: back to the number before the message
--   p_numbers   up to where; null, without a message either: the end
--   p_messages  a message of the channel instead
-- No member twice in a channel. verdict: ok, no_channel (the user is no member of it), no_message.
-- A moved read position is an entry of the reader's own log, whose seq is the position's version. The commit row also
-- names the channels whose receipts moved, as `r:<channel>` with the transaction's id, for nodes that missed the bus.
create or replace function chat.move_positions(
    p_apps uuid[], p_channels text[], p_users text[], p_kinds text[], p_numbers bigint[], p_messages uuid[],
    p_at timestamptz
) returns table (
    ord bigint, verdict text, read_number bigint, delivered_number bigint, last_number bigint,
    read_moved boolean, delivered_moved boolean, seq bigint, shows_read boolean, shows_delivered boolean, xid bigint
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
        select i.*, b.read_number as old_read, b.delivered_number as old_delivered, h.last_number, b.truncated_number,
            coalesce(v.read_receipts, true) as shows_read, coalesce(v.delivery_receipts, true) as shows_delivered,
            case when b.user_id is null then 'no_channel'
                 when i.message_id is not null and m.id is null then 'no_message'
                 else 'ok' end as judgement,
            least(case when i.kind <> 'unread' then coalesce(m.number, i.number, h.last_number)
                       when m.id is not null then coalesce((
                           select p.number from chat.messages p
                           where p.app_id = i.app_id and p.channel_id = i.channel_id and p.seq < m.seq
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
                   'unread', greatest(p.last_number - p.new_read, 0), 'marked_unread', p.kind = 'unread'), chat.xid()
        from placed p order by p.ord
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
           pg_current_xact_id_if_assigned()::text::bigint
    from wanted w left join placed p on p.ord = w.ord
    order by w.ord;
end $$;

-- Where a channel's messages of before a moment end: the seq of the first one that was sent at it or after; null when
-- there is none. Messages come in the order of their seq, and in that of time as far as clocks agree, so that a few steps
-- by halves are enough, whatever the number of messages.
create function chat.seq_at(p_app uuid, p_channel text, p_at timestamptz) returns bigint
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
declare
    v_low bigint := 0;  -- what is up to here is older
    v_high bigint;      -- from here on none is
    v_middle bigint;
    m record;
begin
    select x.seq, x.created_at into m from chat.messages x
    where x.app_id = p_app and x.channel_id = p_channel order by x.seq desc limit 1;
    if not found or m.created_at < p_at then return null; end if;
    v_high := m.seq;
    while v_low + 1 < v_high loop
        v_middle := (v_low + v_high) / 2;
        select x.seq, x.created_at into m from chat.messages x
        where x.app_id = p_app and x.channel_id = p_channel and x.seq >= v_middle order by x.seq limit 1;
        if m.seq >= v_high then  -- no message is between
            v_high := v_middle;
        elsif m.created_at < p_at then
            v_low := m.seq;
        else
            v_high := m.seq;
        end if;
    end loop;
    return v_high;
end $$;

-- Wipe the content of a truncated channel's messages, up to p_limit entries after p_after. Rows without content stay, as
-- those of deleted messages do. Returns where to go on; null when all is done.
create function chat.wipe_truncated(p_app uuid, p_channel text, p_after bigint, p_before bigint, p_limit int, p_at timestamptz)
returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare v_ids uuid[]; v_last bigint; v_to bigint;
begin
    -- Nothing that is still to be seen.
    select least(c.truncated_to, p_before) into v_to from chat.channels c where c.app_id = p_app and c.id = p_channel;
    with gone as (
        select m.seq, m.id from chat.messages m
        where m.app_id = p_app and m.channel_id = p_channel and m.seq > p_after and m.seq < v_to
        order by m.seq limit p_limit
    ), wiped as (
        -- The hash goes too: a short text can be guessed from it.
        update chat.messages m set text = '', attachments = null, custom = null, extra = null, content_hash = '',
                                   deleted_at = coalesce(m.deleted_at, p_at)
        from gone g where m.app_id = p_app and m.channel_id = p_channel and m.seq = g.seq
    )
    select array_agg(g.id), case when count(*) = p_limit then max(g.seq) end into v_ids, v_last from gone g;
    delete from chat.reactions r where r.app_id = p_app and r.message_id = any (v_ids);
    return v_last;
end $$;

revoke execute on function chat.move_positions, chat.seq_at, chat.wipe_truncated from public;
grant execute on function chat.seq_at to natter_app;
reset role;
revoke create on schema chat from natter_engine;
