-- Who has blocked whom. A row stays when a block is taken back, so that nodes, which look for what changed lately, see it.
create table chat.blocks (
    app_id      uuid not null,
    user_id     text collate "C" not null,
    blocked_id  text collate "C" not null,
    created_at  timestamptz not null,
    changed_at  timestamptz not null,
    removed_at  timestamptz,
    primary key (app_id, user_id, blocked_id)
);
create index blocks_of on chat.blocks (app_id, blocked_id, user_id) where removed_at is null;
create index blocks_changed on chat.blocks (changed_at);
alter table chat.blocks enable row level security;
alter table chat.blocks force row level security;
create policy tenant on chat.blocks to natter_app
    using (app_id = nullif(current_setting('natter.app_id', true), '')::uuid)
    with check (app_id = nullif(current_setting('natter.app_id', true), '')::uuid);
create policy engine on chat.blocks to natter_engine using (true) with check (true);
grant select, insert, update, delete on chat.blocks to natter_app, natter_engine;

-- The flush, whatever else it judges by now, with two verdicts more, asked last:
--   deactivated  a server names a user who is
--   blocked      in a direct channel, the other has blocked the author; looked up by the author, so almost always in vain
do $patch$
declare
    f regprocedure; told text;
    anchor constant text := $$when i.ord <> i.first_ord then 'again'$$;
    more constant text := $$when i.server and exists (
                    select from chat.users d
                    where d.app_id = i.app_id and d.id = i.user_id and d.deactivated_at is not null) then 'deactivated'
                when c.type = 'direct' and not i.server and exists (
                    select from chat.blocks k join chat.members o on o.app_id = k.app_id and o.user_id = k.user_id
                    where k.app_id = i.app_id and k.blocked_id = i.user_id and k.removed_at is null
                        and o.channel_id = i.channel_id) then 'blocked'
                $$;
begin
    for f in select oid from pg_proc where pronamespace = 'chat'::regnamespace and proname = 'append_messages' loop
        told := pg_get_functiondef(f);
        if array_length(string_to_array(told, anchor), 1) is distinct from 2 then
            raise exception 'chat.append_messages is not as 0011 knows it';
        end if;
        execute replace(told, anchor, more || anchor);
    end loop;
end $patch$;
