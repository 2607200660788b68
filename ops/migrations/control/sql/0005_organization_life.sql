-- Organizations change hands, close, and are erased when the time to come back is over.

alter table control.organizations
    add column closed_at timestamptz,
    -- The account that closed it.
    add column closed_by uuid references control.accounts (id),
    -- From then on nothing but the row itself is kept: its id, and these times.
    add column erased_at timestamptz,
    -- Members without two-step sign-in see nothing but how to turn it on.
    add column two_step_required boolean not null default false,
    add constraint organizations_closed check ((closed_at is null) = (closed_by is null)),
    add constraint organizations_erased check (erased_at is null or closed_at is not null);
create index organizations_closing on control.organizations (closed_at) where closed_at is not null and erased_at is null;

-- An offer to become the owner. Open until it is accepted, ended by one of the two, replaced, or over.
create table control.ownership_offers (
    id               uuid primary key,
    organization_id  uuid not null references control.organizations (id),
    offered_by       uuid not null references control.accounts (id),
    offered_to       uuid not null references control.accounts (id),
    created_at       timestamptz not null,
    expires_at       timestamptz not null,
    accepted_at      timestamptz,
    ended_at         timestamptz,
    check (offered_by <> offered_to),
    check (accepted_at is null or ended_at is null)
);
create unique index ownership_offers_open on control.ownership_offers (organization_id)
    where accepted_at is null and ended_at is null;

alter table control.ownership_offers enable row level security;
alter table control.ownership_offers force row level security;
create policy system on control.ownership_offers to natter_control using (true) with check (true);
create policy tenant on control.ownership_offers to natter_portal
    using (organization_id = nullif(current_setting('natter.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('natter.organization_id', true), '')::uuid);

grant select, insert, delete, update (accepted_at, ended_at) on control.ownership_offers to natter_control;
grant select, insert, update (accepted_at, ended_at) on control.ownership_offers to natter_portal;
grant update (closed_at, closed_by, two_step_required) on control.organizations to natter_portal;

-- Erasure, by the system alone. Of keys and grants nothing stays; apps and the organization stay as rows without words,
-- because the ledger's rows belong to them.
grant update (owner_email, closed_at, closed_by, erased_at, two_step_required) on control.organizations to natter_control;
grant delete on control.api_keys, control.signing_keys, control.entitlements to natter_control;
