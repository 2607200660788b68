-- What queries over channels, users and members rest on: indexes of columns, words of names, and custom fields that the
-- customer has declared. Everything here is compared by operators that are leakproof (equality and order of text, numbers
-- and times), because no others may use an index under row-level security.

-- A declared custom field. `field` is the path inside `custom`, its steps parted by points.
create table chat.field_indexes (
    app_id      uuid not null,
    resource    text collate "C" not null check (resource in ('channels', 'users')),
    field       text collate "C" not null,
    type        text not null check (type in ('text', 'number', 'boolean', 'time', 'list')),
    state       text not null check (state in ('building', 'ready')),
    id          bigint generated always as identity,
    created_at  timestamptz not null,
    primary key (app_id, resource, field)
);
create unique index field_indexes_by_id on chat.field_indexes (app_id, id);

-- One row for each thing that has a value of the declared type; of a list, one for each element.
create table chat.field_values (
    app_id        uuid not null,
    index_id      bigint not null,
    id            text collate "C" not null,
    nth           int not null,
    text_value    text collate "C",
    number_value  double precision,
    primary key (app_id, index_id, id, nth),
    check (num_nonnulls(text_value, number_value) = 1)
);
-- POSIX is C by another name: only by this name are these indexes in the order of the id, and not the primary key, which
-- a planner with poor statistics would read through instead.
create index field_values_text on chat.field_values (app_id, index_id, text_value, id collate "POSIX")
    where text_value is not null;
create index field_values_number on chat.field_values (app_id, index_id, number_value, id collate "POSIX")
    where number_value is not null;

-- The words of names, without accents and case. `before` is the word before it in the alphabet of the same name, so that
-- of several that begin with what is searched for the first can be told without looking at the others.
create table chat.words (
    app_id    uuid not null,
    resource  text collate "C" not null,
    word      text collate "C" not null,
    id        text collate "C" not null,
    before    text collate "C",
    primary key (app_id, resource, word, id)
);

-- Each has a condition that is always true and that only queries which want this very index repeat. To all others, who
-- look things up by id, these indexes do not exist: where statistics know of many small tenants only, the planner would
-- take one of them for as good as the primary key.
create index channels_by_created on chat.channels (app_id, created_at, id)
    where deleted_at is null and created_at > '-infinity';
create index channels_by_updated on chat.channels (app_id, updated_at, id)
    where deleted_at is null and updated_at > '-infinity';
create index channels_by_type on chat.channels (app_id, type, id) where deleted_at is null and type > '';
create index channels_by_creator on chat.channels (app_id, created_by, id) where deleted_at is null and created_by > '';
create index channels_by_name on chat.channels (app_id, (coalesce(name, '') collate "C"), id)
    where deleted_at is null and coalesce(name, '') collate "C" >= '';
create index users_by_created on chat.users (app_id, created_at, id) where created_at > '-infinity';
create index users_by_updated on chat.users (app_id, updated_at, id) where updated_at > '-infinity';
create index users_by_role on chat.users (app_id, role, id) where role > '';
create index users_by_name on chat.users (app_id, (coalesce(name, '') collate "C"), id)
    where coalesce(name, '') collate "C" >= '';
create index members_by_role on chat.members (app_id, channel_id, role, user_id) where role > '';
create index members_by_joined on chat.members (app_id, channel_id, joined_at, user_id) where joined_at > '-infinity';

-- Letters as they are compared: without accents, in lower case.
create function chat.fold_text(t text) returns text language sql immutable parallel safe as
$$ select lower(regexp_replace(normalize(t, NFKD), '[\u0300-\u036f]', '', 'g')) $$;

create function chat.words_of(t text) returns setof text language sql immutable parallel safe as
$$ select distinct left(w, 64) from regexp_split_to_table(chat.fold_text(t), '[\s!-/:-@\[-`{-~]+') w where w <> '' $$;

create function chat.word_rows(t text) returns table (word text, before text) language sql immutable parallel safe as
$$ select w, lag(w) over (order by w collate "C") from chat.words_of(t) w $$;

-- Whether each of these begins a word of a name.
create function chat.has_words(t text, p_words text[]) returns boolean language sql immutable parallel safe as $$
    select not exists (select from unnest(p_words) p where not exists (
        select from chat.words_of(t) w where starts_with(w, chat.fold_text(p))))
$$;

-- A value inside `custom` as a type; null when it is of another. The same for what is stored and for what is compared
-- without an index. Text counts by its first 256 characters, numbers are double precision, times seconds since 1970.
create function chat.custom_text(v jsonb) returns text language sql immutable parallel safe as
$$ select case when jsonb_typeof(v) = 'string' then left(v #>> '{}', 256) end $$;
create function chat.custom_number(v jsonb) returns double precision language sql immutable parallel safe as
$$ select case when jsonb_typeof(v) = 'number' then (v #>> '{}')::double precision end $$;
create function chat.custom_boolean(v jsonb) returns double precision language sql immutable parallel safe as
$$ select case when jsonb_typeof(v) = 'boolean' then case when v = 'true' then 1 else 0 end::double precision end $$;
create function chat.custom_time(v jsonb) returns double precision language plpgsql immutable parallel safe as $$
begin
    if jsonb_typeof(v) <> 'string'
       or v #>> '{}' !~ '^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$' then
        return null;
    end if;
    return extract(epoch from (v #>> '{}')::timestamptz)::double precision;
exception when others then  -- a thirty-second of a month
    return null;
end $$;

create function chat.field_rows(v jsonb, p_type text) returns table (nth int, text_value text, number_value double precision)
language sql immutable parallel safe as $$
    select 0, chat.custom_text(v), null::double precision where p_type = 'text' and chat.custom_text(v) is not null
    union all
    select 0, null, n.n from (select case p_type when 'number' then chat.custom_number(v)
        when 'boolean' then chat.custom_boolean(v) when 'time' then chat.custom_time(v) end as n) n where n.n is not null
    union all
    select min(e.o)::int, chat.custom_text(e.v), null
    from jsonb_array_elements(case when p_type = 'list' and jsonb_typeof(v) = 'array' then v else '[]' end)
         with ordinality e(v, o)
    where chat.custom_text(e.v) is not null group by chat.custom_text(e.v)
$$;

-- Rows of one thing, made anew. `p_custom` null: the thing is gone.
create function chat.index_fields(p_app uuid, p_resource text, p_id text, p_custom jsonb) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare x record;
begin
    for x in select i.id, i.type, i.field from chat.field_indexes i where i.app_id = p_app and i.resource = p_resource loop
        delete from chat.field_values v where v.app_id = p_app and v.index_id = x.id and v.id = p_id;
        insert into chat.field_values (app_id, index_id, id, nth, text_value, number_value)
            select p_app, x.id, p_id, f.nth, f.text_value, f.number_value
            from chat.field_rows(p_custom #> string_to_array(x.field, '.'), x.type) f;
    end loop;
end $$;

create function chat.index_words(p_app uuid, p_resource text, p_id text, p_old text, p_new text) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
begin
    if p_old is not null then
        delete from chat.words w using chat.words_of(p_old) o
        where w.app_id = p_app and w.resource = p_resource and w.word = o and w.id = p_id;
    end if;
    if p_new is not null then
        insert into chat.words (app_id, resource, word, id, before)
            select p_app, p_resource, r.word, p_id, r.before from chat.word_rows(p_new) r;
    end if;
end $$;

-- Triggers, so that whoever writes a row, by whatever way, keeps its words and values in the same transaction.
create function chat.follow_user() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'DELETE' then
        perform chat.index_words(old.app_id, 'users', old.id, old.name, null);
        perform chat.index_fields(old.app_id, 'users', old.id, null);
        return null;
    end if;
    if tg_op = 'INSERT' or new.name is distinct from old.name then
        perform chat.index_words(new.app_id, 'users', new.id, old.name, new.name);
    end if;
    if tg_op = 'INSERT' or new.custom <> old.custom then
        perform chat.index_fields(new.app_id, 'users', new.id, new.custom);
    end if;
    return null;
end $$;
create trigger user_deleted after delete on chat.users for each row execute function chat.follow_user();
create trigger user_inserted after insert on chat.users for each row
    when (new.name is not null or new.custom <> '{}') execute function chat.follow_user();
create trigger user_updated after update of name, custom on chat.users for each row
    when (new.name is distinct from old.name or new.custom <> old.custom) execute function chat.follow_user();

-- A deleted channel has neither words nor values.
create function chat.follow_channel() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    id text := case tg_op when 'DELETE' then old.id else new.id end;
    app uuid := case tg_op when 'DELETE' then old.app_id else new.app_id end;
    was boolean := tg_op <> 'INSERT' and old.deleted_at is null;
    lives boolean := tg_op <> 'DELETE' and new.deleted_at is null;
    old_name text := case when was then old.name end;
    new_name text := case when lives then new.name end;
begin
    if old_name is distinct from new_name then
        perform chat.index_words(app, 'channels', id, old_name, new_name);
    end if;
    if was <> lives or new.custom <> old.custom then
        perform chat.index_fields(app, 'channels', id, case when lives then new.custom end);
    end if;
    return null;
end $$;
create trigger channel_deleted after delete on chat.channels for each row execute function chat.follow_channel();
create trigger channel_inserted after insert on chat.channels for each row
    when (new.name is not null or new.custom <> '{}') execute function chat.follow_channel();
create trigger channel_updated after update of name, custom, deleted_at on chat.channels for each row
    when (new.name is distinct from old.name or new.custom <> old.custom
          or new.deleted_at is distinct from old.deleted_at) execute function chat.follow_channel();

-- Values of things that were there before the declaration, p_limit things after p_after. Returns where to go on; null
-- when all is done, and the index is ready then. Rows are locked, so that what is written is never older than what a
-- trigger writes meanwhile. The caller has waited for every transaction that could not see the declaration.
create function chat.fill_index(p_app uuid, p_index bigint, p_after text, p_limit int) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare x chat.field_indexes; r record; done int := 0; last text;
begin
    select * into x from chat.field_indexes i where i.app_id = p_app and i.id = p_index;
    if not found then return null; end if;
    for r in execute format('select t.id, t.custom from chat.%I t where t.app_id = $1 and t.id > $2 %s '
                            'order by t.id limit $3 for share', x.resource,
                            case x.resource when 'channels' then 'and t.deleted_at is null' else '' end)
             using p_app, p_after, p_limit
    loop
        insert into chat.field_values (app_id, index_id, id, nth, text_value, number_value)
            select p_app, x.id, r.id, f.nth, f.text_value, f.number_value
            from chat.field_rows(r.custom #> string_to_array(x.field, '.'), x.type) f
            on conflict do nothing;
        done := done + 1;
        last := r.id;
    end loop;
    if done = p_limit then return last; end if;
    update chat.field_indexes i set state = 'ready' where i.app_id = p_app and i.id = p_index;
    return null;
end $$;

insert into chat.words (app_id, resource, word, id, before)
    select u.app_id, 'users', r.word, u.id, r.before from chat.users u cross join lateral chat.word_rows(u.name) r
    union all
    select c.app_id, 'channels', r.word, c.id, r.before from chat.channels c cross join lateral chat.word_rows(c.name) r
    where c.deleted_at is null;

do $$
declare t text; f text;
begin
    foreach t in array array['field_indexes', 'field_values', 'words'] loop
        execute format('alter table chat.%I enable row level security', t);
        execute format('alter table chat.%I force row level security', t);
        execute format($p$create policy tenant on chat.%I to natter_app
            using (app_id = nullif(current_setting('natter.app_id', true), '')::uuid)
            with check (app_id = nullif(current_setting('natter.app_id', true), '')::uuid)$p$, t);
        execute format('create policy engine on chat.%I to natter_engine using (true) with check (true)', t);
    end loop;
    grant create on schema chat to natter_engine;
    foreach f in array array['index_fields', 'index_words', 'follow_user', 'follow_channel', 'fill_index'] loop
        execute format('alter function chat.%I owner to natter_engine', f);
    end loop;
    revoke create on schema chat from natter_engine;
    foreach f in array array['fold_text', 'words_of', 'word_rows', 'has_words', 'custom_text', 'custom_number', 'custom_boolean',
                             'custom_time', 'field_rows', 'index_fields', 'index_words', 'follow_user', 'follow_channel',
                             'fill_index'] loop
        execute format('revoke execute on function chat.%I from public', f);
        execute format('grant execute on function chat.%I to natter_engine', f);
    end loop;
end $$;
grant select, insert, update, delete on chat.field_indexes to natter_app;
grant select on chat.field_values, chat.words to natter_app;
grant select, insert, update, delete on chat.field_indexes, chat.field_values, chat.words to natter_engine;
grant execute on function chat.fold_text, chat.words_of, chat.has_words, chat.custom_text, chat.custom_number, chat.custom_boolean,
    chat.custom_time, chat.field_rows to natter_app;
