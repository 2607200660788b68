-- Threads, quotes, mentions, system messages; former contents, pins, and messages that somebody has hidden for itself.

-- The message that a reply answers. What is in the thread alone, and not in the channel, has its seq below zero: it is an
-- entry of the channel's log (by a row of chat.events), yet outside the range of the key that pages of history read.
alter table chat.messages add column thread_id uuid;
create index messages_of_thread on chat.messages (app_id, thread_id, abs(seq)) where thread_id is not null;
-- More members of `extra`. Of a message as it was sent:
--   thread_id, quoted_id, also_in_channel, system, mentions {users, channel, here, roles}, reply_number (from 1 within its thread)
-- and of what came to it:
--   reply_count (without deleted ones), thread_last_number, last_reply_at, thread_participants (the last ten who
--   replied), thread_participant_count; pin {at, by, expires_at}; hidden: true when somebody hides it for itself;
--   purged: true when its content is gone for good

-- Who takes part in a thread: its author, who replied, who was mentioned in it; and how far each has read.
create table chat.thread_members (
    app_id       uuid not null,
    user_id      text collate "C" not null,
    thread_id    uuid not null,
    channel_id   text collate "C" not null,
    read_number  bigint not null,
    replied      boolean not null,
    primary key (app_id, user_id, thread_id)
);
create index thread_members_of on chat.thread_members (app_id, thread_id);

-- Messages of a channel that mention somebody, by the number that makes them unread. An empty user_id is everybody.
create table chat.mentions (
    app_id      uuid not null,
    channel_id  text collate "C" not null,
    user_id     text collate "C" not null,
    number      bigint not null,
    primary key (app_id, channel_id, user_id, number)
);

-- What a message held before an edit. `seq` is the entry of the channel's log that told the edit.
create table chat.message_edits (
    app_id       uuid not null,
    message_id   uuid not null,
    seq          bigint not null,
    text         text not null,
    attachments  jsonb,
    custom       jsonb,
    edited_at    timestamptz not null,
    edited_by    text collate "C",
    primary key (app_id, message_id, seq)
);

create table chat.pins (
    app_id      uuid not null,
    channel_id  text collate "C" not null,
    message_id  uuid not null,
    seq         bigint not null,
    pinned_by   text collate "C",
    pinned_at   timestamptz not null,
    expires_at  timestamptz,
    primary key (app_id, channel_id, message_id)
);
create unique index pins_by_seq on chat.pins (app_id, channel_id, seq);

create table chat.hidden_messages (
    app_id      uuid not null,
    user_id     text collate "C" not null,
    message_id  uuid not null,
    primary key (app_id, user_id, message_id)
);
create index hidden_messages_of on chat.hidden_messages (app_id, message_id);

do $$
declare t text;
begin
    foreach t in array array['thread_members', 'mentions', 'message_edits', 'pins', 'hidden_messages'] loop
        execute format('alter table chat.%I enable row level security', t);
        execute format('alter table chat.%I force row level security', t);
        execute format($p$create policy tenant on chat.%I to natter_app
            using (app_id = nullif(current_setting('natter.app_id', true), '')::uuid)
            with check (app_id = nullif(current_setting('natter.app_id', true), '')::uuid)$p$, t);
        execute format('create policy engine on chat.%I to natter_engine using (true) with check (true)', t);
        execute format('grant select, insert, update, delete on chat.%I to natter_app, natter_engine', t);
    end loop;
end $$;

-- The new owner needs create on the schema for the moment only.
grant create on schema chat to natter_engine;
set local role natter_engine;

-- Whether a user hides a message for itself. Asked of messages that somebody hides.
create function chat.is_hidden(p_app uuid, p_message uuid, p_user text) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (select from chat.hidden_messages h
                   where h.app_id = p_app and h.user_id = p_user and h.message_id = p_message)
$$;

-- From where on somebody sees a channel's messages. Without a user: from where on anybody does.
create function chat.first_seen(p_app uuid, p_channel text, p_user text) returns bigint
language sql stable set search_path = pg_catalog, pg_temp as $$
    select greatest(c.truncated_to, b.history_from, b.cleared_to,
                    case when p_user is not null and b.user_id is null and c.history = 'joined'
                         then 9223372036854775807 end)
    from chat.channels c
    left join chat.members b on b.app_id = p_app and b.channel_id = p_channel and b.user_id = p_user
    where c.app_id = p_app and c.id = p_channel
$$;

-- What is shown beside a message to one user, as before, with the quoted message as it is now, unless that is older than
-- what the user sees. Without a user: as everybody sees it who sees the quoted one, which its seq is there for.
create or replace function chat.shown_extra(p_app uuid, p_message uuid, p_extra jsonb, p_user text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select (p_extra || case when p_user is not null and p_extra ? 'reactions' then
            jsonb_build_object('own_reactions', coalesce((
                select jsonb_agg(r.emoji order by r.seq, r.emoji) from chat.reactions r
                where r.app_id = p_app and r.message_id = p_message and r.user_id = p_user), '[]'))
            else '{}' end
        || case when p_extra ? 'quoted_id' then coalesce((
                select jsonb_build_object('quoted', jsonb_build_object(
                    'id', q.id, 'seq', abs(q.seq), 'user_id', q.user_id, 'deleted', q.deleted_at is not null,
                    'text', case when q.deleted_at is null then left(q.text, 200) else '' end,
                    'attachment_count', case when q.deleted_at is null then jsonb_array_length(coalesce(q.attachments, '[]'))
                                             else 0 end))
                from chat.messages q where q.app_id = p_app and q.id = (p_extra ->> 'quoted_id')::uuid
                    and abs(q.seq) >= chat.first_seen(p_app, q.channel_id, p_user)), '{}')
            else '{}' end)::text
$$;

-- The same for an event, which is for nobody in particular: a reply's comes with its thread as it is now.
create function chat.entry_extra(p_app uuid, p_message uuid, p_extra jsonb, p_thread uuid) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when p_thread is null then chat.shown_extra(p_app, p_message, p_extra, null) else (
        chat.shown_extra(p_app, p_message, p_extra, null)::jsonb || jsonb_build_object('thread', (
            select jsonb_build_object('id', t.id, 'seq', abs(t.seq), 'user_id', t.user_id) || coalesce(t.extra, '{}')
            from chat.messages t where t.app_id = p_app and t.id = p_thread
                and t.seq >= chat.first_seen(p_app, t.channel_id, null))))::text end
$$;

-- Looks at what a message wants to be besides its content, under the channel's lock: the thread it answers in and the
-- message it quotes, both of which its author (null for a server) must see, whom it mentions (others than members are
-- left out), and the permissions that this takes, a space between two.
create function chat.judge_extra(p_app uuid, p_channel text, p_user text, p_said jsonb)
returns table (extra jsonb, thread uuid, refused text, needs text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare v_parent chat.messages; v_mentions jsonb; v_users jsonb; v_first bigint;
begin
    extra := p_said;
    if p_said ?| array['thread_id', 'quoted_id'] then
        v_first := chat.first_seen(p_app, p_channel, p_user);
    end if;
    if p_said ? 'thread_id' then
        select m.* into v_parent from chat.messages m
        where m.app_id = p_app and m.id = (p_said ->> 'thread_id')::uuid and m.channel_id = p_channel
            and abs(m.seq) >= v_first;
        thread := v_parent.id;
        refused := case when v_parent.id is null then 'no_thread' when v_parent.thread_id is not null then 'in_thread'
                        when v_parent.deleted_at is not null then 'thread_deleted' end;
    end if;
    if refused is null and p_said ? 'quoted_id' and not exists (
            select from chat.messages m
            where m.app_id = p_app and m.id = (p_said ->> 'quoted_id')::uuid and m.channel_id = p_channel
                and abs(m.seq) >= v_first) then
        refused := 'no_quoted';
    end if;
    v_mentions := p_said -> 'mentions';
    if v_mentions is not null then
        select jsonb_agg(u.id order by u.o) into v_users
        from jsonb_array_elements_text(v_mentions -> 'users') with ordinality u(id, o)
        join chat.members b on b.app_id = p_app and b.channel_id = p_channel and b.user_id = u.id;
        v_mentions := jsonb_set(v_mentions, '{users}', coalesce(v_users, '[]'));
        if v_mentions ?| array['channel', 'here', 'roles'] then
            needs := 'message.mention.many';
        elsif v_users is null then
            v_mentions := null;
        end if;
        extra := extra - 'mentions' || case when v_mentions is null then '{}' else jsonb_build_object('mentions', v_mentions) end;
    end if;
    if p_said ? 'system' then
        needs := concat_ws(' ', needs, 'message.system');
    end if;
    return next;
end $$;

-- What a message that was just stored does to others: to its thread, and to whom it mentions.
create function chat.settle_extra(p_app uuid, p_message uuid, p_at timestamptz) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
declare m chat.messages; t chat.messages; v_number bigint; v_new boolean; v_people jsonb; v_mentions jsonb;
begin
    select * into m from chat.messages x where x.app_id = p_app and x.id = p_message;
    v_mentions := m.extra -> 'mentions';
    if m.thread_id is not null then
        select * into t from chat.messages x where x.app_id = p_app and x.id = m.thread_id;
        v_number := coalesce((t.extra ->> 'thread_last_number')::bigint, 0) + 1;
        v_new := not exists (select from chat.thread_members b where b.app_id = p_app and b.user_id = m.user_id
                             and b.thread_id = t.id and b.replied);
        -- The author of a reply has read what it answers.
        insert into chat.thread_members as b (app_id, user_id, thread_id, channel_id, read_number, replied)
            values (p_app, m.user_id, t.id, t.channel_id, v_number, true)
            on conflict (app_id, user_id, thread_id) do update set read_number = v_number, replied = true;
        insert into chat.thread_members (app_id, user_id, thread_id, channel_id, read_number, replied)
            select p_app, u, t.id, t.channel_id, case when u = t.user_id then 0 else v_number - 1 end, false
            from (select t.user_id union select jsonb_array_elements_text(v_mentions -> 'users')) x(u)
            on conflict do nothing;
        select jsonb_agg(u order by o) into v_people from (
            select u, o from jsonb_array_elements_text(coalesce(t.extra -> 'thread_participants', '[]'))
                with ordinality x(u, o)
            where u <> m.user_id union all select m.user_id, 0 order by 2 limit 10) y;
        update chat.messages x set extra = coalesce(x.extra, '{}') || jsonb_build_object(
                'reply_count', coalesce((t.extra ->> 'reply_count')::bigint, 0) + 1,
                'thread_last_number', v_number,
                'last_reply_at', to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                'thread_participants', v_people,
                'thread_participant_count',
                    coalesce((t.extra ->> 'thread_participant_count')::bigint, 0) + v_new::int)
            where x.app_id = p_app and x.channel_id = t.channel_id and x.seq = t.seq;
        update chat.messages x set extra = coalesce(x.extra, '{}') || jsonb_build_object('reply_number', v_number)
            where x.app_id = p_app and x.channel_id = m.channel_id and x.seq = m.seq;
    end if;
    if v_mentions is not null and not m.silent then
        insert into chat.mentions (app_id, channel_id, user_id, number)
            select p_app, m.channel_id, u, m.number from (
                select jsonb_array_elements_text(v_mentions -> 'users')
                union select '' where v_mentions ? 'channel'
                union (select b.user_id from chat.members b
                       where b.app_id = p_app and b.channel_id = m.channel_id and b.role <> 'member'
                           and v_mentions -> 'roles' ? b.role order by b.user_id limit 1000)) x(u)
            where u <> m.user_id
            on conflict do nothing;
    end if;
end $$;

-- How many messages above a number mention a user in a channel: of the unread ones alone, by the key.
create function chat.unread_mentions(p_app uuid, p_channel text, p_user text, p_read bigint) returns bigint
language sql stable set search_path = pg_catalog, pg_temp as $$
    select count(distinct t.number) from chat.mentions t
    where t.app_id = p_app and t.channel_id = p_channel and t.user_id in ('', p_user) and t.number > p_read
$$;

-- Whatever was added to messages goes, when their content goes for good.
create function chat.forget_additions(p_app uuid, p_messages uuid[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
begin
    delete from chat.reactions x where x.app_id = p_app and x.message_id = any (p_messages);
    delete from chat.message_edits x where x.app_id = p_app and x.message_id = any (p_messages);
    delete from chat.thread_members x where x.app_id = p_app and x.thread_id = any (p_messages);
    delete from chat.hidden_messages x where x.app_id = p_app and x.message_id = any (p_messages);
    delete from chat.pins x using chat.messages m
    where m.app_id = p_app and m.id = any (p_messages)
        and x.app_id = p_app and x.channel_id = m.channel_id and x.message_id = m.id;
end $$;

-- The flush as before, and of a message with p_extras (a JSON object, null for a plain one) what else it is:
--   thread_id, also_in_channel, quoted_id, mentions, system. More verdicts:
--   no_thread, in_thread (a reply to a reply), thread_deleted, no_quoted: refused, nothing stored
--   lacks:<permission>  what it wants takes more than sending
-- and for each stored message with extras one more row, after all others, of verdict `shown`: what is shown beside it.
drop function chat.append_messages(
    uuid[], text[], uuid[], text[], text[], text[], text[], boolean[], bytea[], boolean[], boolean[], text[], text,
    timestamptz, text[], int[]);
create function chat.append_messages(
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
    select j.ord,
        case when j.judgement = 'again' then
                 case when f.user_id = j.user_id and f.channel_id = j.channel_id and f.hash = j.hash
                      then 'duplicate' else 'conflict' end
             else j.judgement end,
        coalesce(j.old_seq, n.new_seq), coalesce(j.old_number, n.new_number), coalesce(j.old_created, p_at),
        null::text
    from judged j
    left join judged f on j.judgement = 'again' and f.ord = j.first_ord
    left join numbered n on n.ord = case when j.judgement = 'again' then j.first_ord else j.ord end
    order by j.ord;

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

-- chat.append_messages that waits for nobody, see there.
drop function chat.try_append_messages(
    uuid[], text[], uuid[], text[], text[], text[], text[], boolean[], bytea[], boolean[], boolean[], text[], text,
    timestamptz, text[], int[]);
create function chat.try_append_messages(
    p_apps uuid[], p_channels text[], p_ids uuid[], p_users text[], p_texts text[], p_attachments text[],
    p_custom text[], p_silent boolean[], p_hashes bytea[], p_server boolean[], p_active boolean[],
    p_subjects text[], p_month text, p_at timestamptz,
    p_rules text[] default null, p_rule int[] default null, p_extras text[] default null
) returns table (ord bigint, verdict text, seq bigint, number bigint, created_at timestamptz, extra text)
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
            p_custom, p_silent, p_hashes, p_server, p_active, p_subjects, p_month, p_at, p_rules, p_rule, p_extras) a;
        return;
    end if;
    select array_agg(x.o order by x.o) into v_free
    from unnest(p_apps, p_channels) with ordinality x(app, channel, o)
    where hashtextextended(x.app::text || '/c:' || x.channel, 0) <> all (v_busy);
    if v_free is not null then
        return query
        select v_free[a.ord], a.verdict, a.seq, a.number, a.created_at, a.extra
        from chat.append_messages(
            array(select p_apps[o] from unnest(v_free) o), array(select p_channels[o] from unnest(v_free) o),
            array(select p_ids[o] from unnest(v_free) o), array(select p_users[o] from unnest(v_free) o),
            array(select p_texts[o] from unnest(v_free) o), array(select p_attachments[o] from unnest(v_free) o),
            array(select p_custom[o] from unnest(v_free) o), array(select p_silent[o] from unnest(v_free) o),
            array(select p_hashes[o] from unnest(v_free) o), array(select p_server[o] from unnest(v_free) o),
            array(select p_active[o] from unnest(v_free) o), array(select p_subjects[o] from unnest(v_free) o),
            p_month, p_at, p_rules, array(select p_rule[o] from unnest(v_free) o),
            case when p_extras is not null then array(select p_extras[o] from unnest(v_free) o) end) a;
    end if;
    return query
    select x.o::bigint, 'busy', null::bigint, null::bigint, null::timestamptz, null::text
    from generate_subscripts(p_apps, 1) x(o) where x.o <> all (coalesce(v_free, '{}'));
end $$;

-- A page of a channel's history, without what is in threads alone and what the reader hides for itself.
create or replace function chat.message_page(
    p_app uuid, p_channel text, p_user text, p_seq bigint, p_message uuid, p_shift int, p_older int, p_newer int,
    p_reader text
) returns table (
    older boolean, id bytea, seq bigint, number bigint, user_id text, text text, attachments text, custom text,
    silent boolean, created_at bigint, updated_at bigint, deleted_at bigint, extra text
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare v_pivot bigint := p_seq; v_found boolean := false;
begin
    perform 1 from chat.channels c
    where c.app_id = p_app and c.id = p_channel and c.deleted_at is null and (p_user is null or exists (
        select 1 from chat.members b where b.app_id = p_app and b.channel_id = p_channel and b.user_id = p_user));
    if not found then return; end if;
    if p_message is not null then
        select abs(m.seq) into v_pivot from chat.messages m
        where m.app_id = p_app and m.id = p_message and m.channel_id = p_channel;
        if not found then return; end if;
    end if;
    v_pivot := v_pivot + p_shift;
    if p_older > 0 then
        return query
            select true, uuid_send(m.id), m.seq, m.number, m.user_id, m.text, m.attachments::text, m.custom::text,
                m.silent, chat.millis(m.created_at), chat.millis(nullif(m.updated_at, m.created_at)),
                chat.millis(m.deleted_at),
                case when m.extra is not null then chat.shown_extra(p_app, m.id, m.extra, p_reader) end
            from chat.messages m where m.app_id = p_app and m.channel_id = p_channel and m.seq < v_pivot
                and m.seq > 0
                and (m.extra is null or not m.extra ? 'hidden' or not chat.is_hidden(p_app, m.id, p_reader))
            order by m.seq desc limit p_older;
        v_found := found;
    end if;
    if p_newer > 0 then
        return query
            select false, uuid_send(m.id), m.seq, m.number, m.user_id, m.text, m.attachments::text, m.custom::text,
                m.silent, chat.millis(m.created_at), chat.millis(nullif(m.updated_at, m.created_at)),
                chat.millis(m.deleted_at),
                case when m.extra is not null then chat.shown_extra(p_app, m.id, m.extra, p_reader) end
            from chat.messages m where m.app_id = p_app and m.channel_id = p_channel
                and m.seq >= greatest(v_pivot, 1)
                and (m.extra is null or not m.extra ? 'hidden' or not chat.is_hidden(p_app, m.id, p_reader))
            order by m.seq limit p_newer;
        v_found := v_found or found;
    end if;
    if not v_found then
        return query select null::boolean, null::bytea, null::bigint, null::bigint, null::text, null::text, null::text,
                            null::text, null::boolean, null::bigint, null::bigint, null::bigint, null::text;
    end if;
end $$;

-- A page of a thread's replies, likewise; whether the reader may see the thread is the caller's to know.
create function chat.thread_page(
    p_app uuid, p_thread uuid, p_seq bigint, p_message uuid, p_shift int, p_older int, p_newer int,
    p_reader text
) returns table (
    older boolean, id bytea, seq bigint, number bigint, user_id text, text text, attachments text, custom text,
    silent boolean, created_at bigint, updated_at bigint, deleted_at bigint, extra text
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare v_pivot bigint := p_seq; v_found boolean := false;
begin
    if p_message is not null then
        select abs(m.seq) into v_pivot from chat.messages m
        where m.app_id = p_app and m.id = p_message and m.thread_id = p_thread;
        if not found then return; end if;
    end if;
    v_pivot := v_pivot + p_shift;
    if p_older > 0 then
        return query
            select true, uuid_send(m.id), abs(m.seq), m.number, m.user_id, m.text, m.attachments::text, m.custom::text,
                m.silent, chat.millis(m.created_at), chat.millis(nullif(m.updated_at, m.created_at)),
                chat.millis(m.deleted_at),
                case when m.extra is not null then chat.shown_extra(p_app, m.id, m.extra, p_reader) end
            from chat.messages m where m.app_id = p_app and m.thread_id = p_thread and abs(m.seq) < v_pivot
                and (m.extra is null or not m.extra ? 'hidden' or not chat.is_hidden(p_app, m.id, p_reader))
            order by abs(m.seq) desc limit p_older;
        v_found := found;
    end if;
    if p_newer > 0 then
        return query
            select false, uuid_send(m.id), abs(m.seq), m.number, m.user_id, m.text, m.attachments::text, m.custom::text,
                m.silent, chat.millis(m.created_at), chat.millis(nullif(m.updated_at, m.created_at)),
                chat.millis(m.deleted_at),
                case when m.extra is not null then chat.shown_extra(p_app, m.id, m.extra, p_reader) end
            from chat.messages m where m.app_id = p_app and m.thread_id = p_thread and abs(m.seq) >= v_pivot
                and (m.extra is null or not m.extra ? 'hidden' or not chat.is_hidden(p_app, m.id, p_reader))
            order by abs(m.seq) limit p_newer;
        v_found := v_found or found;
    end if;
    if not v_found then
        return query select null::boolean, null::bytea, null::bigint, null::bigint, null::text, null::text, null::text,
                            null::text, null::boolean, null::bigint, null::bigint, null::bigint, null::text;
    end if;
end $$;

-- Entries of several logs, each from one seq to another, both included; ordered by app, log, seq.
create or replace function chat.read_ranges(p_apps uuid[], p_logs text[], p_from bigint[], p_to bigint[])
returns setof chat.entry
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
    return query
    select e.* from unnest(p_apps, p_logs, p_from, p_to) r(app, log, lo, hi)
    cross join lateral (
        select m.app_id, r.log, m.seq, m.xid, 'message.created', m.created_at, m.user_id as actor, null::text as data,
               m.id, m.seq as message_seq, m.number, m.user_id, m.text, m.attachments::text, m.custom::text,
               m.silent, m.created_at as made, m.updated_at, m.deleted_at,
               case when m.extra is not null then chat.entry_extra(m.app_id, m.id, m.extra, m.thread_id) end
        from chat.messages m
        where left(r.log, 2) = 'c:' and m.app_id = r.app and m.channel_id = substr(r.log, 3)
          and m.seq between r.lo and r.hi
        union all
        select v.app_id, r.log, v.seq, v.xid, v.type, v.at, v.actor, v.data::text,
               m.id, abs(m.seq), m.number, m.user_id, m.text, m.attachments::text, m.custom::text,
               m.silent, m.created_at, m.updated_at, m.deleted_at,
               case when m.extra is not null then chat.entry_extra(m.app_id, m.id, m.extra, m.thread_id) end
        from chat.events v
        left join chat.messages m on m.app_id = v.app_id and m.id = v.message_id
        where v.app_id = r.app and v.log = r.log and v.seq between r.lo and r.hi
    ) e
    order by r.app, r.log, e.seq;
end $$;

-- Wipe the content of a deleted channel's entries, as before, with all that was added to its messages.
create or replace function chat.wipe_channel(p_app uuid, p_channel text, p_after bigint, p_limit int, p_at timestamptz)
returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare v_last bigint; v_from bigint; v_to bigint;
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
        -- The hash goes too: a short text can be guessed from it.
        update chat.messages m set text = '', attachments = null, custom = null, content_hash = '', extra = null,
                                   deleted_at = coalesce(m.deleted_at, p_at)
        where m.app_id = p_app and m.channel_id = p_channel and m.seq between v_from and v_to;
    end loop;
    if p_after = 0 then
        delete from chat.mentions t where t.app_id = p_app and t.channel_id = p_channel;
    end if;
    update chat.events e set data = '{}'
    where e.app_id = p_app and e.log = 'c:' || p_channel and e.seq > p_after and e.seq <= p_after + p_limit
        and e.type in ('channel.created', 'channel.updated', 'reaction.added', 'reaction.removed',
                       'message.pinned', 'message.unpinned');
    select h.last_seq into v_last from chat.log_heads h where h.app_id = p_app and h.log = 'c:' || p_channel;
    return case when v_last > p_after + p_limit then p_after + p_limit end;
end $$;

-- The same for a truncated one, up to p_limit entries after p_after, as before.
create or replace function chat.wipe_truncated(p_app uuid, p_channel text, p_after bigint, p_before bigint, p_limit int, p_at timestamptz)
returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare v_end bigint; v_to bigint; v_side int;
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
        -- The hash goes too: a short text can be guessed from it.
        update chat.messages m set text = '', attachments = null, custom = null, extra = null, content_hash = '',
                                   deleted_at = coalesce(m.deleted_at, p_at)
        where m.app_id = p_app and m.channel_id = p_channel
            and m.seq between least(v_side * (p_after + 1), v_side * v_to) and greatest(v_side * (p_after + 1), v_side * v_to);
    end loop;
    return case when v_to < v_end - 1 then v_to end;
end $$;

-- As before, but what is before a message is never a reply of a thread.
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

revoke execute on function chat.is_hidden, chat.first_seen, chat.entry_extra, chat.judge_extra, chat.settle_extra,
    chat.unread_mentions, chat.forget_additions, chat.append_messages, chat.try_append_messages, chat.thread_page from public;
grant execute on function chat.first_seen, chat.unread_mentions, chat.forget_additions, chat.shown_extra, chat.entry_extra to natter_app;
reset role;
revoke create on schema chat from natter_engine;
