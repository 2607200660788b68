-- Channel types, roles, and what a role may do in a type or in one channel. What is built in is in the code
-- (data_plane/grants/defaults.py); a row here replaces it.

create table chat.channel_types (
    app_id        uuid not null,
    name          text collate "C" not null,
    creator_role  text not null,
    -- {role: [permission]}; a role that is not named has what it has by default.
    grants        jsonb not null,
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    primary key (app_id, name)
);

create table chat.roles (
    app_id      uuid not null,
    name        text collate "C" not null,
    -- Where it may be given: `app`, `channel`, or both.
    scopes      text[] not null,
    -- What it may do in every type that says nothing else.
    grants      jsonb not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    primary key (app_id, name)
);

-- What roles may do in this channel otherwise than in its type; null for nothing.
alter table chat.channels add column grants jsonb;

-- Whether a role is in use, and who owns a channel, without a look at the roles that almost everybody has.
create index members_of_role on chat.members (app_id, role, channel_id) where role <> 'member';
create index users_of_role on chat.users (app_id, role) where role <> 'user';

do $$
declare t text;
begin
    foreach t in array array['channel_types', 'roles'] loop
        execute format('alter table chat.%I enable row level security', t);
        execute format('alter table chat.%I force row level security', t);
        execute format($p$create policy tenant on chat.%I to natter_app
            using (app_id = nullif(current_setting('natter.app_id', true), '')::uuid)
            with check (app_id = nullif(current_setting('natter.app_id', true), '')::uuid)$p$, t);
        execute format('create policy engine on chat.%I to natter_engine using (true) with check (true)', t);
    end loop;
end $$;
grant select, insert, update, delete on chat.channel_types, chat.roles to natter_app, natter_engine;

-- The new owner needs create on the schema for the moment only.
grant create on schema chat to natter_engine;
set local role natter_engine;

-- Whether a role may do something: as the channel says, or else as the app's rules say. Rules are one text of marks
-- between bars: `|s:group.member|` lets members of groups send, see data_plane/grants/table.py. Null without a role.
create function chat.granted(p_rules text, p_mark text, p_permission text, p_type text, p_role text, p_grants jsonb)
returns boolean language sql immutable as
$$ select coalesce((p_grants -> p_role) ? p_permission,
                   position('|' || p_mark || ':' || p_type || '.' || p_role || '|' in p_rules) > 0) $$;

-- The flush: many sends of many apps in one transaction, one verdict each.
--   created    stored; seq and number are its own
--   duplicate  the same id, author, channel and content was stored before (or earlier in this batch): that one's
--   conflict   the id is taken by something else
--   no_channel, not_member, no_user, forbidden, frozen, deactivated, blocked: refused, nothing stored
-- p_server: the call comes from the customer's server, which need not be a member but must name a user that exists.
-- p_active: count the author as active in p_month.
-- p_rules, p_rule: what roles may do, a text for each app of the batch, and which of them (from 1) is whose. The type,
-- the roles and the channel's own grants are read under the channel's lock, so no change of a role slips between.
-- Without rules, as nodes of an older version call it, every member may send.
drop function chat.append_messages(
    uuid[], text[], uuid[], text[], text[], text[], text[], boolean[], bytea[], boolean[], boolean[], text[], text,
    timestamptz);
create function chat.append_messages(
    p_apps uuid[], p_channels text[], p_ids uuid[], p_users text[], p_texts text[], p_attachments text[],
    p_custom text[], p_silent boolean[], p_hashes bytea[], p_server boolean[], p_active boolean[],
    p_subjects text[], p_month text, p_at timestamptz,
    p_rules text[] default null, p_rule int[] default null
) returns table (ord bigint, verdict text, seq bigint, number bigint, created_at timestamptz)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
    -- Locks first, in a statement of their own: the next statement's snapshot then sees whatever a racing retry wrote.
    perform chat.lock_logs(p_apps, array(select 'c:' || c from unnest(p_channels) with ordinality x(c, o) order by o));

    return query
    with incoming as materialized (
        select x.*, first_value(x.ord) over (partition by x.app_id, x.id order by x.ord) as first_ord
        from unnest(p_apps, p_channels, p_ids, p_users, p_texts, p_attachments, p_custom, p_silent, p_hashes,
                    p_server, p_active, p_subjects) with ordinality
             as x(app_id, channel_id, id, user_id, body, attachments, custom, silent, hash, server, active, subject, ord)
    ), judged as materialized (
        select i.*, h.last_seq, h.last_number, m.seq as old_seq, m.number as old_number, m.created_at as old_created,
            case
                when m.id is not null then
                    case when m.user_id = i.user_id and m.channel_id = i.channel_id and m.content_hash = i.hash
                         then 'duplicate' else 'conflict' end
                when c.id is null or c.deleted_at is not null or h.log is null then 'no_channel'
                when i.server and u.id is null then 'no_user'
                when not i.server and b.user_id is null
                     and not coalesce(chat.granted(p_rules[p_rule[i.ord]], 'w', 'channel.watch', c.type, u.role, c.grants), false)
                     then 'not_member'
                when not i.server and not b.may_send
                     and not coalesce(chat.granted(p_rules[p_rule[i.ord]], 's', 'message.send', c.type, u.role, c.grants), false)
                     then 'forbidden'
                when not i.server and c.frozen
                     and not coalesce(chat.granted(p_rules[p_rule[i.ord]], 'f', 'message.send.frozen', c.type, b.role, c.grants), false)
                     and not coalesce(chat.granted(p_rules[p_rule[i.ord]], 'f', 'message.send.frozen', c.type, u.role, c.grants), false)
                     then 'frozen'
                when i.server and exists (
                    select from chat.users d
                    where d.app_id = i.app_id and d.id = i.user_id and d.deactivated_at is not null) then 'deactivated'
                when c.type = 'direct' and not i.server and exists (
                    select from chat.blocks k join chat.members o on o.app_id = k.app_id and o.user_id = k.user_id
                    where k.app_id = i.app_id and k.blocked_id = i.user_id and k.removed_at is null
                        and o.channel_id = i.channel_id) then 'blocked'
                when i.ord <> i.first_ord then 'again'
                else 'created'
            end as judgement
        from incoming i
        left join chat.messages m on m.app_id = i.app_id and m.id = i.id
        left join chat.channels c on c.app_id = i.app_id and c.id = i.channel_id
        left join chat.log_heads h on h.app_id = i.app_id and h.log = 'c:' || i.channel_id
        left join lateral (
            select b.user_id, b.role,
                   p_rules is null or chat.granted(p_rules[p_rule[i.ord]], 's', 'message.send', c.type, b.role, c.grants) as may_send
            from chat.members b
            where b.app_id = i.app_id and b.channel_id = i.channel_id and b.user_id = i.user_id
            offset 0
        ) b on true
        -- Looked up only where it decides: for a server, a stranger, a frozen channel, a role that may not.
        left join lateral (
            select u.id, case when position('|r:' || u.role || '|' in p_rules[p_rule[i.ord]]) > 0
                              then u.role else 'user' end as role
            from chat.users u
            where u.app_id = i.app_id and u.id = i.user_id
              and (i.server or b.may_send is not true or c.frozen)
            offset 0
        ) u on true
    ), numbered as materialized (
        select j.*,
            j.last_seq + row_number() over w as new_seq,
            j.last_number + count(*) filter (where not j.silent) over (w rows unbounded preceding) as new_number
        from judged j where j.judgement = 'created'
        window w as (partition by j.app_id, j.channel_id order by j.ord)
    ), stored as (
        insert into chat.messages (app_id, channel_id, seq, number, id, user_id, text, attachments, custom, silent,
                                   created_at, updated_at, content_hash, xid)
        select n.app_id, n.channel_id, n.new_seq, n.new_number, n.id, n.user_id, n.body, n.attachments::jsonb,
               n.custom::jsonb, n.silent, p_at, p_at, n.hash, chat.xid()
        from numbered n order by n.ord
    ), tops as materialized (
        select n.app_id, n.channel_id, max(n.new_seq) as seq, max(n.new_number) as number
        from numbered n group by n.app_id, n.channel_id
    ), heads as (
        update chat.log_heads h set last_seq = t.seq, last_number = t.number, last_xid = chat.xid()
        from tops t where h.app_id = t.app_id and h.log = 'c:' || t.channel_id
    ), positions as (
        -- Sending moves the sender's own read position: what one wrote, one has read.
        update chat.members b set read_number = greatest(b.read_number, s.number)
        from (select n.app_id, n.channel_id, n.user_id, max(n.new_number) as number
              from numbered n where not n.silent group by 1, 2, 3 order by 1, 2, 3) s
        where b.app_id = s.app_id and b.channel_id = s.channel_id and b.user_id = s.user_id
    ), fresh_actives as (
        insert into chat.active_users (app_id, month, user_id, at)
        select distinct n.app_id, p_month, n.user_id, p_at from numbered n where n.active order by 1, 3
        on conflict do nothing
        returning app_id, user_id
    ), counted as (
        insert into chat.usage_outbox (app_id, meter, quantity, at, subject)
        select n.app_id, 'messages', count(*), p_at, null from numbered n group by n.app_id
        union all
        select f.app_id, 'mau', 1, p_at, (select min(n.subject) from numbered n
                                          where n.app_id = f.app_id and n.user_id = f.user_id)
        from fresh_actives f
    ), moved as (
        insert into chat.commits (xid, at, apps, logs, seqs)
        select chat.xid(), p_at, array_agg(t.app_id), array_agg('c:' || t.channel_id), array_agg(t.seq)
        from tops t having count(*) > 0
    )
    select j.ord,
        case when j.judgement = 'again' then
                 case when f.user_id = j.user_id and f.channel_id = j.channel_id and f.hash = j.hash
                      then 'duplicate' else 'conflict' end
             else j.judgement end,
        coalesce(j.old_seq, n.new_seq), coalesce(j.old_number, n.new_number), coalesce(j.old_created, p_at)
    from judged j
    left join judged f on j.judgement = 'again' and f.ord = j.first_ord
    left join numbered n on n.ord = case when j.judgement = 'again' then j.first_ord else j.ord end
    order by j.ord;
end $$;

-- chat.append_messages that waits for nobody: sends to channels that somebody else writes at the moment come back with
-- the verdict `busy`, untouched, so that the others of the batch need not wait with them.
drop function chat.try_append_messages(
    uuid[], text[], uuid[], text[], text[], text[], text[], boolean[], bytea[], boolean[], boolean[], text[], text,
    timestamptz);
create function chat.try_append_messages(
    p_apps uuid[], p_channels text[], p_ids uuid[], p_users text[], p_texts text[], p_attachments text[],
    p_custom text[], p_silent boolean[], p_hashes bytea[], p_server boolean[], p_active boolean[],
    p_subjects text[], p_month text, p_at timestamptz,
    p_rules text[] default null, p_rule int[] default null
) returns table (ord bigint, verdict text, seq bigint, number bigint, created_at timestamptz)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    v_busy bigint[]; v_free bigint[];
begin
    -- Each lock once, in the order of chat.lock_logs, which then finds them taken by this transaction.
    select array_agg(k.h) into v_busy from (
        select distinct hashtextextended(x.app::text || '/c:' || x.channel, 0) h
        from unnest(p_apps, p_channels) x(app, channel) order by h offset 0
    ) k where not pg_try_advisory_xact_lock(k.h);
    if v_busy is null then
        return query select a.* from chat.append_messages(p_apps, p_channels, p_ids, p_users, p_texts, p_attachments,
            p_custom, p_silent, p_hashes, p_server, p_active, p_subjects, p_month, p_at, p_rules, p_rule) a;
        return;
    end if;
    select array_agg(x.o order by x.o) into v_free
    from unnest(p_apps, p_channels) with ordinality x(app, channel, o)
    where hashtextextended(x.app::text || '/c:' || x.channel, 0) <> all (v_busy);
    if v_free is not null then
        return query
        select v_free[a.ord], a.verdict, a.seq, a.number, a.created_at
        from chat.append_messages(
            array(select p_apps[o] from unnest(v_free) o), array(select p_channels[o] from unnest(v_free) o),
            array(select p_ids[o] from unnest(v_free) o), array(select p_users[o] from unnest(v_free) o),
            array(select p_texts[o] from unnest(v_free) o), array(select p_attachments[o] from unnest(v_free) o),
            array(select p_custom[o] from unnest(v_free) o), array(select p_silent[o] from unnest(v_free) o),
            array(select p_hashes[o] from unnest(v_free) o), array(select p_server[o] from unnest(v_free) o),
            array(select p_active[o] from unnest(v_free) o), array(select p_subjects[o] from unnest(v_free) o),
            p_month, p_at, p_rules, array(select p_rule[o] from unnest(v_free) o)) a;
    end if;
    return query
    select x.o::bigint, 'busy', null::bigint, null::bigint, null::timestamptz
    from generate_subscripts(p_apps, 1) x(o) where x.o <> all (coalesce(v_free, '{}'));
end $$;

-- The logs that a user hears: of its channels, its own, and the app's.
create or replace function chat.logs_of(p_app uuid, p_user text) returns text[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
begin
    return array(select 'c:' || b.channel_id from chat.members b where b.app_id = p_app and b.user_id = p_user)
        || array['u:' || p_user, 'a:'];
end $$;

-- chat.user_channels, which stays for nodes of an older version, with what capabilities depend on: each channel's own
-- grants, the user's role in the app, and the version of the app's grants (null: none were ever said).
create function chat.fresh_state(p_app uuid, p_user text)
returns table (
    horizon bigint, id text, type text, name text, image text, custom text, created_by text, frozen boolean,
    created_at timestamptz, updated_at timestamptz, last_seq bigint, last_number bigint, member_count int,
    role text, joined_seq bigint, joined_at timestamptz, read_number bigint, grants text, app_role text, app_seq bigint
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off as $$
#variable_conflict use_column
declare v_ids text[]; v_role text; v_seq bigint;
begin
    select u.role into v_role from chat.users u where u.app_id = p_app and u.id = p_user;
    select h.last_seq into v_seq from chat.log_heads h where h.app_id = p_app and h.log = 'a:';
    v_ids := array(select b.channel_id from chat.members b
                   where b.app_id = p_app and b.user_id = p_user order by b.channel_id);
    return query
    with b as materialized (
        select b.* from chat.members b where b.app_id = p_app and b.user_id = p_user
    ), c as materialized (
        select c.* from chat.channels c where c.app_id = p_app and c.id = any (v_ids) and c.deleted_at is null
    ), h as materialized (
        select substr(h.log, 3) as id, h.last_seq, h.last_number, h.member_count
        from chat.log_heads h
        where h.app_id = p_app and h.log = any (array(select 'c:' || i from unnest(v_ids) i))
    )
    select chat.horizon(), c.id, c.type, c.name, c.image, c.custom::text, c.created_by, c.frozen, c.created_at,
           c.updated_at, h.last_seq, h.last_number, h.member_count, b.role, b.joined_seq, b.joined_at, b.read_number,
           c.grants::text, v_role, v_seq
    from b join c on c.id = b.channel_id join h on h.id = b.channel_id
    order by c.id;
    if not found then
        return query select chat.horizon(), null::text, null::text, null::text, null::text, null::text, null::text,
                            null::boolean, null::timestamptz, null::timestamptz, null::bigint, null::bigint, null::int,
                            null::text, null::bigint, null::timestamptz, null::bigint, null::text, v_role, v_seq;
    end if;
end $$;

revoke execute on function chat.granted, chat.append_messages, chat.try_append_messages, chat.fresh_state from public;
reset role;
revoke create on schema chat from natter_engine;
