"""The migrations and the code agree, and the runtime role can do no more than it must."""

from typing import Any

import asyncpg
import pytest
from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Integer, LargeBinary, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

import control_plane.accounts.models
import control_plane.audit.models
import control_plane.credentials.models
import control_plane.entitlements.models
import control_plane.keys.models
import control_plane.mail.models
import control_plane.members.models
import control_plane.organizations.models  # noqa: F401 - each import adds its tables
from control_plane.models import Base
from tests.control_plane.fixtures import World

STRIPES = (
    "stripe_customers", "stripe_subscriptions", "stripe_sessions", "stripe_commands", "stripe_invoices",
    "stripe_events", "stripe_meter_events", "stripe_prices", "stripe_differences", "stripe_state",
)  # fmt: skip
"""What was last seen of a service is written over by what is seen next."""

TYPES: list[tuple[Any, str]] = [
    (Uuid, "uuid"),
    (JSONB, "jsonb"),
    (DateTime, "timestamp with time zone"),
    (Boolean, "boolean"),
    (LargeBinary, "bytea"),
    (ARRAY, "ARRAY"),
    (Text, "text"),
    (BigInteger, "bigint"),
    (Integer, "integer"),
]


def expected_type(column_type: TypeEngine[object]) -> str:
    return next(name for kind, name in TYPES if isinstance(column_type, kind))


@pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda table: table.name)
async def test_a_model_has_the_columns_of_its_table(shared_world: World, table: object) -> None:
    connection = await asyncpg.connect(shared_world.admin_url)
    try:
        rows = await connection.fetch(
            "select column_name, data_type, is_nullable = 'YES' as nullable from information_schema.columns "
            "where table_schema = 'control' and table_name = $1",
            table.name,  # type: ignore[attr-defined]
        )
    finally:
        await connection.close()
    real = {row["column_name"]: (row["data_type"], row["nullable"]) for row in rows}
    modelled = {
        column.name: (expected_type(column.type), column.nullable)
        for column in table.columns  # type: ignore[attr-defined]
    }
    assert modelled == real


async def test_the_runtime_role_has_exactly_these_rights(shared_world: World) -> None:
    connection = await asyncpg.connect(shared_world.admin_url)
    try:
        rows = await connection.fetch(
            "select c.relname, array_agg(p.privilege order by p.privilege) as rights "
            "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "cross join unnest(array['SELECT','INSERT','UPDATE','DELETE','TRUNCATE','TRIGGER','REFERENCES']) "
            "as p (privilege) where n.nspname = 'control' and c.relkind = 'r' "
            "and has_table_privilege('natter_control', c.oid, p.privilege) group by 1"
        )
        columns = await connection.fetch(
            "select table_name, column_name from information_schema.column_privileges where grantee = 'natter_control' "
            "and table_schema = 'control' and privilege_type = 'UPDATE'"
        )
        owned = await connection.fetchval(
            "select count(*) from pg_class where relowner = (select oid from pg_roles where rolname = 'natter_control')"
        )
    finally:
        await connection.close()
    add, keep = ["INSERT", "SELECT"], ["DELETE", "INSERT", "SELECT"]
    # An UPDATE here would be one of the whole table; those of single columns are below.
    assert {row["relname"]: row["rights"] for row in rows} == {
        "alembic_version": ["SELECT"],
        "configuration": ["SELECT"],
        "organizations": add,
        "apps": add,
        "api_keys": keep,
        "signing_keys": keep,
        "credentials": add,
        "node_workers": add,
        "entitlements": keep,
        "audit_entries": add,
        "audit_chain": add,
        "usage_ledger": add,
        "usage_quarantine": add,
        "usage_hourly": add,
        "usage_subjects": add,
        "usage_minutes": add,
        "standings_due": keep,
        "accounts": add,
        "authenticators": keep,
        "recovery_codes": keep,
        "ownership_offers": keep,
        "sessions": keep,
        "one_time_tokens": keep,
        "memberships": keep,
        "invitations": keep,
        "mails": keep,
        "billing_details": keep,
        "key_sets": keep,
        "throttles": keep,
        "terms": add,
        "credit_grants": add,
        "credit_entries": add,
        "coupon_redemptions": add,
        "invoices": add,
        "billing_months": add,
        "invoice_counter": ["SELECT"],
        "usage_alerts": add,
        "usage_levels": add,
        **{table: ["INSERT", "SELECT", "UPDATE"] for table in STRIPES},
        "stripe_statements": add,
        "dunning": add,
        "outbox": ["DELETE", "INSERT", "SELECT", "UPDATE"],
    }
    may_change: dict[str, set[str]] = {}
    for row in columns:
        may_change.setdefault(row["table_name"], set()).add(row["column_name"])
    assert not may_change.keys() & {
        "audit_entries",
        "audit_chain",
        "usage_ledger",
        "usage_subjects",
        "credit_grants",
        "credit_entries",
        "coupon_redemptions",
        "invoices",
        "billing_months",
        "usage_alerts",
        "stripe_statements",
    }
    assert may_change["dunning"] == {"unpaid_since", "state", "entered_at", "moves_at"}
    assert may_change["terms"] == {"cancelled_at"}
    assert may_change["invoice_counter"] == {"last"}
    assert may_change["mails"] == {"state", "attempts", "due_at", "delivered_at", "reply_code", "reply", "retried_at"}
    assert may_change["organizations"] == {
        "name",
        "owner_email",
        "closed_at",
        "closed_by",
        "erased_at",
        "two_step_required",
    }
    assert may_change["accounts"] == {"name", "email", "password_hash", "verified_at", "staff", "two_step_at"}
    assert may_change["sessions"] == {"last_seen_at", "confirmed_at", "digest"}
    assert may_change["authenticators"] == {"used_step"}
    assert may_change["recovery_codes"] == {"used_at"}
    assert may_change["one_time_tokens"] == {"used_at"}
    assert may_change["memberships"] == {"role"}
    assert may_change["ownership_offers"] == {"accepted_at", "ended_at"}
    assert owned == 0
