"""An organization's export, with what was agreed, granted, used and charged."""

from typing import Any, Final

from sqlalchemy import text

from control_plane.members import Member
from control_plane.organizations import export

_OURS: Final = {
    "terms": """
        select id, app_id, kind as what, subject, value, began_at, created_at, created_by, reason, cancelled_at
        from control.terms where organization_id = :organization order by created_at, id
        """,
    "usage_month": """
        select app_id, month, meter, quantity from (
            select app_id, to_char(hour at time zone 'UTC', 'YYYY-MM') as month, meter,
                (case when meter = 'peak_connections' then max(quantity) else sum(quantity) end)::bigint as quantity
            from control.usage_hourly where meter <> 'storage_bytes' group by 1, 2, 3
            union all
            select app_id, month, 'storage_bytes',
                greatest(0, sum(quantity) over (partition by app_id order by month))::bigint
            from control.usage_levels
        ) u where app_id in (select id from control.apps where organization_id = :organization)
        order by month, app_id, meter
        """,
    "usage_alert": """
        select app_id, period, subject, limit_amount, threshold, used, at from control.usage_alerts
        where app_id in (select id from control.apps where organization_id = :organization)
        order by app_id, period, at, subject, threshold
        """,
    "credit": """
        select id, amount, priority, reason, expires_at, created_at from control.credit_grants
        where organization_id = :organization order by id
        """,
    "credit_entry": """
        select grant_id as credit_id, seq, kind as what, amount, balance, at, invoice_id from control.credit_entries
        where organization_id = :organization order by grant_id, seq
        """,
    "coupon": """
        select code, first_month, redeemed_at from control.coupon_redemptions
        where organization_id = :organization order by redeemed_at, code
        """,
    # The document as it was written, so that its digest can be checked.
    "invoice": """
        select id, month, number, currency, total, finalized_at, digest, document from control.invoices
        where organization_id = :organization order by month
        """,
    # Of a payment service: its invoices as they were last seen, and what we hold against them.
    "bill": """
        select invoice_id as bill, app_id, number, status, currency, total, tax, period_begin, period_end,
            created_at, paid_at, hosted_url from control.stripe_invoices
        where organization_id = :organization order by created_at, invoice_id
        """,
    "statement": """
        select month, currency, total, digest, document from control.stripe_statements
        where organization_id = :organization order by month
        """,
}


def _section(kind: str, query: str) -> export.Section:
    def rows(member: Member) -> Any:
        return text(query).bindparams(organization=member.organization_id)

    return kind, rows


SECTIONS: Final = (*export.SECTIONS, *(_section(kind, query) for kind, query in _OURS.items()))
PREFIXES: Final = {**export.PREFIXES, "credit": "cred", "invoice": "inv"}
