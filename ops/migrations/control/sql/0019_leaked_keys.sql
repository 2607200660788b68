-- When a key was first reported as found where it should not be, by whom, and where. The place is somebody's claim.
alter table control.api_keys
    add column exposed_at     timestamptz,
    add column exposed_by     text check (exposed_by in ('github', 'anybody')),
    add column exposed_where  text check (char_length(exposed_where) <= 500),
    add constraint exposed check ((exposed_at is null) = (exposed_by is null) and (exposed_where is null or exposed_at is not null));
grant update (exposed_at, exposed_by, exposed_where) on control.api_keys to natter_control;
