"""The control schema keeps organizations apart by itself: what its catalogue says, and what the pages' role can see."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from control_plane.members import Member
from control_plane.organizations.ownership import offer_ownership
from tests.control_plane.fixtures import World

TENANTS_COLUMNS = ("organization_id", "app_id", "account_id")

NOT_A_TENANTS = {
    "alembic_version",
    "configuration",
    "credentials",
    "node_workers",
    "outbox",
    "throttles",
    "invoice_counter",
    "stripe_events",
    "stripe_prices",
    "stripe_state",
}
"""The installation's own: nodes, jobs, versions, throttles, whose keys name nobody, and what Stripe told, unread."""

BILLINGS = (
    "terms", "credit_grants", "credit_entries", "coupon_redemptions", "invoices", "billing_months", "usage_alerts",
)  # fmt: skip
"""What was agreed and charged: pages read it, and add terms and coupons."""

STRIPES = ("stripe_customers", "stripe_subscriptions", "stripe_invoices", "stripe_statements", "dunning")
"""What is known of Stripe, and of what is not paid: pages only look."""

IDENTITYS = {"sessions", "one_time_tokens", "mails", "authenticators", "recovery_codes"}
"""Nothing for pages: only the system's role has a policy for all of them."""

GUARDED = """
select c.relname, c.relrowsecurity and c.relforcerowsecurity as guarded,
    array(select p.polname::text from pg_policy p where p.polrelid = c.oid order by 1) as policies,
    exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = any($1) and not a.attisdropped) as owned
from pg_class c where c.relnamespace = 'control'::regnamespace and c.relkind in ('r', 'p')
"""


async def unguarded(connection: Any) -> list[str]:
    """Tables of schema control that hold a tenant's rows, by name or by a column, without forced policies."""
    found = []
    for row in await connection.fetch(GUARDED, TENANTS_COLUMNS):
        if row["relname"] in NOT_A_TENANTS and not row["owned"]:
            continue
        expected = (
            {"system"} | ({"post"} if row["relname"] == "mails" else set())
            if row["relname"] in IDENTITYS
            else {"system", "tenant"}
        )
        if not row["guarded"] or set(row["policies"]) != expected:
            found.append(row["relname"])
    return found


@pytest.fixture
async def catalogue(shared_world: World) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(shared_world.admin_url)
    yield connection
    await connection.close()


async def test_row_level_security_is_forced_on_every_tenant_table(catalogue: Any) -> None:
    assert await unguarded(catalogue) == []


@pytest.mark.parametrize("column", TENANTS_COLUMNS)
async def test_a_new_table_of_a_tenant_is_found_until_it_is_guarded(catalogue: Any, column: str) -> None:
    transaction = catalogue.transaction()
    await transaction.start()
    try:
        await catalogue.execute(f"create table control.planted (id uuid primary key, {column} uuid not null)")
        assert await unguarded(catalogue) == ["planted"]
        await catalogue.execute("alter table control.planted enable row level security")
        assert await unguarded(catalogue) == ["planted"], "not forced, and without policies"
        await catalogue.execute("alter table control.planted force row level security")
        await catalogue.execute("create policy system on control.planted to natter_control using (true)")
        await catalogue.execute("create policy tenant on control.planted to natter_portal using (false)")
        assert await unguarded(catalogue) == []
    finally:
        await transaction.rollback()


async def test_a_guard_that_is_taken_away_is_missed(catalogue: Any) -> None:
    for damage in (
        "alter table control.apps disable row level security",
        "alter table control.apps no force row level security",
        "drop policy tenant on control.apps",
        "create policy more on control.apps for select to natter_portal using (true)",
        "alter table control.throttles add column account_id uuid",
    ):
        transaction = catalogue.transaction()
        await transaction.start()
        await catalogue.execute(damage)
        assert len(await unguarded(catalogue)) == 1, damage
        await transaction.rollback()


async def test_each_policy_checks_what_is_read_and_what_is_written(catalogue: Any) -> None:
    rows = await catalogue.fetch("select * from pg_policies where schemaname = 'control'")
    assert len(rows) >= 30
    for row in rows:
        assert row["permissive"] == "PERMISSIVE"
        match row["policyname"]:
            case "system":
                assert (row["roles"], row["cmd"], row["qual"], row["with_check"]) == (
                    ["natter_control"],
                    "ALL",
                    "true",
                    "true",
                )
            case "tenant":
                assert (row["roles"], row["cmd"]) == (["natter_portal"], "ALL")
                assert row["qual"] == row["with_check"]
                assert any(
                    scope in row["qual"] for scope in ("natter.organization_id", "control.apps", "control.memberships")
                )
            case _:
                assert (row["tablename"], row["policyname"], row["cmd"]) == ("mails", "post", "INSERT")


async def test_functions_that_see_all_say_little_and_pin_their_search_path(catalogue: Any) -> None:
    rows = await catalogue.fetch(
        """
        select proname, proconfig, proowner::regrole::text as owner,
            has_function_privilege('natter_portal', oid, 'execute') as page, proacl::text as rights
        from pg_proc where pronamespace = 'control'::regnamespace and prosecdef and prorettype <> 'trigger'::regtype
        """
    )
    assert {row["proname"] for row in rows} == {"shard_loads", "live_nodes"}
    for row in rows:
        assert "search_path=pg_catalog, pg_temp" in row["proconfig"]
        assert row["owner"] == "natter_control"
        assert row["page"]
        assert "=X/" not in row["rights"].replace("natter_portal=X/", "").replace("natter_control=X/", "")


async def test_no_role_can_step_around_the_policies(catalogue: Any) -> None:
    rows = await catalogue.fetch(
        "select rolname from pg_roles where rolname like 'natter%' and (rolsuper or rolbypassrls or rolcreaterole)"
    )
    assert rows == []
    assert not await catalogue.fetchval("select pg_has_role('natter_portal', 'natter_control', 'member')")


async def readable(catalogue: Any) -> list[str]:
    rows = await catalogue.fetch(
        "select relname from pg_class where relnamespace = 'control'::regnamespace and relkind = 'r' "
        "and has_any_column_privilege('natter_portal', oid, 'select') order by 1"
    )
    return [row["relname"] for row in rows]


async def test_the_pages_role_has_exactly_these_rights(catalogue: Any) -> None:
    rows = await catalogue.fetch(
        """
        select c.relname, p.privilege, has_table_privilege('natter_portal', c.oid, p.privilege) as whole,
            case when p.privilege not in ('DELETE') then array(
                select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0
                and not a.attisdropped and has_column_privilege('natter_portal', c.oid, a.attnum, p.privilege)
                order by 1) end as columns
        from pg_class c cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p (privilege)
        where c.relnamespace = 'control'::regnamespace and c.relkind = 'r'
        """
    )
    rights: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["whole"] or row["columns"]:
            rights.setdefault(row["privilege"], {})[row["relname"]] = True if row["whole"] else row["columns"]
    assert rights == {
        "SELECT": dict.fromkeys(
            (
                "organizations",
                "apps",
                "memberships",
                "api_keys",
                "signing_keys",
                "entitlements",
                "audit_entries",
                "audit_chain",
                "usage_hourly",
                "configuration",
                "ownership_offers",
                *BILLINGS,
                *STRIPES,
                "usage_levels",
                "usage_ledger",
                "billing_details",
                "key_sets",
            ),
            True,
        )
        | {
            "stripe_commands": ["app_id", "created_at", "kind", "organization_id", "state"],
            "accounts": ["email", "id", "name", "two_step_at", "verified_at"],
            "invitations": [
                "accepted_at",
                "created_at",
                "email",
                "expires_at",
                "id",
                "invited_by",
                "organization_id",
                "revoked_at",
                "role",
            ],
        },
        "INSERT": dict.fromkeys(
            (
                "apps",
                "api_keys",
                "signing_keys",
                "entitlements",
                "standings_due",
                "audit_entries",
                "invitations",
                "mails",
                "ownership_offers",
                "terms",
                "coupon_redemptions",
                "billing_details",
                "key_sets",
            ),
            True,
        ),
        "UPDATE": {
            "organizations": ["closed_at", "closed_by", "name", "two_step_required"],
            "ownership_offers": ["accepted_at", "ended_at"],
            "terms": ["cancelled_at"],
            "configuration": ["version"],
            "apps": [
                "allowed_origins",
                "deleted_at",
                "environment",
                "name",
                "plan",
                "plan_version",
                "promoted_at",
                "settings",
                "status",
                "version",
            ],
            "api_keys": ["expires_at", "revoked_at", "revoked_version"],
            "signing_keys": ["mint", "revoked_at", "revoked_version"],
            "entitlements": ["included", "over"],
            "invitations": ["created_at", "digest", "expires_at", "invited_by", "revoked_at", "role"],
            "memberships": ["role"],
            "key_sets": ["removed_at"],
            "billing_details": ["address", "company", "tax_number", "updated_at"],
        },
        "DELETE": {"memberships": True},
    }


BILLED = (
    "insert into control.usage_levels values (:app, '2026-01', 5)",
    "insert into control.usage_ledger values ('relay:s0', 'b', :n, :app, 'messages', 1, :at, null, :at)",
    "insert into control.usage_alerts values (:app, '2026-01', 'budget', 100, 50, 50, :at)",
    "insert into control.credit_grants values (gen_random_uuid(), :org, 5, 0, 'Sorry', null, :at, 'operator:test')",
    "insert into control.credit_entries select id, 0, organization_id, 'grant', 5, 5, :at, null "
    "from control.credit_grants where organization_id = :org",
    "insert into control.coupon_redemptions values (:org, 'WELCOME50', '2026-01', :at, 'operator:test')",
    "insert into control.invoices values "
    "(gen_random_uuid(), :org, '2025-12', :n, 'usd', 0, '{}', repeat('0', 64), :at, :at)",
    "insert into control.key_sets values (gen_random_uuid(), :app, 'https://example.com/jwks', :at, :at, :at, :at)",
    "insert into control.billing_details values (:org, 'Ltd', 'Street', '', :at)",
    "insert into control.billing_months values (:org, '2025-12', :at, :at, null)",
    "insert into control.stripe_customers (organization_id, key, created_at) values (:org, 'k', :at)",
    "insert into control.stripe_subscriptions (app_id, organization_id, slot, created_at) values (:app, :org, 1, :at)",
    "insert into control.stripe_commands (id, organization_id, app_id, kind, params, key, state, actor, created_at, "
    "due_at) values (gen_random_uuid(), :org, :app, 'change', '{}', gen_random_uuid(), 'done', 'x', :at, :at)",
    "insert into control.stripe_invoices (invoice_id, organization_id, status, currency, subtotal, tax, total, due, "
    "period_begin, period_end, created_at, lines, fetched_at) "
    "values (gen_random_uuid(), :org, 'paid', 'usd', 0, 0, 0, 0, :at, :at, :at, '[]', :at)",
    "insert into control.dunning values (:app, :org, null, 'active', :at, null)",
    "insert into control.stripe_statements values (:org, '2025-12', 'usd', 0, '{}', repeat('0', 64), :at, :at)",
)


async def full_house(world: World) -> tuple[Member, Member]:
    """Two organizations with something in every table that a page can read."""
    owners = []
    for name in ("ada", "bob"):
        owner = await world.owner(f"{name}@example.com", f"Of {name}")
        await world.member(owner, f"{name}-2@example.com", "viewer")
        app = (await world.app(owner)).app
        heir = await world.member(owner, f"{name}-3@example.com", "viewer")
        async with world.deps.change_as(owner, "req_test") as ctx:
            await offer_ownership(ctx, owner, heir.account_id)
        async with world.deps.database.unit_of_work() as uow:
            await uow.session.execute(
                text("insert into control.usage_hourly values (:app, 'messages', :at, 5)"),
                {"app": app.id, "at": world.clock.now().replace(minute=0)},
            )
            for statement in BILLED:
                values = {"app": app.id, "org": owner.organization_id, "at": world.clock.now(), "n": len(owners) + 1}
                wanted = {name: values[name] for name in text(statement).compile().params}
                await uow.session.execute(text(statement), wanted)
        owners.append(owner)
    return owners[0], owners[1]


async def test_without_a_scope_the_pages_role_sees_nothing_and_writes_nothing(world: World, catalogue: Any) -> None:
    await full_house(world)
    tables = [table for table in await readable(catalogue) if table != "configuration"]
    assert len(tables) == 29
    for table in tables:
        async with world.deps.database.unit_of_work() as uow:
            assert (await uow.session.execute(text(f"select count(*) from control.{table}"))).scalar_one() > 0, table
        async with world.deps.portal_database.unit_of_work() as uow:
            count = await uow.session.execute(text(f"select count(*) from (select 1 from control.{table}) t"))
            assert count.scalar_one() == 0, table
            changed = "name" if table == "organizations" else None
            if changed:
                assert (
                    await uow.session.execute(text("update control.organizations set name = 'x' returning id"))
                ).all() == []
    with pytest.raises(DBAPIError, match="row-level security"):
        async with world.deps.portal_database.unit_of_work() as uow:
            await uow.session.execute(
                text(
                    "insert into control.apps (id, organization_id, name, environment, shard, plan, plan_version, "
                    "version, created_at) "
                    "select gen_random_uuid(), gen_random_uuid(), 'x', 'development', 's0', 'free', 1, 99, now()"
                )
            )


async def test_inside_a_scope_it_sees_that_organization_only(world: World, catalogue: Any) -> None:
    ada, bob = await full_house(world)
    for table in await readable(catalogue):
        counts = []
        for member in (ada, bob):
            async with world.deps.read(member) as uow:
                counts.append(
                    (
                        await uow.session.execute(text(f"select count(*) from (select 1 from control.{table}) t"))
                    ).scalar_one()
                )
        async with world.deps.database.unit_of_work() as uow:
            whole = (await uow.session.execute(text(f"select count(*) from control.{table}"))).scalar_one()
        if table == "configuration":
            continue
        hidden = await unscoped_rows(world, table)
        assert counts[0] == counts[1] > 0, table
        assert sum(counts) + hidden == whole, table


async def unscoped_rows(world: World, table: str) -> int:
    """Audit entries of accounts belong to no organization."""
    if table not in ("audit_entries", "audit_chain"):
        return 0
    async with world.deps.database.unit_of_work() as uow:
        query = text("select count(*) from control.audit_entries where organization_id is null")
        return int((await uow.session.execute(query)).scalar_one())


@pytest.mark.parametrize(
    "table",
    [
        "sessions",
        "one_time_tokens",
        "mails",
        "throttles",
        "credentials",
        "node_workers",
        "usage_quarantine",
        "stripe_events",
        "stripe_prices",
        "stripe_state",
        "stripe_meter_events",
        "stripe_sessions",
        "stripe_differences",
    ],
)
async def test_identity_nodes_and_ledger_are_out_of_its_reach(world: World, table: str) -> None:
    ada = await world.owner()
    with pytest.raises(DBAPIError, match="permission denied"):
        async with world.deps.read(ada) as uow:
            await uow.session.execute(text(f"select 1 from control.{table}"))


async def test_a_password_hash_or_an_invitations_digest_is_out_of_its_reach(world: World) -> None:
    ada = await world.owner()
    for query in ("select password_hash from control.accounts", "select digest from control.invitations"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with world.deps.read(ada) as uow:
                await uow.session.execute(text(query))


async def test_it_cannot_write_what_belongs_to_another_or_give_away_what_is_its_own(world: World) -> None:
    ada, bob = await full_house(world)
    async with world.deps.database.unit_of_work() as uow:
        bobs_app = (
            await uow.session.execute(
                text("select id from control.apps where organization_id = :id"), {"id": bob.organization_id}
            )
        ).scalar_one()
    values = {"app": bobs_app, "other": bob.organization_id, "id": uuid4(), "account": ada.account_id}
    for statement in (
        "insert into control.standings_due (app_id, due_at) values (:app, now())",
        "insert into control.entitlements (app_id, meter, over, period, published_at) "
        "values (:app, 'messages', 'stop', '2026-01', now())",
        "insert into control.audit_entries (id, at, actor, action, target, organization_id) "
        "values (:id, now(), 'x', 'a.b', 'x', :other)",
        "insert into control.audit_entries (id, at, actor, action, target) values (:id, now(), 'x', 'a.b', 'x')",
        "insert into control.invitations "
        "(id, organization_id, email, role, digest, invited_by, created_at, expires_at) "
        "values (:id, :other, 'x@y.z', 'owner', repeat('a', 64), :account, now(), now())",
    ):
        with pytest.raises(DBAPIError, match="row-level security"):
            async with world.deps.change_as(ada, None) as ctx:
                wanted = {name: value for name, value in values.items() if f":{name}" in statement}
                await ctx.session.execute(text(statement), wanted)
    for statement in (
        "update control.apps set name = 'mine' where id = :app returning id",
        "delete from control.memberships where organization_id = :other returning account_id",
    ):
        async with world.deps.change_as(ada, None) as ctx:
            wanted = {name: value for name, value in values.items() if f":{name}" in statement}
            assert (await ctx.session.execute(text(statement), wanted)).all() == []


async def test_the_scope_of_one_transaction_does_not_stay_on_the_pooled_connection(world: World) -> None:
    ada = await world.owner()
    await world.app(ada)
    await world.deps.portal_database.engine.dispose()  # from here on it needs one connection, and opens no other
    count = text("select count(*), pg_backend_pid() from control.apps")
    scoped, unscoped = [], []
    for _ in range(3):
        async with world.deps.read(ada) as uow:
            scoped.append(tuple((await uow.session.execute(count)).one()))
        async with world.deps.portal_database.unit_of_work() as uow:
            unscoped.append(tuple((await uow.session.execute(count)).one()))
    assert {pid for _, pid in scoped} & {pid for _, pid in unscoped}, "a connection was used again"
    assert {apps for apps, _ in scoped} == {1}
    assert {apps for apps, _ in unscoped} == {0}


async def test_a_page_that_only_reads_cannot_write(world: World) -> None:
    ada = await world.owner()
    with pytest.raises(DBAPIError, match="read-only"):
        async with world.deps.read(ada) as uow:
            await uow.session.execute(text("update control.organizations set name = 'x'"))
