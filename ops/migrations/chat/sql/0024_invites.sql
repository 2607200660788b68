-- Who was asked to become a member of a channel, and what came of it. One for each channel and user, the newest.
create table chat.invites (
    app_id        uuid not null,
    channel_id    text collate "C" not null,
    user_id       text collate "C" not null,
    state         text not null check (state in ('pending', 'accepted', 'rejected', 'revoked')),
    role          text not null,
    invited_by    text collate "C",
    -- The first seq that the user will see of what was said before it accepts; null for none of it.
    history_from  bigint,
    custom        jsonb not null default '{}',
    created_at    timestamptz not null,
    changed_at    timestamptz not null,
    primary key (app_id, channel_id, user_id)
);
create index invites_pending on chat.invites (app_id, user_id, channel_id) where state = 'pending';
alter table chat.invites enable row level security;
alter table chat.invites force row level security;
create policy tenant on chat.invites to natter_app
    using (app_id = nullif(current_setting('natter.app_id', true), '')::uuid)
    with check (app_id = nullif(current_setting('natter.app_id', true), '')::uuid);
create policy engine on chat.invites to natter_engine using (true) with check (true);
grant select, insert, update, delete on chat.invites to natter_app, natter_engine;
