-- When an app was deleted, and since when nothing of its chat is left on its shard but counts.
alter table control.apps
    add column deleted_at      timestamptz,
    add column chat_erased_at  timestamptz,
    add constraint erased_after_deletion check (chat_erased_at is null or deleted_at is not null);
create index apps_to_erase on control.apps (deleted_at) where chat_erased_at is null and deleted_at is not null;
grant update (deleted_at, chat_erased_at) on control.apps to natter_control;
grant update (deleted_at) on control.apps to natter_portal;

-- When somebody last had a letter that had failed sent again: trying it begins anew then.
alter table control.mails add column retried_at timestamptz;
grant update (retried_at) on control.mails to natter_control;

-- Addresses of key sets that are read again and again. A signing key that came from one names it.
create table control.key_sets (
    id          uuid primary key,
    app_id      uuid not null references control.apps (id),
    url         text not null check (char_length(url) between 9 and 500),
    created_at  timestamptz not null,
    -- When it was last read well, and what was wrong the last time if it was not.
    read_at     timestamptz not null,
    tried_at    timestamptz not null,
    due_at      timestamptz not null,
    failures    int not null default 0 check (failures >= 0),
    problem     text check (char_length(problem) <= 500),
    removed_at  timestamptz
);
create unique index key_sets_app_url on control.key_sets (app_id, url) where removed_at is null;
create index key_sets_due on control.key_sets (due_at) where removed_at is null;
alter table control.key_sets enable row level security;
alter table control.key_sets force row level security;
create policy system on control.key_sets to natter_control using (true) with check (true);
create policy tenant on control.key_sets to natter_portal
    using (app_id in (select id from control.apps)) with check (app_id in (select id from control.apps));
grant select, insert, delete on control.key_sets to natter_control;
grant update (read_at, tried_at, due_at, failures, problem, removed_at) on control.key_sets to natter_control;
grant select, insert on control.key_sets to natter_portal;
grant update (removed_at) on control.key_sets to natter_portal;

alter table control.signing_keys add column key_set_id uuid references control.key_sets (id);
create index signing_keys_key_set on control.signing_keys (key_set_id) where key_set_id is not null;
