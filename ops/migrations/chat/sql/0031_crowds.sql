-- Channels of many members: who has a role is found by it, and mentions go some at a time.

-- The new owner needs create on the schema for the moment only.
grant create on schema chat to natter_engine;
set local role natter_engine;

-- As before, but those who have a mentioned role are found by the role, and not among all members.
create or replace function chat.settle_extra(p_app uuid, p_message uuid, p_at timestamptz) returns void
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
                union (select r.user_id from jsonb_array_elements_text(v_mentions -> 'roles') w(role)
                       cross join lateral (
                           -- By members_by_role, whose condition this repeats.
                           select b.user_id from chat.members b
                           where b.app_id = p_app and b.channel_id = m.channel_id and b.role = w.role
                               and b.role > '' and b.role <> 'member'
                           order by b.user_id limit 1000) r
                       order by r.user_id limit 1000)) x(u)
            where u <> m.user_id
            on conflict do nothing;
    end if;
end $$;

-- As before, but mentions go some at a time, too: each message may have a thousand.
create or replace function chat.wipe_channel(p_app uuid, p_channel text, p_after bigint, p_limit int, p_at timestamptz)
returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare v_last bigint; v_from bigint; v_to bigint; v_mentions bigint;
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

reset role;
revoke create on schema chat from natter_engine;
