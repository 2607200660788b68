-- Messages that are deleted for good. More members of `extra`:
--   deleted_by: the author, when it has deleted its message itself; purged: true when the content is gone for good

-- Takes away a message's content, what it said before and what others added to it, under its channel's lock. Its place,
-- its number and its thread stay; so does that somebody hides it. Returns the `extra` that is left.
create function chat.purge_message(p_app uuid, p_message uuid, p_at timestamptz) returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
declare m chat.messages; v_extra jsonb; v_whom text[];
begin
    select * into strict m from chat.messages x where x.app_id = p_app and x.id = p_message;
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
revoke execute on function chat.purge_message from public;
grant execute on function chat.purge_message to natter_app;

-- The new owner needs create on the schema for the moment only.
grant create on schema chat to natter_engine;
set local role natter_engine;

-- Empties the entries of a channel's log that tell what others added to a message, of up to p_limit entries after p_after.
-- They keep their place. Returns where to go on; null when all is done.
create function chat.forget_entries(p_app uuid, p_channel text, p_message text, p_after bigint, p_limit int)
returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare v_last bigint;
begin
    update chat.events e set type = 'event.skipped', actor = null, data = '{}'
    where e.app_id = p_app and e.log = 'c:' || p_channel and e.seq > p_after and e.seq <= p_after + p_limit
        and e.type in ('reaction.added', 'reaction.removed', 'message.pinned', 'message.unpinned')
        and e.data ->> 'message_id' = p_message;
    select h.last_seq into v_last from chat.log_heads h where h.app_id = p_app and h.log = 'c:' || p_channel;
    return case when v_last > p_after + p_limit then p_after + p_limit end;
end $$;

revoke execute on function chat.forget_entries from public;
reset role;
revoke create on schema chat from natter_engine;
