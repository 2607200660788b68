-- People: accounts and how they prove themselves, who belongs to which organization, the mails that carry links.

create table control.accounts (
    id             uuid primary key,
    email          text not null unique check (char_length(email) between 3 and 254 and email = lower(email)),
    name           text not null check (char_length(name) between 1 and 100),
    -- Null until the address is proven: before that, a password belongs to an attempt to sign up.
    password_hash  text check (password_hash like '$argon2id$%'),
    verified_at    timestamptz,
    staff          boolean not null default false,
    created_at     timestamptz not null,
    check (password_hash is null or verified_at is not null)
);

-- A cookie's other half. `owner` is the person at the machine: it has no account and opens the outbox only.
create table control.sessions (
    id            uuid primary key,
    kind          text not null check (kind in ('account', 'owner')),
    account_id    uuid references control.accounts (id),
    digest        text not null unique check (digest ~ '^[0-9a-f]{64}$'),
    created_at    timestamptz not null,
    last_seen_at  timestamptz not null,
    expires_at    timestamptz not null,
    ip            text not null,
    user_agent    text not null,
    check ((kind = 'account') = (account_id is not null))
);
create index sessions_account on control.sessions (account_id);
create index sessions_expires on control.sessions (expires_at);

-- What a link in a mail holds. An attempt to sign up keeps its own name and password here, so that whoever proves the
-- address activates the password of the very attempt that was mailed, and nobody else's.
create table control.one_time_tokens (
    id             uuid primary key,
    purpose        text not null check (purpose in ('verify', 'reset', 'outbox')),
    account_id     uuid references control.accounts (id),
    digest         text not null unique check (digest ~ '^[0-9a-f]{64}$'),
    created_at     timestamptz not null,
    expires_at     timestamptz not null,
    used_at        timestamptz,
    name           text,
    password_hash  text check (password_hash like '$argon2id$%'),
    check ((purpose = 'outbox') = (account_id is null)),
    check (purpose = 'verify' or (name is null and password_hash is null))
);
create index one_time_tokens_account on control.one_time_tokens (account_id, purpose);
create index one_time_tokens_expires on control.one_time_tokens (expires_at);

create table control.memberships (
    organization_id  uuid not null references control.organizations (id),
    account_id       uuid not null references control.accounts (id),
    role             text not null check (role in ('owner', 'admin', 'developer', 'billing', 'viewer')),
    created_at       timestamptz not null,
    primary key (organization_id, account_id)
);
create index memberships_account on control.memberships (account_id);

create table control.invitations (
    id               uuid primary key,
    organization_id  uuid not null references control.organizations (id),
    email            text not null check (char_length(email) between 3 and 254 and email = lower(email)),
    role             text not null check (role in ('owner', 'admin', 'developer', 'billing', 'viewer')),
    digest           text not null unique check (digest ~ '^[0-9a-f]{64}$'),
    invited_by       uuid not null references control.accounts (id),
    created_at       timestamptz not null,
    expires_at       timestamptz not null,
    accepted_at      timestamptz,
    revoked_at       timestamptz
);
create unique index invitations_open on control.invitations (organization_id, email)
    where accepted_at is null and revoked_at is null;

-- Letters as they will be sent. They hold links that open accounts, so all of a letter is sealed.
create table control.mails (
    id          uuid primary key,
    kind        text not null check (kind ~ '^[a-z_]+$'),
    sealed      bytea not null,
    created_at  timestamptz not null
);
create index mails_created on control.mails (created_at);

-- GCRA: `tat` is the theoretical arrival time of the next call that would be in order. Keys are HMACs, they name nobody.
create table control.throttles (
    key  text primary key,
    tat  timestamptz not null
);
create index throttles_tat on control.throttles (tat);

-- Pages of the audit log.
create index audit_entries_page on control.audit_entries (organization_id, id);
