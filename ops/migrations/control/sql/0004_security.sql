-- Two-step sign-in (RFC 6238), recovery codes, step-up, and addresses that change.

-- When whoever holds the session last proved who he is. Dangerous changes want that to be minutes ago.
alter table control.sessions add column confirmed_at timestamptz;
-- Since when signing in takes a code too. Null: an authenticator, where there is one, waits for its first code.
alter table control.accounts add column two_step_at timestamptz;

create table control.authenticators (
    account_id     uuid primary key references control.accounts (id),
    sealed_secret  bytea not null,
    created_at     timestamptz not null,
    -- The newest time step whose code was accepted. A code works for later steps only, so each works once.
    used_step      bigint not null default 0
);

create table control.recovery_codes (
    account_id  uuid not null references control.accounts (id),
    digest      text not null check (digest ~ '^[0-9a-f]{64}$'),
    created_at  timestamptz not null,
    used_at     timestamptz,
    primary key (account_id, digest)
);

-- `second_step`: the password was right, the code is still to come. `email_change`: the link to a new address, `email`.
-- `email_revert`: the link that brings back the address before, `email`.
alter table control.one_time_tokens
    add column email text check (char_length(email) between 3 and 254 and email = lower(email)),
    drop constraint one_time_tokens_purpose_check,
    add constraint one_time_tokens_purpose_check
        check (purpose in ('verify', 'reset', 'outbox', 'second_step', 'email_change', 'email_revert')),
    add constraint one_time_tokens_email_check1
        check ((purpose in ('email_change', 'email_revert')) = (email is not null));
create index one_time_tokens_email on control.one_time_tokens (email) where email is not null;

do $$
declare t text;
begin
    foreach t in array array['authenticators', 'recovery_codes'] loop
        execute format('alter table control.%I enable row level security', t);
        execute format('alter table control.%I force row level security', t);
        execute format('create policy system on control.%I to natter_control using (true) with check (true)', t);
    end loop;
end $$;

grant select, insert, delete on control.authenticators, control.recovery_codes to natter_control;
grant update (used_step) on control.authenticators to natter_control;
grant update (used_at) on control.recovery_codes to natter_control;
-- A session gets a new token when it is confirmed, so that a copy of the old one is worth nothing from then on.
grant update (confirmed_at, digest) on control.sessions to natter_control;
grant update (two_step_at, email) on control.accounts to natter_control;
-- Who signs in with two steps is shown in the list of members.
grant select (two_step_at) on control.accounts to natter_portal;
