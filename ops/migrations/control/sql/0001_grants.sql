-- Exactly what the running control plane needs. It cannot rewrite the ledger or the audit log, delete a tenant,
-- or turn a key into another app's.

grant usage on schema control to natter_control;

grant select, insert on
    control.organizations, control.apps, control.api_keys, control.signing_keys, control.credentials,
    control.entitlements, control.audit_entries, control.usage_ledger, control.usage_quarantine,
    control.usage_hourly, control.usage_subjects, control.usage_minutes
    to natter_control;

grant select, update (version) on control.configuration to natter_control;
grant update (name, status, plan, plan_version, version, allowed_origins, settings) on control.apps to natter_control;
grant update (expires_at, revoked_at, revoked_version) on control.api_keys to natter_control;
grant update (mint, revoked_at, revoked_version) on control.signing_keys to natter_control;
grant update (revoked_at, last_seen_at, applied_version, public_url, boot) on control.credentials to natter_control;
grant update (included, over, period, used, exceeded, published_used, published_at)
    on control.entitlements to natter_control;
grant update (released_at) on control.usage_quarantine to natter_control;
grant update (quantity) on control.usage_hourly, control.usage_minutes to natter_control;
grant select, insert, delete, update (due_at) on control.standings_due to natter_control;
grant select, insert, update, delete on control.outbox to natter_control;
