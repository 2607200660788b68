-- The chat schema of one shard. Every tenant table's key begins with app_id and is under forced row-level security.

create schema if not exists chat;

-- What is true of the shard as a whole. `epoch` names the life of its logs: a restore or a move changes it, and with it
-- every cursor ends.
create table chat.shard (
    only_row  boolean primary key default true check (only_row),
    epoch     text not null,
    made_at   timestamptz not null default now()
);
insert into chat.shard (epoch) values (substr(replace(gen_random_uuid()::text, '-', ''), 1, 10));

create table chat.users (
    app_id             uuid not null,
    id                 text collate "C" not null,
    name               text,
    image              text,
    role               text not null default 'user',
    custom             jsonb not null default '{}',
    created_at         timestamptz not null,
    updated_at         timestamptz not null,
    deactivated_at     timestamptz,
    tokens_valid_after timestamptz,
    primary key (app_id, id)
);
-- Nodes look here for revocations that the bus did not bring.
create index users_revoked on chat.users (tokens_valid_after) where tokens_valid_after is not null;

create table chat.channels (
    app_id      uuid not null,
    id          text collate "C" not null,
    type        text not null,
    name        text,
    image       text,
    custom      jsonb not null default '{}',
    created_by  text collate "C",
    frozen      boolean not null default false,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    deleted_at  timestamptz,
    primary key (app_id, id)
);

-- Two kinds of log: `c:<channel>` and `u:<user>`. The head is narrow and has no index on a changing column, so that
-- its updates stay within their page.
create table chat.log_heads (
    app_id       uuid not null,
    log          text collate "C" not null,
    last_seq     bigint not null,
    last_number  bigint not null default 0,
    last_xid     bigint not null,
    primary key (app_id, log)
) with (fillfactor = 50);

create table chat.members (
    app_id         uuid not null,
    channel_id     text collate "C" not null,
    user_id        text collate "C" not null,
    role           text not null default 'member',
    joined_seq     bigint not null,
    joined_at      timestamptz not null,
    read_number    bigint not null,
    primary key (app_id, channel_id, user_id)
) with (fillfactor = 80);
create index members_by_user on chat.members (app_id, user_id, channel_id);

-- A message's row is also the log entry that created it: (channel, seq) is its place in the channel's log.
create table chat.messages (
    app_id        uuid not null,
    channel_id    text collate "C" not null,
    seq           bigint not null,
    number        bigint not null,
    id            uuid not null,
    user_id       text collate "C" not null,
    text          text not null,
    attachments   jsonb,
    custom        jsonb,
    silent        boolean not null default false,
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    deleted_at    timestamptz,
    content_hash  bytea not null,
    xid           bigint not null,
    primary key (app_id, channel_id, seq)
);
create unique index messages_by_id on chat.messages (app_id, id);

-- Every other log entry. Those about a message name it and carry no copy of it.
create table chat.events (
    app_id      uuid not null,
    log         text collate "C" not null,
    seq         bigint not null,
    type        text not null,
    at          timestamptz not null,
    actor       text collate "C",
    message_id  uuid,
    data        jsonb,
    xid         bigint not null,
    primary key (app_id, log, seq)
);

-- One row a transaction: which logs it moved and to where. Nodes and side effects follow it in commit order.
create table chat.commits (
    xid   bigint not null,
    pos   bigint generated always as identity,
    at    timestamptz not null,
    apps  uuid[] not null,
    logs  text[] not null,
    seqs  bigint[] not null,
    primary key (xid, pos)
);

create table chat.active_users (
    app_id   uuid not null,
    month    text not null,
    user_id  text collate "C" not null,
    at       timestamptz not null,
    primary key (app_id, month, user_id)
);

-- Counted in the transaction of the thing counted; the relay deletes a row once the ledger has it.
create table chat.usage_outbox (
    seq       bigint generated always as identity primary key,
    app_id    uuid not null,
    meter     text not null,
    quantity  bigint not null,
    at        timestamptz not null,
    subject   text
);

create table chat.refresh_tokens (
    app_id      uuid not null,
    digest      text not null,
    family      uuid not null,
    user_id     text collate "C" not null,
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    used_at     timestamptz,
    primary key (app_id, digest)
);
create index refresh_tokens_family on chat.refresh_tokens (app_id, family);
create index refresh_tokens_user on chat.refresh_tokens (app_id, user_id);
create index refresh_tokens_expiry on chat.refresh_tokens (expires_at);

create table chat.idempotency_keys (
    app_id       uuid not null,
    caller       text not null,
    key          text not null,
    fingerprint  text not null,
    status       int not null,
    response     jsonb not null,
    created_at   timestamptz not null,
    primary key (app_id, caller, key)
);
create index idempotency_keys_age on chat.idempotency_keys (created_at);

-- The shard's own copy of its apps' snapshots (sealed), from which a node starts while the control plane is away.
create table chat.app_snapshots (
    app_id   uuid primary key,
    version  bigint not null,
    sealed   bytea not null
);

do $$
declare t text;
begin
    foreach t in array array['users', 'channels', 'log_heads', 'members', 'messages', 'events', 'active_users',
                             'refresh_tokens', 'idempotency_keys'] loop
        execute format('alter table chat.%I enable row level security', t);
        execute format('alter table chat.%I force row level security', t);
        execute format($p$create policy tenant on chat.%I to natter_app
            using (app_id = nullif(current_setting('natter.app_id', true), '')::uuid)
            with check (app_id = nullif(current_setting('natter.app_id', true), '')::uuid)$p$, t);
        execute format('create policy engine on chat.%I to natter_engine using (true) with check (true)', t);
    end loop;
end $$;

grant usage on schema chat to natter_app, natter_engine;
grant select on chat.shard to natter_app, natter_engine;
grant select, insert, update, delete on chat.users, chat.channels, chat.members, chat.refresh_tokens,
    chat.idempotency_keys to natter_app;
grant select, update on chat.messages to natter_app;
grant select on chat.log_heads, chat.events, chat.active_users to natter_app;
grant insert on chat.outbox to natter_app;
grant select, insert, update, delete on all tables in schema chat to natter_engine;
