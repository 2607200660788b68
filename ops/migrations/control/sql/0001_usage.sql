-- What was used: an append-only ledger, and what is derived from it in the same transactions.

create table control.usage_ledger (
    source       text not null check (char_length(source) between 1 and 100),
    boot         text not null check (char_length(boot) between 1 and 100),
    seq          bigint not null,
    app_id       uuid not null,
    meter        text not null check (meter in ('messages', 'mau', 'peak_connections', 'storage_bytes')),
    quantity     bigint not null,
    at           timestamptz not null,
    subject      text check (subject ~ '^[0-9a-f]{32}$'),
    received_at  timestamptz not null,
    check ((meter = 'mau') = (subject is not null)),
    primary key (source, boot, seq)
);
create index usage_ledger_app on control.usage_ledger (app_id, meter, at);

-- Reported rows that the ledger must not believe: held for an operator, never lost and never counted by themselves.
create table control.usage_quarantine (
    source       text not null,
    boot         text not null,
    seq          bigint not null,
    reason       text not null check (reason in ('time', 'contradiction')),
    app_id       uuid not null,
    meter        text not null,
    quantity     bigint not null,
    at           timestamptz not null,
    subject      text,
    received_at  timestamptz not null,
    released_at  timestamptz,
    primary key (source, boot, seq, reason)
);

-- Everything below is derived: `billing.usage.recompute` makes it again from the ledger.

create table control.usage_hourly (
    app_id    uuid not null,
    meter     text not null,
    hour      timestamptz not null,
    quantity  bigint not null,
    primary key (app_id, meter, hour)
);
comment on table control.usage_hourly is
    'messages: sum of the hour. mau: users whose first row of the month, in order of arrival, lies in the hour. '
    'peak_connections: highest one-minute sum over sources in the hour.';

-- The active users of a month as a set: several sources may report the same one.
create table control.usage_subjects (
    app_id   uuid not null,
    month    text not null check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    subject  text not null,
    primary key (app_id, month, subject)
);

-- The greatest sample of a minute by source; a source that restarts inside a minute is not counted twice.
create table control.usage_minutes (
    app_id    uuid not null,
    minute    timestamptz not null,
    source    text not null,
    quantity  bigint not null,
    primary key (app_id, minute, source)
);

-- Apps whose standing must be computed again. Rows are added by whoever changes usage, in that transaction.
create table control.standings_due (
    id      bigint generated always as identity primary key,
    app_id  uuid not null,
    due_at  timestamptz not null
);
create index standings_due_app on control.standings_due (app_id, due_at);

create function control.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;

create trigger append_only before update or delete or truncate on control.usage_ledger
    for each statement execute function control.refuse_change();
create trigger append_only before update or delete or truncate on control.audit_entries
    for each statement execute function control.refuse_change();
