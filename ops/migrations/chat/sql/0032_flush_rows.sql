-- How rows that belong together are found in a flush: each was looked for in all rows of its batch, by joins that may only
-- loop, which for 200 messages took as long as storing them.
grant create on schema chat to natter_engine;
set local role natter_engine;

-- chat.append_messages as before. Those that were created are told as they were numbered.
create or replace function chat.append_messages(
    p_apps uuid[], p_channels text[], p_ids uuid[], p_users text[], p_texts text[], p_attachments text[],
    p_custom text[], p_silent boolean[], p_hashes bytea[], p_server boolean[], p_active boolean[],
    p_subjects text[], p_month text, p_at timestamptz,
    p_rules text[] default null, p_rule int[] default null, p_extras text[] default null
) returns table (ord bigint, verdict text, seq bigint, number bigint, created_at timestamptz, extra text)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare v_extra jsonb[]; v_thread uuid[]; v_refused text[]; v_needs text[]; r record;
begin
    -- Locks first, in a statement of their own: the next statement's snapshot then sees whatever a racing retry wrote.
    perform chat.lock_logs(p_apps, array(select 'c:' || c from unnest(p_channels) with ordinality x(c, o) order by o));

    if p_extras is not null then
        -- In order, also of those without.
        select array_agg(x.extra order by o), array_agg(x.thread order by o), array_agg(x.refused order by o),
               array_agg(x.needs order by o)
        into v_extra, v_thread, v_refused, v_needs
        from unnest(p_apps, p_channels, p_users, p_server, p_extras)
            with ordinality i(app, channel, author, server, said, o)
        left join lateral chat.judge_extra(i.app, i.channel, case when not i.server then i.author end, i.said::jsonb) x
            on i.said is not null;
    end if;

    return query
    with incoming as materialized (
        select x.*, first_value(x.ord) over (partition by x.app_id, x.id order by x.ord) as first_ord
        from unnest(p_apps, p_channels, p_ids, p_users, p_texts, p_attachments, p_custom, p_silent, p_hashes,
                    p_server, p_active, p_subjects, v_extra, v_thread, v_refused, v_needs) with ordinality
             as x(app_id, channel_id, id, user_id, body, attachments, custom, silent, hash, server, active, subject,
                  extra, thread, refused, needs, ord)
    ), judged as materialized (
        select i.*, h.last_seq, h.last_number, m.seq as old_seq, m.number as old_number, m.created_at as old_created,
            case
                when m.id is not null then
                    case when m.user_id = i.user_id and m.channel_id = i.channel_id and m.content_hash = i.hash
                         then 'duplicate' else 'conflict' end
                when c.id is null or c.deleted_at is not null or h.log is null then 'no_channel'
                when i.server and u.id is null then 'no_user'
                when not i.server and b.user_id is null
                     and not coalesce(chat.granted(p_rules[p_rule[i.ord]], 'w', 'channel.watch', c.type, u.role, c.grants), false)
                     then 'not_member'
                when not i.server and b.may_send is not true
                     and not coalesce(chat.granted(p_rules[p_rule[i.ord]], 's', 'message.send', c.type, u.role, c.grants), false)
                     then 'forbidden'
                when not i.server and c.frozen
                     and not coalesce(chat.granted(p_rules[p_rule[i.ord]], 'f', 'message.send.frozen', c.type, b.role, c.grants), false)
                     and not coalesce(chat.granted(p_rules[p_rule[i.ord]], 'f', 'message.send.frozen', c.type, u.role, c.grants), false)
                     then 'frozen'
                when i.server and exists (
                    select from chat.users d
                    where d.app_id = i.app_id and d.id = i.user_id and d.deactivated_at is not null) then 'deactivated'
                when c.type = 'direct' and not i.server and exists (
                    select from chat.blocks k join chat.members o on o.app_id = k.app_id and o.user_id = k.user_id
                    where k.app_id = i.app_id and k.blocked_id = i.user_id and k.removed_at is null
                        and o.channel_id = i.channel_id) then 'blocked'
                when i.refused is not null then i.refused
                when lacking.permission is not null then 'lacks:' || lacking.permission
                when i.ord <> i.first_ord then 'again'
                else 'created'
            end as judgement
        from incoming i
        left join chat.messages m on m.app_id = i.app_id and m.id = i.id
        left join chat.channels c on c.app_id = i.app_id and c.id = i.channel_id
        left join chat.log_heads h on h.app_id = i.app_id and h.log = 'c:' || i.channel_id
        left join lateral (
            select b.user_id, b.role,
                   p_rules is null or chat.granted(p_rules[p_rule[i.ord]], 's', 'message.send', c.type, b.role, c.grants) as may_send
            from chat.members b
            where b.app_id = i.app_id and b.channel_id = i.channel_id and b.user_id = i.user_id
            offset 0
        ) b on true
        -- Looked up only where it decides: for a server, a stranger, a frozen channel, a role that may not.
        left join lateral (
            select u.id, case when position('|r:' || u.role || '|' in p_rules[p_rule[i.ord]]) > 0
                              then u.role else 'user' end as role
            from chat.users u
            where u.app_id = i.app_id and u.id = i.user_id
              and (i.server or b.may_send is not true or c.frozen or i.needs is not null)
            offset 0
        ) u on true
        -- The first of what it needs that neither role has.
        left join lateral (
            select n.permission
            from unnest(string_to_array(i.needs, ' ')) with ordinality n(permission, o)
            cross join lateral (select case n.permission when 'message.system' then 'y' else 'm' end as mark) k
            where not coalesce(chat.granted(p_rules[p_rule[i.ord]], k.mark, n.permission, c.type, b.role, c.grants), false)
              and not coalesce(chat.granted(p_rules[p_rule[i.ord]], k.mark, n.permission, c.type, u.role, c.grants), false)
            order by n.o limit 1
        ) lacking on i.needs is not null and not i.server
    ), numbered as materialized (
        select j.*,
            j.last_seq + row_number() over w as new_seq,
            j.last_number + count(*) filter (where not j.silent) over (w rows unbounded preceding) as new_number
        from judged j where j.judgement = 'created'
        window w as (partition by j.app_id, j.channel_id order by j.ord)
    ), stored as (
        insert into chat.messages (app_id, channel_id, seq, number, id, user_id, text, attachments, custom, silent,
                                   created_at, updated_at, content_hash, xid, thread_id, extra)
        select n.app_id, n.channel_id,
               -- What is in a thread alone stands outside the channel's pages, which so need not step over it.
               case when n.thread is not null and not n.extra ? 'also_in_channel' then -n.new_seq else n.new_seq end,
               n.new_number, n.id, n.user_id, n.body, n.attachments::jsonb,
               n.custom::jsonb, n.silent, p_at, p_at, n.hash, chat.xid(), n.thread, n.extra
        from numbered n order by n.ord
    ), replies as (
        insert into chat.events (app_id, log, seq, type, at, actor, message_id, xid)
        select n.app_id, 'c:' || n.channel_id, n.new_seq, 'message.created', p_at, n.user_id, n.id, chat.xid()
        from numbered n where n.thread is not null and not n.extra ? 'also_in_channel'
    ), tops as materialized (
        select n.app_id, n.channel_id, max(n.new_seq) as seq, max(n.new_number) as number
        from numbered n group by n.app_id, n.channel_id
    ), heads as (
        update chat.log_heads h set last_seq = t.seq, last_number = t.number, last_xid = chat.xid()
        from tops t where h.app_id = t.app_id and h.log = 'c:' || t.channel_id
    ), positions as (
        -- Sending moves the sender's own read position: what one wrote, one has read.
        update chat.members b set read_number = greatest(b.read_number, s.number)
        from (select n.app_id, n.channel_id, n.user_id, max(n.new_number) as number
              from numbered n where not n.silent group by 1, 2, 3 order by 1, 2, 3) s
        where b.app_id = s.app_id and b.channel_id = s.channel_id and b.user_id = s.user_id
    ), fresh_actives as (
        insert into chat.active_users (app_id, month, user_id, at)
        select distinct n.app_id, p_month, n.user_id, p_at from numbered n where n.active order by 1, 3
        on conflict do nothing
        returning app_id, user_id
    ), counted as (
        insert into chat.usage_outbox (app_id, meter, quantity, at, subject)
        select n.app_id, 'messages', count(*), p_at, null from numbered n group by n.app_id
        union all
        select f.app_id, 'mau', 1, p_at, (select min(n.subject) from numbered n
                                          where n.app_id = f.app_id and n.user_id = f.user_id)
        from fresh_actives f
    ), moved as (
        insert into chat.commits (xid, at, apps, logs, seqs)
        select chat.xid(), p_at, array_agg(t.app_id), array_agg('c:' || t.channel_id), array_agg(t.seq)
        from tops t having count(*) > 0
    )
    select a.* from (
        select n.ord, 'created'::text, n.new_seq, n.new_number, p_at, null::text from numbered n
        union all
        select j.ord,
            case when j.judgement = 'again' then
                     case when f.user_id = j.user_id and f.channel_id = j.channel_id and f.hash = j.hash
                          then 'duplicate' else 'conflict' end
                 else j.judgement end,
            coalesce(j.old_seq, f.new_seq), coalesce(j.old_number, f.new_number), coalesce(j.old_created, p_at), null
        from judged j
        -- What the first of the same id in this flush became, if it was not refused itself.
        left join lateral (
            select o.user_id, o.channel_id, o.hash, n.new_seq, n.new_number
            from judged o left join numbered n on n.ord = o.ord
            where j.judgement = 'again' and o.ord = j.first_ord
            offset 0
        ) f on true
        where j.judgement <> 'created'
    ) a order by 1;

    if p_extras is not null then
        for r in
            select min(i.o) as o, m.app_id, m.id from unnest(p_apps, p_ids, p_extras) with ordinality i(app, id, said, o)
            join chat.messages m on m.app_id = i.app and m.id = i.id and m.xid = chat.xid()
            where i.said is not null group by m.app_id, m.id order by 1
        loop
            perform chat.settle_extra(r.app_id, r.id, p_at);
            return query select r.o, 'shown', null::bigint, null::bigint, null::timestamptz,
                                chat.entry_extra(m.app_id, m.id, m.extra, m.thread_id)
                         from chat.messages m where m.app_id = r.app_id and m.id = r.id;
        end loop;
    end if;
end $$;

-- The same of read and delivery positions, which were joined to themselves three times.
create or replace function chat.move_positions(
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
    ), counted as materialized (
        -- With those of messages above the position that the reader hides: they are not unread.
        select w.*, w.new_read <> w.old_read as moves,
            case when w.hides then chat.hidden_above(w.app_id, w.channel_id, w.user_id, w.new_read) end as numbers
        from wanted w
    ), stored as (
        update chat.members b set read_number = w.new_read, delivered_number = w.new_delivered
        from wanted w
        where b.app_id = w.app_id and b.channel_id = w.channel_id and b.user_id = w.user_id
          and (w.new_read <> w.old_read or w.new_delivered <> w.old_delivered)
    ), told as materialized (
        select w.*, row_number() over (partition by w.app_id, w.user_id order by w.ord) as nth
        from counted w where w.moves
    ), heads as (
        insert into chat.log_heads as h (app_id, log, last_seq, last_xid)
            select t.app_id, 'u:' || t.user_id, count(*), chat.xid() from told t group by 1, 2 order by 1, 2
            on conflict (app_id, log) do update
                set last_seq = h.last_seq + excluded.last_seq, last_xid = excluded.last_xid
            returning h.app_id, h.log, h.last_seq
    ), placed as materialized (
        -- After what the log held when it was locked, which this statement's snapshot sees.
        select t.*, coalesce(h.last_seq, 0) + t.nth as place
        from told t left join chat.log_heads h on h.app_id = t.app_id and h.log = 'u:' || t.user_id
    ), written as (
        insert into chat.events (app_id, log, seq, type, at, actor, message_id, data, xid)
        select p.app_id, 'u:' || p.user_id, p.place, 'unread.changed', p_at, p.user_id, null,
               jsonb_build_object('channel_id', p.channel_id, 'read_number', p.new_read, 'last_number', p.last_number,
                   'unread', greatest(p.last_number - p.new_read - coalesce(cardinality(p.numbers), 0), 0),
                   'marked_unread', p.kind = 'unread')
                   || case when cardinality(p.numbers) > 0 then jsonb_build_object('hidden_numbers', p.numbers)
                           else '{}' end, chat.xid()
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
    select a.ord, a.judgement, a.new_read, a.new_delivered, a.last_number, a.moves, a.new_delivered <> a.old_delivered,
           a.place, a.shows_read, a.shows_delivered, pg_current_xact_id_if_assigned()::text::bigint, a.numbers
    from (
        select p.ord, p.judgement, p.new_read, p.new_delivered, p.last_number, p.moves, p.old_delivered, p.place,
               p.shows_read, p.shows_delivered, p.numbers
        from placed p
        union all
        select w.ord, w.judgement, w.new_read, w.new_delivered, w.last_number, w.moves, w.old_delivered, null,
               w.shows_read, w.shows_delivered, w.numbers
        from counted w where w.moves is not true
    ) a order by a.ord;
end $$;

reset role;
revoke create on schema chat from natter_engine;
