-- When a key was last used, as nodes tell at most once a minute; and an app that goes from development to production, once.

alter table control.api_keys add column last_used_at timestamptz;
grant update (last_used_at) on control.api_keys to natter_control;

alter table control.apps add column promoted_at timestamptz;
grant update (environment, promoted_at) on control.apps to natter_control;
grant update (environment, promoted_at, status) on control.apps to natter_portal;

create function control.keep_environment() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if (old.environment, new.environment) <> ('development', 'production') or new.promoted_at is null then
        raise exception 'an app goes from development to production, and nowhere else' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger environment_kept before update on control.apps for each row
    when (new.environment is distinct from old.environment) execute function control.keep_environment();
revoke execute on function control.keep_environment from public;

create function control.keep_deleted() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'a deleted app stays deleted' using errcode = 'check_violation';
end $$;
create trigger deleted_kept before update on control.apps for each row
    when (old.status = 'deleted' and new.status <> 'deleted') execute function control.keep_deleted();
revoke execute on function control.keep_deleted from public;
