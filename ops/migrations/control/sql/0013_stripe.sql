-- Stripe as it was last seen, and what is on its way there. Nothing of it is needed where billing is `null`.

-- One customer for an organization. `key`: the idempotency key with which it is made, so that it is made once.
create table control.stripe_customers (
    organization_id  uuid primary key references control.organizations (id),
    customer_id      text unique,
    key              text not null,
    -- Apps that ever had a subscription. Each has a slot: its own set of meters, because Stripe adds a meter up by customer.
    slots            int not null default 0 check (slots >= 0),
    card             text,
    balance          bigint not null default 0,
    created_at       timestamptz not null,
    fetched_at       timestamptz
);

-- One subscription for an app, and what Stripe says of it. `fetched_at` is taken before it is asked: what was fetched
-- earlier never replaces what was fetched later.
create table control.stripe_subscriptions (
    app_id           uuid primary key references control.apps (id),
    organization_id  uuid not null references control.organizations (id),
    slot             int not null check (slot > 0),
    subscription_id  text unique,
    status           text,
    plan             text,
    version          int,
    items            jsonb not null default '[]',
    began_at         timestamptz,
    period_begin     timestamptz,
    period_end       timestamptz,
    cancels_at       timestamptz,
    ended_at         timestamptz,
    next_plan        text,
    next_version     int,
    schedule_id      text,
    unpaid_since     timestamptz,
    latest_invoice   text,
    created_at       timestamptz not null,
    fetched_at       timestamptz,
    unique (organization_id, slot)
);

-- Checkout pages that were opened.
create table control.stripe_sessions (
    session_id       text primary key,
    app_id           uuid not null references control.apps (id),
    organization_id  uuid not null references control.organizations (id),
    mode             text not null check (mode in ('subscription', 'setup')),
    plan             text not null,
    version          int not null,
    url              text not null,
    status           text not null check (status in ('open', 'complete', 'expired')),
    expires_at       timestamptz not null,
    created_at       timestamptz not null
);
create index stripe_sessions_app on control.stripe_sessions (app_id) where status = 'open';

-- What Stripe is to be asked to do. Its idempotency key is made and stored before the first call.
create table control.stripe_commands (
    id               uuid primary key,
    organization_id  uuid not null references control.organizations (id),
    app_id           uuid references control.apps (id),
    kind             text not null,
    subject          text not null default '',
    params           jsonb not null,
    key              text not null unique,
    state            text not null check (state in ('pending', 'done', 'refused', 'replaced')),
    actor            text not null check (actor <> ''),
    attempts         int not null default 0,
    created_at       timestamptz not null,
    due_at           timestamptz not null,
    done_at          timestamptz,
    last_error       text check (char_length(last_error) <= 2000)
);
create index stripe_commands_due on control.stripe_commands (due_at) where state = 'pending';
create index stripe_commands_app on control.stripe_commands (app_id, id);
-- An adjustment, a credit is asked for once.
create unique index stripe_commands_subject on control.stripe_commands (organization_id, kind, subject) where subject <> '';

create table control.stripe_invoices (
    invoice_id       text primary key,
    organization_id  uuid not null references control.organizations (id),
    app_id           uuid references control.apps (id),
    subscription_id  text,
    number           text,
    status           text not null,
    reason           text,
    currency         text not null,
    subtotal         bigint not null,
    tax              bigint not null,
    total            bigint not null,
    due              bigint not null,
    period_begin     timestamptz not null,
    period_end       timestamptz not null,
    created_at       timestamptz not null,
    finalized_at     timestamptz,
    paid_at          timestamptz,
    next_attempt_at  timestamptz,
    hosted_url       text,
    pdf_url          text,
    receipt_url      text,
    lines            jsonb not null,
    fetched_at       timestamptz not null
);
create index stripe_invoices_organization on control.stripe_invoices (organization_id, created_at);
create index stripe_invoices_subscription on control.stripe_invoices (subscription_id, created_at);

-- Stripe's events, each once, whether it called us or was asked. Only what they are about is kept: the object is fetched.
create table control.stripe_events (
    event_id     text primary key,
    type         text not null,
    object_id    text not null,
    created_at   timestamptz not null,
    received_at  timestamptz not null,
    state        text not null check (state in ('pending', 'done', 'dead')),
    attempts     int not null default 0,
    due_at       timestamptz not null,
    done_at      timestamptz,
    last_error   text check (char_length(last_error) <= 2000)
);
create index stripe_events_due on control.stripe_events (due_at) where state = 'pending';
create index stripe_events_dead on control.stripe_events (received_at) where state = 'dead';

-- Usage on its way to Stripe's meters, in packs as sold. `identifier` is `app:meter:hour:revision`. `tried_at` is the
-- first call: for some time after it Stripe knows the identifier again, then the row is looked up and not sent again.
create table control.stripe_meter_events (
    identifier       text primary key,
    organization_id  uuid not null references control.organizations (id),
    app_id           uuid not null references control.apps (id),
    meter            text not null check (meter in ('messages', 'mau', 'peak_connections', 'storage_bytes')),
    month            text not null check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    hour             timestamptz not null,
    revision         int not null check (revision >= 0),
    quantity         bigint not null,
    customer_id      text not null,
    event_name       text not null,
    at               timestamptz not null,
    state            text not null check (state in ('pending', 'sent', 'unresolved', 'accepted', 'lost', 'adjusted')),
    attempts         int not null default 0,
    created_at       timestamptz not null,
    due_at           timestamptz not null,
    tried_at         timestamptz,
    settled_at       timestamptz,
    last_error       text check (char_length(last_error) <= 2000),
    unique (app_id, meter, hour, revision)
);
create index stripe_meter_events_due on control.stripe_meter_events (due_at)
    where state in ('pending', 'sent', 'unresolved');
create index stripe_meter_events_month on control.stripe_meter_events (app_id, month, meter);

-- The prices and meters that were made, by lookup key.
create table control.stripe_prices (
    lookup_key  text primary key,
    price_id    text not null,
    product_id  text not null,
    meter_id    text,
    event_name  text,
    active      boolean not null,
    digest      text not null,
    synced_at   timestamptz not null
);

-- What a month comes to by our own terms and ledger, as an invoice would say it: Stripe's is held against it.
create table control.stripe_statements (
    organization_id  uuid not null references control.organizations (id),
    month            text not null check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    currency         text not null check (currency ~ '^[a-z]{3}$'),
    total            bigint not null,
    document         text not null,
    digest           text not null check (digest ~ '^[0-9a-f]{64}$'),
    cut              timestamptz not null,
    made_at          timestamptz not null,
    primary key (organization_id, month)
);
create trigger append_only before update or delete or truncate on control.stripe_statements
    for each statement execute function control.refuse_change();

-- Where the ledger, Stripe's meters and the invoice say different things. `resolved_at`: they agree again.
create table control.stripe_differences (
    id               uuid primary key,
    organization_id  uuid not null references control.organizations (id),
    app_id           uuid references control.apps (id),
    month            text not null check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    what             text not null,
    ledger           bigint,
    stripe           bigint,
    invoice          bigint,
    found_at         timestamptz not null,
    resolved_at      timestamptz
);
create unique index stripe_differences_open on control.stripe_differences (app_id, month, what) where resolved_at is null;

-- What the worker remembers: up to when events were listed, when it was reconciled, since when Stripe is away.
create table control.stripe_state (
    name   text primary key,
    value  jsonb not null,
    at     timestamptz not null
);

-- Who may do what.

do $$
declare
    organization constant text := $p$organization_id = nullif(current_setting('natter.organization_id', true), '')::uuid$p$;
    t text;
begin
    foreach t in array array['stripe_customers', 'stripe_subscriptions', 'stripe_sessions', 'stripe_commands',
                             'stripe_invoices', 'stripe_meter_events', 'stripe_differences', 'stripe_statements'] loop
        execute format('alter table control.%I enable row level security', t);
        execute format('alter table control.%I force row level security', t);
        execute format('create policy system on control.%I to natter_control using (true) with check (true)', t);
        execute format('create policy tenant on control.%I to natter_portal using (%s) with check (%s)',
                       t, organization, organization);
    end loop;
end $$;

grant select, insert, update on
    control.stripe_customers, control.stripe_subscriptions, control.stripe_sessions, control.stripe_commands,
    control.stripe_invoices, control.stripe_events, control.stripe_meter_events, control.stripe_prices,
    control.stripe_differences, control.stripe_state
    to natter_control;

grant select, insert on control.stripe_statements to natter_control;

-- Pages only look; the inbox, prices and the worker's memory they do not even see.
grant select on control.stripe_customers, control.stripe_subscriptions, control.stripe_invoices, control.stripe_statements
    to natter_portal;
grant select (organization_id, app_id, kind, state, created_at) on control.stripe_commands to natter_portal;
