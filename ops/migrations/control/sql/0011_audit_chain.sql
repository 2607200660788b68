-- The audit log as a chain for each organization, and one for what concerns none: every entry has a number without gaps and
-- a hash over itself and the hash before it. Beside the entries, which stay as they were written.

create table control.audit_chain (
    -- The installation's own entries, which concern no organization, are chained under the nil UUID.
    organization_id  uuid not null,
    seq              bigint not null check (seq >= 1),
    entry_id         uuid not null unique,
    previous         text not null check (previous ~ '^[0-9a-f]{64}$'),
    hash             text not null check (hash ~ '^[0-9a-f]{64}$'),
    primary key (organization_id, seq)
);
alter table control.audit_chain enable row level security;
alter table control.audit_chain force row level security;
create policy system on control.audit_chain to natter_control using (true) with check (true);
create policy tenant on control.audit_chain to natter_portal
    using (organization_id = nullif(current_setting('natter.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('natter.organization_id', true), '')::uuid);
create trigger append_only before update or delete or truncate on control.audit_chain
    for each statement execute function control.refuse_change();
grant select, insert on control.audit_chain to natter_control;
grant select on control.audit_chain to natter_portal;

create function control.audit_line(e control.audit_entries, p_seq bigint, p_previous text) returns text
language sql stable set search_path = pg_catalog, pg_temp as
$$ select jsonb_build_object(
       'seq', p_seq, 'previous', p_previous, 'id', e.id,
       'at', to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       'actor', e.actor, 'action', e.action, 'target', e.target,
       'organization_id', e.organization_id, 'app_id', e.app_id, 'request_id', e.request_id, 'data', e.data)::text $$;
comment on function control.audit_line is
    'What the hash of an entry is over, in UTF-8. control_plane.audit.chain makes the same without this function.';

create function control.chain_audit_entry() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    chain constant uuid := coalesce(new.organization_id, '00000000-0000-0000-0000-000000000000');
    last_seq bigint;
    last_hash text;
begin
    -- Until the end of the transaction, which is near: this runs at its commit. One lock for all chains, because
    -- transactions with entries in several could else wait for each other.
    perform pg_advisory_xact_lock(418581342580);  -- "audit"
    select c.seq, c.hash into last_seq, last_hash from control.audit_chain c
        where c.organization_id = chain order by c.seq desc limit 1;
    last_seq := coalesce(last_seq, 0) + 1;
    last_hash := coalesce(last_hash, repeat('0', 64));
    insert into control.audit_chain (organization_id, seq, entry_id, previous, hash)
    values (chain, last_seq, new.id, last_hash,
            encode(sha256(convert_to(control.audit_line(new, last_seq, last_hash), 'UTF8')), 'hex'));
    return null;
end $$;

revoke execute on function control.audit_line, control.chain_audit_entry from public;
grant execute on function control.audit_line to natter_control, natter_portal;

-- It keeps writers of entries away until this migration is through, so that what is there is chained before what comes.
create constraint trigger chained after insert on control.audit_entries
    deferrable initially deferred for each row execute function control.chain_audit_entry();

do $$ begin
    grant create on schema control to natter_control;
    alter function control.chain_audit_entry() owner to natter_control;
    revoke create on schema control from natter_control;
end $$;

-- Policies hold for the tables' owner too.
set local role natter_control;
do $$
declare
    e control.audit_entries;
    chain uuid;
    current uuid;
    n bigint;
    last_hash text;
    this_hash text;
begin
    for e in select * from control.audit_entries order by organization_id nulls first, at, id loop
        chain := coalesce(e.organization_id, '00000000-0000-0000-0000-000000000000');
        if chain is distinct from current then
            current := chain; n := 0; last_hash := repeat('0', 64);
        end if;
        n := n + 1;
        this_hash := encode(sha256(convert_to(control.audit_line(e, n, last_hash), 'UTF8')), 'hex');
        insert into control.audit_chain values (chain, n, e.id, last_hash, this_hash);
        last_hash := this_hash;
    end loop;
end $$;
reset role;
