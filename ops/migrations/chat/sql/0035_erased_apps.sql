-- What the ledger's counts of an erased app are compared with: how many messages and active users of each month went.
create table chat.erased_usage (
    app_id    uuid not null,
    month     text not null check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    messages  bigint not null default 0 check (messages >= 0),
    mau       bigint not null default 0 check (mau >= 0),
    primary key (app_id, month)
);
alter table chat.erased_usage enable row level security;
alter table chat.erased_usage force row level security;
create policy engine on chat.erased_usage to natter_engine using (true) with check (true);
grant select, insert, update on chat.erased_usage to natter_engine;

do $$
declare t text;
begin
    for t in select c.table_name from information_schema.columns c
             where c.table_schema = 'chat' and c.column_name = 'app_id' and c.table_name not in ('erased_usage', 'app_snapshots')
    loop
        execute format('grant select, delete on chat.%I to natter_engine', t);
    end loop;
end $$;

grant create on schema chat to natter_engine;
set local role natter_engine;

create function chat.erase_app(p_app uuid, p_limit int, p_at timestamptz) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    t text;
    gone bigint;
    total bigint := 0;
begin
    -- Counted as they go, in the same transaction.
    with batch as (
        delete from chat.messages m where m.app_id = p_app and (m.channel_id, m.seq) in (
            select s.channel_id, s.seq from chat.messages s where s.app_id = p_app order by s.channel_id, s.seq limit p_limit)
        returning to_char(m.created_at at time zone 'UTC', 'YYYY-MM') as month,
                  chat.content_bytes(m.text, m.attachments, m.custom) as bytes
    ), kept as (
        insert into chat.erased_usage as e (app_id, month, messages)
        select p_app, s.month, count(*) from batch s group by s.month
        on conflict (app_id, month) do update set messages = e.messages + excluded.messages
    ), freed as (
        insert into chat.usage_outbox (app_id, meter, quantity, at)
        select p_app, 'storage_bytes', -sum(s.bytes), p_at from batch s having sum(s.bytes) <> 0
    )
    select count(*) into gone from batch;
    total := total + gone;

    with batch as (
        delete from chat.active_users a where a.app_id = p_app and (a.month, a.user_id) in (
            select s.month, s.user_id from chat.active_users s where s.app_id = p_app order by s.month, s.user_id limit p_limit)
        returning a.month
    ), kept as (
        insert into chat.erased_usage as e (app_id, month, mau)
        select p_app, s.month, count(*) from batch s group by s.month
        on conflict (app_id, month) do update set mau = e.mau + excluded.mau
    )
    select count(*) into gone from batch;
    total := total + gone;

    delete from chat.outbox o where o.payload ->> 'app_id' = p_app::text;

    -- Whatever tables there are: one that comes later is not forgotten. What stays is what is on its way to the ledger, and
    -- the copy of the configuration by which nodes know that the app is deleted.
    for t in
        select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'app_id' and not a.attisdropped
        where c.relnamespace = 'chat'::regnamespace and c.relkind = 'r'
            and c.relname not in ('messages', 'active_users', 'erased_usage', 'usage_outbox', 'usage_samples', 'app_snapshots')
        -- Heads before members: a membership that goes would else be counted off its head.
        order by c.relname = 'log_heads' desc, c.relname
    loop
        execute format('delete from chat.%I where ctid = any(array(select ctid from chat.%I where app_id = $1 limit $2))', t, t)
            using p_app, p_limit;
        get diagnostics gone = row_count;
        total := total + gone;
    end loop;
    return total;
end $$;
comment on function chat.erase_app is
    'Remove at most p_limit rows of each kind of an app that was deleted; returns how many there were, 0 once nothing is left.';
revoke execute on function chat.erase_app from public;
reset role;
revoke create on schema chat from natter_engine;
