-- What a customer has agreed to, what it was granted and charged. Facts are added, never changed.

-- One row a fact about an app: its plan, a trial, an add-on, an override, what it chose for a meter, its budget, when to be
-- told. What is in force at a moment is, by kind and subject, the newest fact that began by then (billing/terms).
create table control.terms (
    id               uuid primary key,
    organization_id  uuid not null references control.organizations (id),
    app_id           uuid not null references control.apps (id),
    kind             text not null check (kind in ('plan', 'trial', 'addon', 'override', 'over', 'budget', 'alerts')),
    subject          text not null default '' check (char_length(subject) <= 100),
    -- JSON null: nothing of this kind and subject from then on.
    value            jsonb not null,
    began_at         timestamptz not null,
    created_at       timestamptz not null,
    created_by       text not null check (created_by <> ''),
    reason           text,
    cancelled_at     timestamptz
);
create index terms_app on control.terms (app_id, began_at);
create index terms_organization on control.terms (organization_id, created_at);
-- One trial for an organization, also of two requests at once.
create unique index terms_one_trial on control.terms (organization_id) where kind = 'trial' and value <> 'null'::jsonb;

create function control.guard_terms() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        -- Overrides are the operator's. A page that forgot to ask would be stopped here.
        if new.kind = 'override' and current_user = 'natter_portal' then
            raise exception 'overrides are not a customer''s to make' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end if;
    -- Only what has not begun can be taken back: an invoice rests on the rest.
    if tg_op = 'UPDATE' and old.cancelled_at is null and new.cancelled_at < old.began_at
       and to_jsonb(new) - 'cancelled_at' = to_jsonb(old) - 'cancelled_at' then
        return new;
    end if;
    raise exception 'terms are append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger guarded before insert or update or delete on control.terms
    for each row execute function control.guard_terms();

-- Credits: grants, and a ledger of what became of each. `balance` is the grant's after the entry, so that no two entries
-- can follow the same one and none can leave less than nothing.
create table control.credit_grants (
    id               uuid primary key,
    organization_id  uuid not null references control.organizations (id),
    amount           bigint not null check (amount > 0),
    priority         int not null,
    reason           text not null check (char_length(reason) between 1 and 200),
    expires_at       timestamptz,
    created_at       timestamptz not null,
    created_by       text not null check (created_by <> '')
);
create index credit_grants_organization on control.credit_grants (organization_id, id);
create table control.credit_entries (
    grant_id         uuid not null references control.credit_grants (id),
    seq              int not null check (seq >= 0),
    organization_id  uuid not null references control.organizations (id),
    kind             text not null check (kind in ('grant', 'debit', 'expiry')),
    amount           bigint not null,
    balance          bigint not null check (balance >= 0),
    at               timestamptz not null,
    invoice_id       uuid,
    primary key (grant_id, seq),
    check ((kind = 'grant') = (seq = 0)),
    check ((kind = 'grant') = (amount > 0)),
    check ((kind = 'debit') = (invoice_id is not null))
);
create index credit_entries_organization on control.credit_entries (organization_id, at);

create table control.coupon_redemptions (
    organization_id  uuid not null references control.organizations (id),
    code             text not null check (char_length(code) between 1 and 40),
    first_month      text not null check (first_month ~ '^[0-9]{4}-[0-9]{2}$'),
    redeemed_at      timestamptz not null,
    redeemed_by      text not null check (redeemed_by <> ''),
    primary key (organization_id, code)
);

-- Invoices. The number's row is locked until the invoice's commit, so that numbers have no gaps.
create table control.invoice_counter (
    singleton  boolean primary key default true check (singleton),
    last       bigint not null check (last >= 0)
);
insert into control.invoice_counter (last) values (0);
create table control.invoices (
    id               uuid primary key,
    organization_id  uuid not null references control.organizations (id),
    month            text not null check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    number           bigint not null unique check (number > 0),
    currency         text not null check (currency ~ '^[a-z]{3}$'),
    total            bigint not null check (total >= 0),
    -- Canonical JSON: everything that the pages and the PDF show.
    document         text not null,
    digest           text not null check (digest ~ '^[0-9a-f]{64}$'),
    cut              timestamptz not null,
    finalized_at     timestamptz not null,
    unique (organization_id, month)
);
-- A month of an organization that is done with, also when there was nothing to charge. `cut`: usage received by then is in.
create table control.billing_months (
    organization_id  uuid not null references control.organizations (id),
    month            text not null check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    cut              timestamptz not null,
    closed_at        timestamptz not null,
    invoice_id       uuid references control.invoices (id),
    primary key (organization_id, month)
);

-- Once for each threshold of each limit and period.
create table control.usage_alerts (
    app_id        uuid not null references control.apps (id),
    period        text not null check (period ~ '^[0-9]{4}-[0-9]{2}$'),
    subject       text not null check (subject in ('messages', 'mau', 'peak_connections', 'storage_bytes', 'budget')),
    limit_amount  bigint not null,
    threshold     int not null check (threshold between 1 and 1000),
    used          bigint not null,
    at            timestamptz not null,
    primary key (app_id, period, subject, limit_amount, threshold)
);

-- Stored bytes are a level: the sum of all changes. By the month, so that years need not be added up.
create table control.usage_levels (
    app_id    uuid not null,
    month     text not null check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    quantity  bigint not null,
    primary key (app_id, month)
);
comment on table control.usage_levels is 'storage_bytes: the sum of a month''s changes; the level is the sum up to it.';

-- What arrived late, for adjustments: no cost for what is in time.
create index usage_ledger_late on control.usage_ledger (app_id, received_at) where received_at - at > interval '30 minutes';

do $$
declare t text;
begin
    foreach t in array array['credit_grants', 'credit_entries', 'coupon_redemptions', 'invoices', 'billing_months', 'usage_alerts']
    loop
        execute format('create trigger append_only before update or delete or truncate on control.%I '
                       'for each statement execute function control.refuse_change()', t);
    end loop;
end $$;

-- Apps that are there are on their plan since they were made; what is charged begins with this.
insert into control.terms (id, organization_id, app_id, kind, value, began_at, created_at, created_by)
select gen_random_uuid(), a.organization_id, a.id, 'plan', jsonb_build_object('plan', a.plan, 'version', a.plan_version),
       a.created_at, now(), 'system:migration'
from control.apps a;

-- Who may do what.

do $$
declare
    organization constant text := $p$organization_id = nullif(current_setting('natter.organization_id', true), '')::uuid$p$;
    app constant text := 'app_id in (select id from control.apps)';
    conditions constant jsonb := jsonb_build_object(
        'terms', organization, 'credit_grants', organization, 'credit_entries', organization,
        'coupon_redemptions', organization, 'invoices', organization, 'billing_months', organization,
        'usage_alerts', app, 'usage_levels', app);
    t text;
begin
    for t in select jsonb_object_keys(conditions) loop
        execute format('alter table control.%I enable row level security', t);
        execute format('alter table control.%I force row level security', t);
        execute format('create policy system on control.%I to natter_control using (true) with check (true)', t);
        execute format('create policy tenant on control.%I to natter_portal using (%s) with check (%s)',
                       t, conditions ->> t, conditions ->> t);
    end loop;
end $$;

grant select, insert on
    control.terms, control.credit_grants, control.credit_entries, control.coupon_redemptions, control.invoices,
    control.billing_months, control.usage_alerts, control.usage_levels
    to natter_control;
grant update (cancelled_at) on control.terms to natter_control;
grant select, update (last) on control.invoice_counter to natter_control;
grant update (quantity) on control.usage_levels to natter_control;

grant select on
    control.terms, control.credit_grants, control.credit_entries, control.coupon_redemptions, control.invoices,
    control.billing_months, control.usage_alerts, control.usage_levels, control.usage_ledger
    to natter_portal;
grant insert on control.terms, control.coupon_redemptions to natter_portal;
grant update (cancelled_at) on control.terms to natter_portal;
-- Whether an owner has confirmed the address decides on trials.
grant select (verified_at) on control.accounts to natter_portal;
