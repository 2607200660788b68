-- natter_control: identity. It cannot change an address, or who a session or token belongs to.

grant select, insert on
    control.accounts, control.sessions, control.one_time_tokens, control.memberships, control.invitations,
    control.mails, control.throttles
    to natter_control;
grant update (name) on control.organizations to natter_control;
grant update (name, password_hash, verified_at, staff) on control.accounts to natter_control;
grant update (last_seen_at), delete on control.sessions to natter_control;
grant update (used_at), delete on control.one_time_tokens to natter_control;
grant update (role), delete on control.memberships to natter_control;
grant update (role, digest, invited_by, created_at, expires_at, accepted_at, revoked_at), delete
    on control.invitations to natter_control;
grant delete on control.mails to natter_control;
grant update (tat), delete on control.throttles to natter_control;

-- natter_portal: what a customer's pages do. No identity, no ledger, no node; it cannot make a member or change a shard.

grant usage on schema control to natter_portal;
grant select on
    control.organizations, control.apps, control.memberships, control.api_keys, control.signing_keys,
    control.entitlements, control.audit_entries, control.usage_hourly, control.configuration
    to natter_portal;
grant select (id, email, name) on control.accounts to natter_portal;
grant select (id, organization_id, email, role, invited_by, created_at, expires_at, accepted_at, revoked_at)
    on control.invitations to natter_portal;
grant insert on
    control.apps, control.api_keys, control.signing_keys, control.entitlements, control.standings_due,
    control.audit_entries, control.invitations, control.mails
    to natter_portal;
grant update (name) on control.organizations to natter_portal;
grant update (version) on control.configuration to natter_portal;
grant update (name, plan, plan_version, version, allowed_origins, settings) on control.apps to natter_portal;
grant update (expires_at, revoked_at, revoked_version) on control.api_keys to natter_portal;
grant update (mint, revoked_at, revoked_version) on control.signing_keys to natter_portal;
grant update (included, over) on control.entitlements to natter_portal;
grant update (role, digest, invited_by, created_at, expires_at, revoked_at) on control.invitations to natter_portal;
grant update (role), delete on control.memberships to natter_portal;
