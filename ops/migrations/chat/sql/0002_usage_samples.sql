-- The highest number of connections that an app had on a node within a minute. The relay makes one usage row of all
-- nodes' samples of a minute (see data_plane/usage/minutes.py); a sample stays for a day after it, because a late one is
-- reported as the sum with those that were there before.
create table chat.usage_samples (
    app_id    uuid not null,
    minute    timestamptz not null check (mod(extract(epoch from minute), 60) = 0),
    node      text not null,
    quantity  bigint not null check (quantity > 0),
    -- Whether a row of the usage outbox holds this quantity.
    reported  boolean not null default false,
    primary key (app_id, minute, node)
);
-- For both who look at minutes: the relay at those not reported, retention at those that were.
create index usage_samples_minute on chat.usage_samples (reported, minute);

alter table chat.usage_samples enable row level security;
alter table chat.usage_samples force row level security;
create policy tenant on chat.usage_samples to natter_app
    using (app_id = nullif(current_setting('natter.app_id', true), '')::uuid)
    with check (app_id = nullif(current_setting('natter.app_id', true), '')::uuid);
create policy engine on chat.usage_samples to natter_engine using (true) with check (true);

grant select, insert, update, delete on chat.usage_samples to natter_engine;
