-- Where each app stands whose bill is, or was, unpaid; and what that keeps its nodes from.

-- Beside `status`, which is somebody's decision: what billing lets the nodes do. Neither undoes the other.
alter table control.apps add column hold text check (hold in ('read_only', 'suspended', 'export'));
grant update (hold) on control.apps to natter_control;

create table control.dunning (
    app_id           uuid primary key references control.apps (id),
    organization_id  uuid not null references control.organizations (id),
    -- What the provider says: since when something is unpaid, or nothing is.
    unpaid_since     timestamptz,
    state            text not null check (state in ('active', 'past_due', 'read_only', 'suspended', 'export', 'erased')),
    entered_at       timestamptz not null,
    -- When it moves on by itself.
    moves_at         timestamptz,
    check (state in ('active', 'erased') or (unpaid_since is not null and moves_at is not null)),
    check (state not in ('active', 'erased') or moves_at is null)
);
create index dunning_moves on control.dunning (moves_at) where moves_at is not null;
create index dunning_organization on control.dunning (organization_id);

create function control.keep_erased() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'what was erased stays erased' using errcode = 'check_violation';
end $$;
create trigger erased_kept before update on control.dunning for each row
    when (old.state = 'erased') execute function control.keep_erased();
revoke execute on function control.keep_erased from public;

alter table control.dunning enable row level security;
alter table control.dunning force row level security;
create policy system on control.dunning to natter_control using (true) with check (true);
create policy tenant on control.dunning to natter_portal
    using (organization_id = nullif(current_setting('natter.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('natter.organization_id', true), '')::uuid);
grant select, insert on control.dunning to natter_control;
grant update (unpaid_since, state, entered_at, moves_at) on control.dunning to natter_control;
grant select on control.dunning to natter_portal;
