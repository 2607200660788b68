-- A page of history in the form that costs a node least to pass on: ids as bytes, times as numbers, nothing twice.
-- chat.history stays for nodes that run an older version.

-- Whole milliseconds since 1970, which is what is shown of a time.
create function chat.millis(p_at timestamptz) returns bigint language sql stable strict as
$$ select floor(date_part('epoch', p_at) * 1000 + 0.0005)::bigint $$;

-- Messages of one channel on both sides of a place in its log, as chat.history has them: first up to p_older before it,
-- newest first, with `older` true; then up to p_newer from it on, oldest first.
-- updated_at is null where it is created_at. No row: no such channel for p_user, or p_message is not in it. An empty page
-- is one row of nulls.
create function chat.history_page(
    p_app uuid, p_channel text, p_user text, p_seq bigint, p_message uuid, p_shift int, p_older int, p_newer int
) returns table (
    older boolean, id bytea, seq bigint, number bigint, user_id text, text text, attachments text, custom text,
    silent boolean, created_at bigint, updated_at bigint, deleted_at bigint
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
                chat.millis(m.deleted_at)
            from chat.messages m where m.app_id = p_app and m.channel_id = p_channel and m.seq < v_pivot
            order by m.seq desc limit p_older;
        v_found := found;
    end if;
    if p_newer > 0 then
        return query
            select false, uuid_send(m.id), m.seq, m.number, m.user_id, m.text, m.attachments::text, m.custom::text,
                m.silent, chat.millis(m.created_at), chat.millis(nullif(m.updated_at, m.created_at)),
                chat.millis(m.deleted_at)
            from chat.messages m where m.app_id = p_app and m.channel_id = p_channel and m.seq >= v_pivot
            order by m.seq limit p_newer;
        v_found := v_found or found;
    end if;
    if not v_found then
        return query select null::boolean, null::bytea, null::bigint, null::bigint, null::text, null::text, null::text,
                            null::text, null::boolean, null::bigint, null::bigint, null::bigint;
    end if;
end $$;

grant create on schema chat to natter_engine;
alter function chat.history_page owner to natter_engine;
revoke create on schema chat from natter_engine;
revoke execute on function chat.millis, chat.history_page from public;
grant execute on function chat.millis, chat.history_page to natter_engine;
