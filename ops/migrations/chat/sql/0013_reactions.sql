-- What others add to a message: reactions first. A message that nobody has added anything to is as narrow as before.

-- Null for a plain message. Shown with the message and changed under its channel's log lock:
--   reactions  {emoji: how many}, no emoji with none
alter table chat.messages add column extra jsonb;

-- Who reacted with what. `seq` is the entry of the channel's log that told it.
create table chat.reactions (
    app_id      uuid not null,
    message_id  uuid not null,
    user_id     text collate "C" not null,
    emoji       text collate "C" not null,
    seq         bigint not null,
    created_at  timestamptz not null,
    primary key (app_id, message_id, user_id, emoji)
);
create index reactions_by_emoji on chat.reactions (app_id, message_id, emoji, seq);
alter table chat.reactions enable row level security;
alter table chat.reactions force row level security;
create policy tenant on chat.reactions to natter_app
    using (app_id = nullif(current_setting('natter.app_id', true), '')::uuid)
    with check (app_id = nullif(current_setting('natter.app_id', true), '')::uuid);
create policy engine on chat.reactions to natter_engine using (true) with check (true);
grant select, insert, update, delete on chat.reactions to natter_app, natter_engine;

alter type chat.entry add attribute extra text;

-- The new owner needs create on the schema for the moment only.
grant create on schema chat to natter_engine;
set local role natter_engine;

-- What is shown beside a message that has an `extra`, to one user: with its own reactions; to nobody in particular
-- (p_user null) without. Called for those messages alone, so that a page of plain ones costs what it did.
create function chat.shown_extra(p_app uuid, p_message uuid, p_extra jsonb, p_user text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select (case when p_user is not null and p_extra ? 'reactions' then
        p_extra || jsonb_build_object('own_reactions', coalesce((
            select jsonb_agg(r.emoji order by r.seq, r.emoji) from chat.reactions r
            where r.app_id = p_app and r.message_id = p_message and r.user_id = p_user), '[]'))
        else p_extra end)::text
$$;

-- A page of history as chat.history_page has it, which stays for nodes of an older version, and what is shown beside
-- each message for p_reader: the user itself, also where p_user is null because it watches without being a member.
create function chat.message_page(
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
        select m.seq into v_pivot from chat.messages m
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
            order by m.seq desc limit p_older;
        v_found := found;
    end if;
    if p_newer > 0 then
        return query
            select false, uuid_send(m.id), m.seq, m.number, m.user_id, m.text, m.attachments::text, m.custom::text,
                m.silent, chat.millis(m.created_at), chat.millis(nullif(m.updated_at, m.created_at)),
                chat.millis(m.deleted_at),
                case when m.extra is not null then chat.shown_extra(p_app, m.id, m.extra, p_reader) end
            from chat.messages m where m.app_id = p_app and m.channel_id = p_channel and m.seq >= v_pivot
            order by m.seq limit p_newer;
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
               case when m.extra is not null then chat.shown_extra(m.app_id, m.id, m.extra, null) end
        from chat.messages m
        where left(r.log, 2) = 'c:' and m.app_id = r.app and m.channel_id = substr(r.log, 3)
          and m.seq between r.lo and r.hi
        union all
        select v.app_id, r.log, v.seq, v.xid, v.type, v.at, v.actor, v.data::text,
               m.id, m.seq, m.number, m.user_id, m.text, m.attachments::text, m.custom::text,
               m.silent, m.created_at, m.updated_at, m.deleted_at,
               case when m.extra is not null then chat.shown_extra(m.app_id, m.id, m.extra, null) end
        from chat.events v
        left join chat.messages m on m.app_id = v.app_id and m.id = v.message_id
        where v.app_id = r.app and v.log = r.log and v.seq between r.lo and r.hi
    ) e
    order by r.app, r.log, e.seq;
end $$;

-- One page of sync in one statement, as before, with what is shown beside messages.
drop function chat.sync_page(uuid, text, bigint, int, boolean, bigint);
create function chat.sync_page(p_app uuid, p_user text, p_from bigint, p_limit int, p_tail boolean, p_at_most bigint)
returns table (
    cursor bigint, has_more boolean, total bigint,
    app_id uuid, log text, seq bigint, xid bigint, type text, at timestamptz, actor text, data text,
    message_id uuid, message_seq bigint, number bigint, user_id text, text text, attachments text, custom text,
    silent boolean, created_at timestamptz, updated_at timestamptz, deleted_at timestamptz, extra text
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

-- Wipe the content of a deleted channel's entries, as before, and whatever others added to its messages.
create or replace function chat.wipe_channel(p_app uuid, p_channel text, p_after bigint, p_limit int, p_at timestamptz)
returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare v_last bigint;
begin
    perform 1 from chat.channels c where c.app_id = p_app and c.id = p_channel and c.deleted_at is not null;
    if not found then raise exception 'chat.wipe_channel is for deleted channels'; end if;
    update chat.channels c set name = null, image = null, custom = '{}' where c.app_id = p_app and c.id = p_channel
        and (c.name is not null or c.image is not null or c.custom <> '{}');
    delete from chat.reactions r using chat.messages m
    where m.app_id = p_app and m.channel_id = p_channel and m.seq > p_after and m.seq <= p_after + p_limit
        and m.extra is not null and r.app_id = p_app and r.message_id = m.id;
    -- The hash goes too: a short text can be guessed from it.
    update chat.messages m set text = '', attachments = null, custom = null, content_hash = '', extra = null,
                               deleted_at = coalesce(m.deleted_at, p_at)
    where m.app_id = p_app and m.channel_id = p_channel and m.seq > p_after and m.seq <= p_after + p_limit;
    update chat.events e set data = '{}'
    where e.app_id = p_app and e.log = 'c:' || p_channel and e.seq > p_after and e.seq <= p_after + p_limit
        and e.type in ('channel.created', 'channel.updated', 'reaction.added', 'reaction.removed');
    select h.last_seq into v_last from chat.log_heads h where h.app_id = p_app and h.log = 'c:' || p_channel;
    return case when v_last > p_after + p_limit then p_after + p_limit end;
end $$;

revoke execute on function chat.shown_extra, chat.message_page, chat.sync_page from public;
reset role;
revoke create on schema chat from natter_engine;
