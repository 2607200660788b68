-- Stored bytes are counted where messages are stored, edited and wiped, in the same transaction.
--
-- What counts is the content of messages: their text in UTF-8, their attachments and custom data as JSON. A message that is
-- deleted and can be restored still has it; what is deleted for good has none.

create function chat.content_bytes(p_text text, p_attachments jsonb, p_custom jsonb) returns bigint
language sql immutable parallel safe as
$$ select (octet_length(p_text) + coalesce(octet_length(p_attachments::text), 0)
           + coalesce(octet_length(p_custom::text), 0))::bigint $$;
comment on function chat.content_bytes is 'What a message counts as stored. It is simple, so that it is put in line.';

-- The new owner needs create on the schema for the moment only.
grant create on schema chat to natter_engine;
set local role natter_engine;

-- A change of what an app stores. It may be called by who may change messages; usage rows can be written by nobody else.
create function chat.count_storage(p_app uuid, p_bytes bigint, p_at timestamptz) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into chat.usage_outbox (app_id, meter, quantity, at)
    select p_app, 'storage_bytes', p_bytes, p_at
    -- A request counts for its own app alone; jobs name none.
    where p_bytes <> 0 and coalesce(nullif(current_setting('natter.app_id', true), ''), p_app::text) = p_app::text
$$;

create function chat.count_edit() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform chat.count_storage(new.app_id, chat.content_bytes(new.text, new.attachments, new.custom)
                                           - chat.content_bytes(old.text, old.attachments, old.custom), new.updated_at);
    return null;
end $$;
revoke execute on function chat.count_storage, chat.count_edit from public;
grant execute on function chat.count_storage to natter_app;

-- chat.append_messages as before, but what it stores is counted in bytes, too.
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
        select n.app_id, c.meter, c.quantity, p_at, null
        from (select x.app_id, count(*) as messages, sum(chat.content_bytes(x.body, x.attachments::jsonb, x.custom::jsonb)) as bytes
              from numbered x group by x.app_id) n
        cross join lateral (values ('messages', n.messages), ('storage_bytes', n.bytes::bigint)) c(meter, quantity)
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


-- As before, and what they wipe is stored no more.
create or replace function chat.wipe_channel(p_app uuid, p_channel text, p_after bigint, p_limit int, p_at timestamptz)
returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare v_last bigint; v_from bigint; v_to bigint; v_mentions bigint; v_bytes bigint := 0;
begin
    perform 1 from chat.channels c where c.app_id = p_app and c.id = p_channel and c.deleted_at is not null;
    if not found then raise exception 'chat.wipe_channel is for deleted channels'; end if;
    update chat.channels c set name = null, image = null, custom = '{}' where c.app_id = p_app and c.id = p_channel
        and (c.name is not null or c.image is not null or c.custom <> '{}');
    -- On both sides: what is in a thread alone has its seq below zero.
    foreach v_from in array array[p_after + 1, -p_after - p_limit] loop
        v_to := v_from + p_limit - 1;
        perform chat.forget_additions(p_app, array(
            select m.id from chat.messages m
            where m.app_id = p_app and m.channel_id = p_channel and m.seq between v_from and v_to
                and (m.extra is not null or m.updated_at <> m.created_at)));
        v_bytes := v_bytes + coalesce((select sum(x.bytes) from (
            select chat.content_bytes(m.text, m.attachments, m.custom) as bytes from chat.messages m
            where m.app_id = p_app and m.channel_id = p_channel and m.seq between v_from and v_to for update) x), 0);
        -- The hash goes too: a short text can be guessed from it.
        update chat.messages m set text = '', attachments = null, custom = null, content_hash = '', extra = null,
                                   deleted_at = coalesce(m.deleted_at, p_at)
        where m.app_id = p_app and m.channel_id = p_channel and m.seq between v_from and v_to;
    end loop;
    perform chat.count_storage(p_app, -v_bytes, p_at);
    delete from chat.pins x
    where x.app_id = p_app and x.channel_id = p_channel and x.seq > p_after and x.seq <= p_after + p_limit;
    delete from chat.mentions t where t.ctid = any (array(
        select x.ctid from chat.mentions x where x.app_id = p_app and x.channel_id = p_channel limit 10 * p_limit));
    get diagnostics v_mentions = row_count;
    update chat.events e set data = '{}'
    where e.app_id = p_app and e.log = 'c:' || p_channel and e.seq > p_after and e.seq <= p_after + p_limit
        and e.type in ('channel.created', 'channel.updated', 'reaction.added', 'reaction.removed',
                       'message.pinned', 'message.unpinned');
    select h.last_seq into v_last from chat.log_heads h where h.app_id = p_app and h.log = 'c:' || p_channel;
    return case when v_last > p_after + p_limit or v_mentions = 10 * p_limit then p_after + p_limit end;
end $$;


create or replace function chat.wipe_truncated(p_app uuid, p_channel text, p_after bigint, p_before bigint, p_limit int, p_at timestamptz)
returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare v_end bigint; v_to bigint; v_side int; v_bytes bigint := 0;
begin
    -- Nothing that is still to be seen.
    select least(c.truncated_to, p_before) into v_end from chat.channels c where c.app_id = p_app and c.id = p_channel;
    v_to := least(p_after + p_limit, v_end - 1);
    foreach v_side in array array[1, -1] loop
        perform chat.forget_additions(p_app, array(
            select m.id from chat.messages m
            where m.app_id = p_app and m.channel_id = p_channel
                and m.seq between least(v_side * (p_after + 1), v_side * v_to) and greatest(v_side * (p_after + 1), v_side * v_to)
                and (m.extra is not null or m.updated_at <> m.created_at)));
        v_bytes := v_bytes + coalesce((select sum(x.bytes) from (
            select chat.content_bytes(m.text, m.attachments, m.custom) as bytes from chat.messages m
            where m.app_id = p_app and m.channel_id = p_channel
                and m.seq between least(v_side * (p_after + 1), v_side * v_to) and greatest(v_side * (p_after + 1), v_side * v_to)
            for update) x), 0);
        -- The hash goes too: a short text can be guessed from it.
        update chat.messages m set text = '', attachments = null, custom = null, extra = null, content_hash = '',
                                   deleted_at = coalesce(m.deleted_at, p_at)
        where m.app_id = p_app and m.channel_id = p_channel
            and m.seq between least(v_side * (p_after + 1), v_side * v_to) and greatest(v_side * (p_after + 1), v_side * v_to);
    end loop;
    perform chat.count_storage(p_app, -v_bytes, p_at);
    delete from chat.pins x
    where x.app_id = p_app and x.channel_id = p_channel and x.seq > p_after and x.seq <= v_to;
    return case when v_to < v_end - 1 then v_to end;
end $$;


reset role;
revoke create on schema chat from natter_engine;

-- The same of a single message.
create or replace function chat.purge_message(p_app uuid, p_message uuid, p_at timestamptz) returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
declare m chat.messages; v_extra jsonb; v_whom text[];
begin
    select * into strict m from chat.messages x where x.app_id = p_app and x.id = p_message for update;
    perform chat.count_storage(p_app, -chat.content_bytes(m.text, m.attachments, m.custom), p_at);
    delete from chat.reactions x where x.app_id = p_app and x.message_id = m.id;
    delete from chat.message_edits x where x.app_id = p_app and x.message_id = m.id;
    delete from chat.pins x where x.app_id = p_app and x.channel_id = m.channel_id and x.message_id = m.id;
    if m.extra ? 'mentions' and not m.silent then
        -- By the key, but where it mentioned a role: whose members these were is not known any more.
        v_whom := array(select jsonb_array_elements_text(m.extra -> 'mentions' -> 'users')) || ''::text;
        delete from chat.mentions x
        where x.app_id = p_app and x.channel_id = m.channel_id and x.user_id = any (v_whom) and x.number = m.number;
        if m.extra -> 'mentions' ? 'roles' then
            delete from chat.mentions x where x.app_id = p_app and x.channel_id = m.channel_id and x.number = m.number;
        end if;
    end if;
    select jsonb_object_agg(e.key, e.value) into v_extra from jsonb_each(m.extra) e
    where e.key in ('thread_id', 'reply_number', 'also_in_channel', 'system', 'reply_count', 'thread_last_number',
                    'last_reply_at', 'thread_participants', 'thread_participant_count', 'hidden');
    v_extra := coalesce(v_extra, '{}') || '{"purged": true}';
    -- The hash goes too: a short text can be guessed from it.
    update chat.messages x set text = '', attachments = null, custom = null, content_hash = '', extra = v_extra,
                               deleted_at = coalesce(x.deleted_at, p_at)
    where x.app_id = p_app and x.channel_id = m.channel_id and x.seq = m.seq;
    return v_extra;
end $$;

-- Only edits: whatever wipes content takes the hash away, and counts by itself at its own time.
create trigger count_edit after update of text, attachments, custom on chat.messages for each row
    when (new.content_hash <> '' and (new.text, new.attachments, new.custom) is distinct from (old.text, old.attachments, old.custom))
    execute function chat.count_edit();

-- What is there already. Nobody stores anything between the count and the new functions.
lock table chat.messages in share row exclusive mode;
insert into chat.usage_outbox (app_id, meter, quantity, at)
select m.app_id, 'storage_bytes', sum(chat.content_bytes(m.text, m.attachments, m.custom)), now() from chat.messages m
group by m.app_id having sum(chat.content_bytes(m.text, m.attachments, m.custom)) > 0;
