-- Policies hold for the tables' owner too.
set local role natter_control;

-- Of apps that were deleted: by the audit log, or with their organization, or else (nothing says when) from now on.
update control.apps a set deleted_at = coalesce(
    (select max(e.at) from control.audit_entries e where e.app_id = a.id and e.action = 'app.deleted'),
    (select o.closed_at from control.organizations o where o.id = a.organization_id), now())
where a.status = 'deleted' and a.deleted_at is null;

-- That a plan ended when its app was deleted or its organization closed, and held again when that was restored, is a fact
-- since the release that charges for plans. Before, the audit log alone knew; without this such apps would be charged on.
-- Invoices that were made stay as they are: what they rest on is what was known by their cut.
insert into control.terms (id, organization_id, app_id, kind, subject, value, began_at, created_at, created_by, reason)
select gen_random_uuid(), a.organization_id, a.id, 'plan', 'ended', moment.value, moment.at, now(), 'system:migration',
       'stated late'
from control.apps a
cross join lateral (
    select a.deleted_at as at, '{"because": "app deleted"}'::jsonb as value where a.status = 'deleted'
        and not exists (select from control.organizations o where o.id = a.organization_id and o.closed_at <= a.deleted_at)
    union all
    select e.at, case e.action when 'organization.closed' then '{"because": "organization closed"}'::jsonb else 'null' end
    from control.audit_entries e
    where e.organization_id = a.organization_id and e.action in ('organization.closed', 'organization.restored')
        and e.at >= a.created_at
        -- What was deleted before stays ended; what went with the organization was there when that was closed.
        and (a.deleted_at is null or e.at <= a.deleted_at)
) moment
where exists (select from control.terms t where t.app_id = a.id)
    and not exists (select from control.terms t where t.app_id = a.id and t.kind = 'plan' and t.subject = 'ended'
                    and t.began_at = moment.at);
reset role;
