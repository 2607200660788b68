-- Row-level security on every tenant table: natter_control, the system's and identity's role, sees all; natter_portal,
-- under which a customer's pages read and write, sees the organization that the transaction names and nothing without.

do $$
declare
    organization constant text := $p$nullif(current_setting('natter.organization_id', true), '')::uuid$p$;
    conditions constant jsonb := jsonb_build_object(
        'organizations', format('id = %s', organization),
        'apps', format('organization_id = %s', organization),
        'memberships', format('organization_id = %s', organization),
        'invitations', format('organization_id = %s', organization),
        'audit_entries', format('organization_id = %s', organization),
        -- Other tables' policies hold in these too, so the apps and members are those of the organization.
        'accounts', 'id in (select account_id from control.memberships)',
        'api_keys', 'app_id in (select id from control.apps)',
        'signing_keys', 'app_id in (select id from control.apps)',
        'entitlements', 'app_id in (select id from control.apps)',
        'standings_due', 'app_id in (select id from control.apps)',
        'usage_hourly', 'app_id in (select id from control.apps)',
        'usage_ledger', 'app_id in (select id from control.apps)',
        'usage_minutes', 'app_id in (select id from control.apps)',
        'usage_quarantine', 'app_id in (select id from control.apps)',
        'usage_subjects', 'app_id in (select id from control.apps)',
        -- Identity's own. A page may hand a letter in and read none.
        'sessions', null,
        'one_time_tokens', null,
        'mails', null
    );
    t text;
begin
    for t in select jsonb_object_keys(conditions) loop
        execute format('alter table control.%I enable row level security', t);
        execute format('alter table control.%I force row level security', t);
        execute format('create policy system on control.%I to natter_control using (true) with check (true)', t);
        if conditions ->> t is not null then
            execute format('create policy tenant on control.%I to natter_portal using (%s) with check (%s)',
                           t, conditions ->> t, conditions ->> t);
        end if;
    end loop;
end $$;
create policy post on control.mails for insert to natter_portal with check (true);

-- What a page must know across tenants, and no more.

create function control.shard_loads() returns table (shard text, apps bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as
$$ select a.shard, count(*) from control.apps a where a.status <> 'deleted' group by a.shard $$;
comment on function control.shard_loads is 'How many apps live on each shard that has any.';

create function control.live_nodes(p_shard text, p_since timestamptz)
returns table (name text, url text, applied_version bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as
$$ select c.name, c.public_url, coalesce(c.applied_version, 0) from control.credentials c
   where c.kind = 'node' and c.shard = p_shard and c.revoked_at is null and c.last_seen_at > p_since order by c.name $$;
comment on function control.live_nodes is 'The nodes of a shard that asked for snapshots after that time.';

do $$
declare f text;
begin
    -- The new owner needs create on the schema for the moment of the hand-over only.
    grant create on schema control to natter_control;
    foreach f in array array['shard_loads', 'live_nodes'] loop
        execute format('alter function control.%I owner to natter_control', f);
    end loop;
    revoke create on schema control from natter_control;
end $$;
revoke execute on function control.shard_loads, control.live_nodes from public;
grant execute on function control.shard_loads, control.live_nodes to natter_control, natter_portal;
