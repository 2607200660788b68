-- Who may do what: organizations, apps, keys, credentials of nodes, entitlements, the audit log.

-- One row. Every configuration change increments it and holds its lock until the commit, so that versions are
-- gap-free and become visible in order: whoever sees version N sees everything up to N.
create table control.configuration (
    singleton  boolean primary key default true check (singleton),
    version    bigint not null check (version >= 0)
);
insert into control.configuration (version) values (0);

create table control.organizations (
    id           uuid primary key,
    name         text not null check (char_length(name) between 1 and 100),
    owner_email  text not null check (char_length(owner_email) between 3 and 254 and owner_email = lower(owner_email)),
    created_at   timestamptz not null
);
create unique index organizations_owner_name on control.organizations (owner_email, lower(name));

create table control.apps (
    id               uuid primary key,
    organization_id  uuid not null references control.organizations (id),
    name             text not null check (char_length(name) between 1 and 100),
    environment      text not null check (environment in ('development', 'production')),
    status           text not null default 'active' check (status in ('active', 'suspended', 'deleted')),
    shard            text not null check (shard <> ''),
    plan             text not null,
    plan_version     int not null check (plan_version >= 1),
    -- The configuration version of its last change. No two apps share one, so it can serve as a cursor.
    version          bigint not null unique,
    allowed_origins  text[] not null default '{*}',
    settings         jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
    created_at       timestamptz not null
);
create index apps_organization on control.apps (organization_id);
create index apps_shard_version on control.apps (shard, version);

create table control.api_keys (
    id               uuid primary key,
    app_id           uuid not null references control.apps (id),
    kind             text not null check (kind in ('publishable', 'secret')),
    value            text unique,
    digest           text unique check (digest ~ '^[0-9a-f]{64}$'),
    last_four        text not null check (char_length(last_four) = 4),
    scopes           text[] not null default '{*}' check (cardinality(scopes) >= 1),
    created_at       timestamptz not null,
    expires_at       timestamptz,
    revoked_at       timestamptz,
    revoked_version  bigint,
    check ((kind = 'publishable') = (value is not null)),
    -- A secret key is kept as an HMAC alone: a copy of this table opens nothing.
    check ((kind = 'secret') = (digest is not null)),
    check ((revoked_at is null) = (revoked_version is null))
);
create index api_keys_app on control.api_keys (app_id);

create table control.signing_keys (
    id               uuid primary key,
    app_id           uuid not null references control.apps (id),
    kid              text not null check (char_length(kid) between 1 and 128),
    algorithm        text not null check (algorithm in ('HS256', 'RS256', 'ES256', 'EdDSA')),
    sealed_secret    bytea,
    public_key       text,
    mint             boolean not null default false,
    created_at       timestamptz not null,
    revoked_at       timestamptz,
    revoked_version  bigint,
    check ((algorithm = 'HS256') = (sealed_secret is not null)),
    check ((algorithm = 'HS256') = (public_key is null)),
    check (not mint or algorithm = 'HS256'),
    check ((revoked_at is null) = (revoked_version is null)),
    -- Also after its revocation a `kid` is not used again: a token must not find another key under it.
    unique (app_id, kid)
);
create unique index signing_keys_mint on control.signing_keys (app_id) where mint and revoked_at is null;

create table control.credentials (
    id               uuid primary key,
    kind             text not null check (kind in ('node', 'relay')),
    name             text not null check (name ~ '^[A-Za-z0-9_.-]{1,64}$'),
    shard            text not null check (shard <> ''),
    digest           text not null unique check (digest ~ '^[0-9a-f]{64}$'),
    created_at       timestamptz not null,
    revoked_at       timestamptz,
    last_seen_at     timestamptz,
    applied_version  bigint,
    public_url       text,
    boot             text
);
create unique index credentials_name on control.credentials (kind, name) where revoked_at is null;
create index credentials_shard on control.credentials (shard) where revoked_at is null;

-- What an app may do, by meter, and where it stands in `period`. The only thing by which billing reaches a node.
create table control.entitlements (
    app_id          uuid not null references control.apps (id),
    meter           text not null check (meter in ('messages', 'mau', 'peak_connections', 'storage_bytes')),
    included        bigint check (included >= 0),
    over            text not null check (over in ('bill', 'throttle', 'stop')),
    period          text not null check (period ~ '^[0-9]{4}-[0-9]{2}$'),
    used            bigint not null default 0,
    exceeded        boolean not null default false,
    -- What the nodes were last told.
    published_used  bigint not null default 0,
    published_at    timestamptz not null,
    primary key (app_id, meter)
);
comment on column control.entitlements.included is 'Units in a month; null: unlimited.';

create table control.audit_entries (
    id               uuid primary key,
    at               timestamptz not null,
    actor            text not null check (actor <> ''),
    action           text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
    target           text not null,
    organization_id  uuid,
    app_id           uuid,
    request_id       text,
    data             jsonb not null default '{}'
);
create index audit_entries_organization on control.audit_entries (organization_id, at);
create index audit_entries_app on control.audit_entries (app_id, at);
