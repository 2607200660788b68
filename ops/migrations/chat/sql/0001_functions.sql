-- The functions that know the logs' rules. Owned by natter_engine and security definer: they see every tenant's rows
-- and so take app_id as an argument.

create function chat.xid() returns bigint language sql volatile as
$$ select pg_current_xact_id()::text::bigint $$;

-- Everything below it is decided for ever: committed and visible, or aborted.
create function chat.horizon() returns bigint language sql stable as
$$ select pg_snapshot_xmin(pg_current_snapshot())::text::bigint $$;

-- Serialises writers of a log until the end of the transaction, in one order for everybody.
-- Advisory locks, because they do not give the transaction its id: the id comes with the first write, after the lock, so
-- that within a log the order of seq is the order of transaction ids, and a cut by id never leaves a hole in a log.
create function chat.lock_logs(p_apps uuid[], p_logs text[]) returns void
language plpgsql volatile as $$
declare k bigint;
begin
    if pg_current_xact_id_if_assigned() is not null then
        raise exception 'chat.lock_logs must come before the transaction''s first write';
    end if;
    if current_setting('natter.locked', true) = '1' then
        raise exception 'chat.lock_logs may be called once in a transaction';
    end if;
    perform set_config('natter.locked', '1', true);
    for k in select distinct hashtextextended(x.app::text || '/' || x.log, 0) h
             from unnest(p_apps, p_logs) x(app, log) order by h
    loop
        perform pg_advisory_xact_lock(k);
    end loop;
end $$;

-- Append entries to logs of one app that this transaction has locked. Entries of one log follow in argument order.
-- Returns the seq of each entry, in argument order.
create function chat.append_events(
    p_app uuid, p_logs text[], p_types text[], p_actors text[], p_messages uuid[], p_data text[], p_at timestamptz
) returns bigint[]
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare seqs bigint[];
begin
    if current_setting('natter.locked', true) is distinct from '1' then
        raise exception 'chat.append_events needs chat.lock_logs first';
    end if;
    insert into chat.log_heads as h (app_id, log, last_seq, last_xid)
        select p_app, x.log, count(*), chat.xid() from unnest(p_logs) x(log) group by x.log order by x.log
        on conflict (app_id, log) do update
            set last_seq = h.last_seq + excluded.last_seq, last_xid = excluded.last_xid;
    with incoming as (
        select x.*, count(*) over (partition by x.log) - row_number() over (partition by x.log order by x.ord) as after
        from unnest(p_logs, p_types, p_actors, p_messages, p_data)
             with ordinality as x(log, type, actor, message_id, data, ord)
    ), written as (
        insert into chat.events (app_id, log, seq, type, at, actor, message_id, data, xid)
        select p_app, i.log, h.last_seq - i.after, i.type, p_at, i.actor, i.message_id, i.data::jsonb, chat.xid()
        from incoming i join chat.log_heads h on h.app_id = p_app and h.log = i.log
        order by i.ord
    )
    select array_agg(h.last_seq - i.after order by i.ord) into seqs
    from incoming i join chat.log_heads h on h.app_id = p_app and h.log = i.log;
    insert into chat.commits (xid, at, apps, logs, seqs)
        select chat.xid(), p_at, array_agg(p_app), array_agg(h.log), array_agg(h.last_seq)
        from chat.log_heads h where h.app_id = p_app and h.log = any (p_logs);
    return seqs;
end $$;

-- The flush: many sends of many apps in one transaction, one verdict each.
--   created    stored; seq and number are its own
--   duplicate  the same id, author, channel and content was stored before (or earlier in this batch): that one's
--   conflict   the id is taken by something else
--   no_channel, not_member, no_user, frozen: refused, nothing stored
-- p_server: the call comes from the customer's server, which need not be a member but must name a user that exists.
-- p_active: count the author as active in p_month.
create function chat.append_messages(
    p_apps uuid[], p_channels text[], p_ids uuid[], p_users text[], p_texts text[], p_attachments text[],
    p_custom text[], p_silent boolean[], p_hashes bytea[], p_server boolean[], p_active boolean[],
    p_subjects text[], p_month text, p_at timestamptz
) returns table (ord bigint, verdict text, seq bigint, number bigint, created_at timestamptz)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
    -- Locks first, in a statement of their own: the next statement's snapshot then sees whatever a racing retry wrote.
    perform chat.lock_logs(p_apps, array(select 'c:' || c from unnest(p_channels) with ordinality x(c, o) order by o));

    return query
    with incoming as materialized (
        select x.*, first_value(x.ord) over (partition by x.app_id, x.id order by x.ord) as first_ord
        from unnest(p_apps, p_channels, p_ids, p_users, p_texts, p_attachments, p_custom, p_silent, p_hashes,
                    p_server, p_active, p_subjects) with ordinality
             as x(app_id, channel_id, id, user_id, body, attachments, custom, silent, hash, server, active, subject, ord)
    ), judged as materialized (
        select i.*, h.last_seq, h.last_number, m.seq as old_seq, m.number as old_number, m.created_at as old_created,
            case
                when m.id is not null then
                    case when m.user_id = i.user_id and m.channel_id = i.channel_id and m.content_hash = i.hash
                         then 'duplicate' else 'conflict' end
                when c.id is null or c.deleted_at is not null or h.log is null then 'no_channel'
                when not i.server and b.user_id is null then 'not_member'
                when i.server and u.id is null then 'no_user'
                when c.frozen and not i.server then 'frozen'
                when i.ord <> i.first_ord then 'again'
                else 'created'
            end as judgement
        from incoming i
        left join chat.messages m on m.app_id = i.app_id and m.id = i.id
        left join chat.channels c on c.app_id = i.app_id and c.id = i.channel_id
        left join chat.log_heads h on h.app_id = i.app_id and h.log = 'c:' || i.channel_id
        left join chat.members b on b.app_id = i.app_id and b.channel_id = i.channel_id and b.user_id = i.user_id
        left join chat.users u on i.server and u.app_id = i.app_id and u.id = i.user_id
    ), numbered as materialized (
        select j.*,
            j.last_seq + row_number() over w as new_seq,
            j.last_number + count(*) filter (where not j.silent) over (w rows unbounded preceding) as new_number
        from judged j where j.judgement = 'created'
        window w as (partition by j.app_id, j.channel_id order by j.ord)
    ), stored as (
        insert into chat.messages (app_id, channel_id, seq, number, id, user_id, text, attachments, custom, silent,
                                   created_at, updated_at, content_hash, xid)
        select n.app_id, n.channel_id, n.new_seq, n.new_number, n.id, n.user_id, n.body, n.attachments::jsonb,
               n.custom::jsonb, n.silent, p_at, p_at, n.hash, chat.xid()
        from numbered n order by n.ord
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
        coalesce(j.old_seq, n.new_seq), coalesce(j.old_number, n.new_number), coalesce(j.old_created, p_at)
    from judged j
    left join judged f on j.judgement = 'again' and f.ord = j.first_ord
    left join numbered n on n.ord = case when j.judgement = 'again' then j.first_ord else j.ord end
    order by j.ord;
end $$;

-- One log entry with the message it is about, as it is now.
create type chat.entry as (
    app_id uuid, log text, seq bigint, xid bigint, type text, at timestamptz, actor text, data text,
    message_id uuid, message_seq bigint, number bigint, user_id text, text text, attachments text, custom text,
    silent boolean, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz
);

-- Entries of several logs, each from one seq to another, both included; ordered by app, log, seq.
create function chat.read_ranges(p_apps uuid[], p_logs text[], p_from bigint[], p_to bigint[]) returns setof chat.entry
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
    return query
    select e.* from unnest(p_apps, p_logs, p_from, p_to) r(app, log, lo, hi)
    cross join lateral (
        select m.app_id, r.log, m.seq, m.xid, 'message.created', m.created_at, m.user_id as actor, null::text as data,
               m.id, m.seq as message_seq, m.number, m.user_id, m.text, m.attachments::text, m.custom::text,
               m.silent, m.created_at as made, m.updated_at, m.deleted_at
        from chat.messages m
        where left(r.log, 2) = 'c:' and m.app_id = r.app and m.channel_id = substr(r.log, 3)
          and m.seq between r.lo and r.hi
        union all
        select v.app_id, r.log, v.seq, v.xid, v.type, v.at, v.actor, v.data::text,
               m.id, m.seq, m.number, m.user_id, m.text, m.attachments::text, m.custom::text,
               m.silent, m.created_at, m.updated_at, m.deleted_at
        from chat.events v
        left join chat.messages m on m.app_id = v.app_id and m.id = v.message_id
        where v.app_id = r.app and v.log = r.log and v.seq between r.lo and r.hi
    ) e
    order by r.app, r.log, e.seq;
end $$;

-- The transaction id of one entry, null when there is none.
create function chat.entry_xid(p_app uuid, p_log text, p_seq bigint) returns bigint
language plpgsql stable set enable_seqscan = off as $$
declare x bigint;
begin
    if left(p_log, 2) = 'c:' then
        select m.xid into x from chat.messages m
        where m.app_id = p_app and m.channel_id = substr(p_log, 3) and m.seq = p_seq;
        if found then return x; end if;
    end if;
    select e.xid into x from chat.events e where e.app_id = p_app and e.log = p_log and e.seq = p_seq;
    return x;
end $$;

-- The first seq of a log whose transaction id is at least p_xid; p_last + 1 when there is none.
-- Gallops back from the end, then halves: costs the logarithm of the changes, not of the log.
create function chat.first_since(p_app uuid, p_log text, p_last bigint, p_xid bigint) returns bigint
language plpgsql stable as $$
declare lo bigint; hi bigint := p_last + 1; step bigint := 1; mid bigint;
begin
    loop
        mid := p_last + 1 - step;
        if mid < 1 then lo := 0; exit; end if;
        if coalesce(chat.entry_xid(p_app, p_log, mid), 0) < p_xid then lo := mid; exit; end if;
        hi := mid;
        step := step * 2;
    end loop;
    while hi - lo > 1 loop
        mid := (lo + hi) / 2;
        if coalesce(chat.entry_xid(p_app, p_log, mid), 0) < p_xid then lo := mid; else hi := mid; end if;
    end loop;
    return hi;
end $$;

-- The ranges of a user's logs that changed since p_from, cut so that about p_limit entries are in them.
-- One snapshot for all (stable). Without p_tail the answer is a prefix in commit order: everything below `cursor` and
-- nothing above. With p_tail, whatever else is visible already is in it too, so that a live stream can follow on
-- without a hole; those entries come again with the returned cursor.
-- Always at least one row; log is null when nothing changed.
create function chat.changes(p_app uuid, p_user text, p_from bigint, p_limit int, p_tail boolean)
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
            select h.log, h.last_seq, h.last_xid, b.joined_seq as least_seq
            from chat.members b join chat.log_heads h on h.app_id = p_app and h.log = 'c:' || b.channel_id
            where b.app_id = p_app and b.user_id = p_user and h.last_xid >= p_from
            union all
            select h.log, h.last_seq, h.last_xid, 1
            from chat.log_heads h where h.app_id = p_app and h.log = 'u:' || p_user and h.last_xid >= p_from
        ) k
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

-- What a node must know before it serves a connection, and the month's activity row, in one call.
-- verdict: ok, revoked, deactivated, over_quota (p_refuse_new and not yet active this month).
-- A user that the customer's own token names for the first time is made here.
create function chat.connect_user(
    p_app uuid, p_user text, p_issued timestamptz, p_month text, p_subject text, p_refuse_new boolean, p_at timestamptz
) returns table (verdict text, profile text, horizon bigint, user_seq bigint, channels text[], seqs bigint[], fresh boolean)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare u chat.users; v_active boolean;
begin
    select * into u from chat.users where app_id = p_app and id = p_user;
    select exists (select 1 from chat.active_users a where a.app_id = p_app and a.month = p_month and a.user_id = p_user)
    into v_active;
    if u.deactivated_at is not null then
        return query select 'deactivated', null::text, null::bigint, null::bigint, null::text[], null::bigint[], false;
        return;
    end if;
    if u.tokens_valid_after is not null and p_issued < u.tokens_valid_after then
        return query select 'revoked', null::text, null::bigint, null::bigint, null::text[], null::bigint[], false;
        return;
    end if;
    if p_refuse_new and not v_active then
        return query select 'over_quota', null::text, null::bigint, null::bigint, null::text[], null::bigint[], false;
        return;
    end if;
    if u.id is null then
        insert into chat.users (app_id, id, created_at, updated_at) values (p_app, p_user, p_at, p_at)
        on conflict do nothing;
        select * into u from chat.users where app_id = p_app and id = p_user;
    end if;
    if not v_active then
        perform chat.mark_active(p_app, p_user, p_month, p_subject, p_at);
    end if;
    return query
    select 'ok',
        json_build_object('id', u.id, 'name', u.name, 'image', u.image, 'role', u.role, 'custom', u.custom)::text,
        chat.horizon(),
        coalesce((select h.last_seq from chat.log_heads h where h.app_id = p_app and h.log = 'u:' || p_user), 0),
        coalesce(array_agg(b.channel_id) filter (where b.channel_id is not null), '{}'),
        coalesce(array_agg(h.last_seq) filter (where b.channel_id is not null), '{}'),
        not v_active
    from (select 1) one
    left join chat.members b on b.app_id = p_app and b.user_id = p_user
    left join chat.log_heads h on h.app_id = p_app and h.log = 'c:' || b.channel_id;
end $$;

-- Count a user once in a month. True when this call was the first.
create function chat.mark_active(p_app uuid, p_user text, p_month text, p_subject text, p_at timestamptz) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into chat.active_users (app_id, month, user_id, at) values (p_app, p_month, p_user, p_at)
    on conflict do nothing;
    if not found then return false; end if;
    insert into chat.usage_outbox (app_id, meter, quantity, at, subject) values (p_app, 'mau', 1, p_at, p_subject);
    return true;
end $$;

-- Messages of one channel on both sides of a place in its log: up to p_older before it, newest first, and up to p_newer
-- from it on, oldest first. The place is p_seq, or the message p_message, moved on by p_shift.
-- p_user must be a member; null stands for the customer's server, which sees every channel.
-- No row: no such channel for p_user, or p_message is not in it. An empty page is one row whose id is null.
create function chat.history(
    p_app uuid, p_channel text, p_user text, p_seq bigint, p_message uuid, p_shift int, p_older int, p_newer int
) returns table (
    pivot bigint, id uuid, seq bigint, number bigint, user_id text, text text, attachments text, custom text,
    silent boolean, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare v_pivot bigint := p_seq;
begin
    perform 1 from chat.channels c
    where c.app_id = p_app and c.id = p_channel and c.deleted_at is null and (p_user is null or exists (
        select 1 from chat.members b where b.app_id = p_app and b.channel_id = p_channel and b.user_id = p_user));
    if not found then return; end if;
    if p_message is not null then
        select m.seq into v_pivot from chat.messages m
        where m.app_id = p_app and m.id = p_message and m.channel_id = p_channel;
        if not found then return; end if;
    end if;
    v_pivot := v_pivot + p_shift;
    return query
        (select v_pivot, m.id, m.seq, m.number, m.user_id, m.text, m.attachments::text, m.custom::text,
                m.silent, m.created_at, m.updated_at, m.deleted_at
         from chat.messages m where m.app_id = p_app and m.channel_id = p_channel and m.seq < v_pivot
         order by m.seq desc limit p_older)
        union all
        (select v_pivot, m.id, m.seq, m.number, m.user_id, m.text, m.attachments::text, m.custom::text,
                m.silent, m.created_at, m.updated_at, m.deleted_at
         from chat.messages m where m.app_id = p_app and m.channel_id = p_channel and m.seq >= v_pivot
         order by m.seq limit p_newer);
    if not found then
        return query select v_pivot, null::uuid, null::bigint, null::bigint, null::text, null::text, null::text,
                            null::text, null::boolean, null::timestamptz, null::timestamptz, null::timestamptz;
    end if;
end $$;

-- Wipe the content of a deleted channel's entries, p_limit seqs after p_after; their rows stay, because usage is counted
-- from them. A log has no gaps, so a stretch of seqs bounds the work. Returns where to go on, null when all is done.
create function chat.wipe_channel(p_app uuid, p_channel text, p_after bigint, p_limit int, p_at timestamptz)
returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare v_last bigint;
begin
    perform 1 from chat.channels c where c.app_id = p_app and c.id = p_channel and c.deleted_at is not null;
    if not found then raise exception 'chat.wipe_channel is for deleted channels'; end if;
    update chat.channels c set name = null, image = null, custom = '{}' where c.app_id = p_app and c.id = p_channel
        and (c.name is not null or c.image is not null or c.custom <> '{}');
    -- The hash goes too: a short text can be guessed from it.
    update chat.messages m set text = '', attachments = null, custom = null, content_hash = '',
                               deleted_at = coalesce(m.deleted_at, p_at)
    where m.app_id = p_app and m.channel_id = p_channel and m.seq > p_after and m.seq <= p_after + p_limit;
    update chat.events e set data = '{}'
    where e.app_id = p_app and e.log = 'c:' || p_channel and e.seq > p_after and e.seq <= p_after + p_limit
        and e.type in ('channel.created', 'channel.updated');
    select h.last_seq into v_last from chat.log_heads h where h.app_id = p_app and h.log = 'c:' || p_channel;
    return case when v_last > p_after + p_limit then p_after + p_limit end;
end $$;

-- A REST call with a user's token: what chat.connect_user does, without the user's logs. verdict: ok, revoked, deactivated,
-- over_quota (p_refuse_new and not yet active this month). Writes only when the user or the month's row is new.
create function chat.touch_user(
    p_app uuid, p_user text, p_issued timestamptz, p_month text, p_subject text, p_refuse_new boolean, p_at timestamptz
) returns table (verdict text, fresh boolean)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
declare u chat.users; v_active boolean; v_fresh boolean := false;
begin
    select * into u from chat.users where app_id = p_app and id = p_user;
    v_active := exists (select 1 from chat.active_users a
                        where a.app_id = p_app and a.month = p_month and a.user_id = p_user);
    if u.deactivated_at is not null then
        return query select 'deactivated', false;
    elsif u.tokens_valid_after is not null and p_issued < u.tokens_valid_after then
        return query select 'revoked', false;
    elsif p_refuse_new and not v_active then
        return query select 'over_quota', false;
    else
        if u.id is null then
            insert into chat.users (app_id, id, created_at, updated_at) values (p_app, p_user, p_at, p_at)
            on conflict do nothing;
        end if;
        if not v_active then
            v_fresh := chat.mark_active(p_app, p_user, p_month, p_subject, p_at);
        end if;
        return query select 'ok', v_fresh;
    end if;
end $$;

do $$
declare f text;
begin
    -- The new owner needs create on the schema for the moment of the hand-over only.
    grant create on schema chat to natter_engine;
    foreach f in array array['append_events', 'append_messages', 'read_ranges', 'entry_xid', 'first_since', 'changes',
                             'connect_user', 'touch_user', 'mark_active', 'history', 'wipe_channel'] loop
        execute format('alter function chat.%I owner to natter_engine', f);
    end loop;
    revoke create on schema chat from natter_engine;
end $$;
revoke execute on all functions in schema chat from public;
grant execute on all functions in schema chat to natter_engine;
grant execute on function chat.xid, chat.horizon, chat.lock_logs, chat.append_events, chat.mark_active to natter_app;
