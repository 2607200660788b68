-- What each process of a node has applied. A key is revoked on a node once every live process of it has heard.

create table control.node_workers (
    credential_id    uuid not null references control.credentials (id),
    worker           bigint not null check (worker >= 0),
    applied_version  bigint not null,
    last_seen_at     timestamptz not null,
    primary key (credential_id, worker)
);
grant select, insert on control.node_workers to natter_control;
grant update (applied_version, last_seen_at) on control.node_workers to natter_control;

create or replace function control.live_nodes(p_shard text, p_since timestamptz)
returns table (name text, url text, applied_version bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as
$$ select c.name, c.public_url, coalesce(min(w.applied_version), c.applied_version, 0)
   from control.credentials c
   left join control.node_workers w on w.credential_id = c.id and w.last_seen_at > p_since
   where c.kind = 'node' and c.shard = p_shard and c.revoked_at is null and c.last_seen_at > p_since
   group by c.id order by c.name $$;
comment on function control.live_nodes is
    'The nodes of a shard that asked for snapshots after that time, with the lowest version of their processes.';
