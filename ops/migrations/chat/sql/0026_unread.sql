-- The channels in which a user has something unread, by keys: grows with the user's channels, and with what mentions it
-- there and is unread. Without a setting of its own, so that it is planned within whatever asks.
create function chat.unread_channels(p_app uuid, p_user text, p_at timestamptz)
returns table (
    channel_id text, type text, read_number bigint, last_number bigint, unread bigint, mentions bigint, muted boolean
)
language sql stable as $$
    select c.id, c.type, b.read_number, h.last_number, h.last_number - greatest(b.read_number, c.truncated_number),
        (select count(distinct t.number) from chat.mentions t
         where t.app_id = p_app and t.channel_id = b.channel_id and t.user_id in ('', p_user)
             and t.number > greatest(b.read_number, c.truncated_number)),
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
$$;

-- The threads of a user in which replies are unread, and the latest of which it sees: those that `GET /v1/threads` lists.
create function chat.unread_threads(p_app uuid, p_user text, p_at timestamptz)
returns table (thread_id uuid, channel_id text, unread bigint, muted boolean)
language sql stable as $$
    select t.thread_id, t.channel_id, (m.extra ->> 'thread_last_number')::bigint - t.read_number,
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
        and m.seq >= greatest(b.history_from, b.cleared_to, c.truncated_to)
$$;

-- The sums of both, without what is muted, as JSON.
create function chat.unread_totals(p_app uuid, p_user text, p_at timestamptz) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp
-- To plan it takes longer than to run it.
set plan_cache_mode = force_generic_plan as $$
begin
    return (
        select json_build_object(
            'total', coalesce(sum(c.unread), 0), 'channels_unread', count(c.channel_id), 'mentions', coalesce(sum(c.mentions), 0),
            'thread_replies', t.replies, 'threads_unread', t.threads)::text
        from (select coalesce(sum(x.unread), 0) as replies, count(*) as threads
              from chat.unread_threads(p_app, p_user, p_at) x where not x.muted) t
        left join chat.unread_channels(p_app, p_user, p_at) c on not c.muted
        group by t.replies, t.threads);
end $$;

-- One channel's mentions are counted with all the others.
drop function chat.unread_mentions(uuid, text, text, bigint);

-- The new owner needs create on the schema for the moment only.
grant create on schema chat to natter_engine;
set local role natter_engine;

-- As before, and with the totals of what the user has not read.
drop function chat.connect_users(uuid[], text[], timestamptz[], text[], boolean[], bigint[], text, timestamptz);
create function chat.connect_users(
    p_apps uuid[], p_users text[], p_issued timestamptz[], p_subjects text[], p_refuse_new boolean[], p_since bigint[],
    p_month text, p_at timestamptz
) returns table (
    ord bigint, verdict text, profile text, horizon bigint, user_seq bigint, channels text[], seqs bigint[], moved boolean,
    unread text
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
                                null::boolean, null::text;
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
            case when r.since is not null then coalesce(bool_or(h.last_xid >= r.since), false) end,
            -- Of this statement's snapshot, as the heads: what comes after them is in the events that follow.
            (select chat.unread_totals(r.app, r.id, p_at))
        from chat.log_heads h where h.app_id = r.app and h.log = any (chat.logs_of(r.app, r.id));
    end loop;
end $$;

revoke execute on function chat.connect_users from public;
reset role;
revoke create on schema chat from natter_engine;
revoke execute on function chat.unread_channels, chat.unread_threads, chat.unread_totals from public;
grant execute on function chat.unread_channels, chat.unread_threads to natter_app, natter_engine;
grant execute on function chat.unread_totals to natter_engine;
