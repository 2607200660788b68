-- What a user has chosen to show of its presence, and when it was last active. Who is connected is in Redis alone.
create table chat.presence (
    app_id           uuid not null,
    user_id          text collate "C" not null,
    -- online: as its devices are; away; invisible
    status           text not null default 'online',
    text             text,
    text_expires_at  timestamptz,
    -- When the user chose so, in milliseconds since 1970: the later choice counts, on every node.
    version          bigint not null default 0,
    last_active_at   timestamptz,
    primary key (app_id, user_id)
) with (fillfactor = 80);
alter table chat.presence enable row level security;
alter table chat.presence force row level security;
create policy tenant on chat.presence to natter_app
    using (app_id = nullif(current_setting('natter.app_id', true), '')::uuid)
    with check (app_id = nullif(current_setting('natter.app_id', true), '')::uuid);
create policy engine on chat.presence to natter_engine using (true) with check (true);
grant select, insert, update, delete on chat.presence to natter_app, natter_engine;
