-- Pins go with the content of a channel. A pinned message may be plain otherwise, so they are found by their seq.
grant create on schema chat to natter_engine;
set local role natter_engine;

-- As before.
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
    delete from chat.pins x
    where x.app_id = p_app and x.channel_id = p_channel and x.seq > p_after and x.seq <= p_after + p_limit;
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
    delete from chat.pins x
    where x.app_id = p_app and x.channel_id = p_channel and x.seq > p_after and x.seq <= v_to;
    return case when v_to < v_end - 1 then v_to end;
end $$;

reset role;
revoke create on schema chat from natter_engine;
