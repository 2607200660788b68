"""The audit log is a chain that cannot be bent unnoticed."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from control_plane import audit
from control_plane.apps.service import rename_app
from control_plane.audit import chain, reads
from control_plane.audit.chain import GENESIS, INSTALLATION, ChainReport, Head
from control_plane.audit.reads import Filters, export
from control_plane.members import Member
from kernel.errors import Conflict
from kernel.ids import format_id
from ops import migrations
from ops.cli import cli
from tests.control_plane.fixtures import MASTER_KEY, World

ODD: dict[str, Any] = {
    "name": 'a "b" \\ / \b\f\n\r\t\x01\x1f\x7f ü 😀 \u2028',
    "n": 12345678901234567890,
    "f": 1.5,
    "deep": {"bb": [None, True], "a": {}},
}


async def reports(world: World, organization: UUID | None = None) -> list[ChainReport]:
    async with world.deps.database.unit_of_work(snapshot=True) as uow:
        return [report async for report in chain.verify(uow.session, organization)]


async def report_of(world: World, organization: UUID) -> ChainReport:
    (report,) = await reports(world, organization)
    return report


async def record(world: World, organization: UUID | None, **data: Any) -> None:
    async with world.change() as ctx:
        await audit.record(ctx, "test.done", "target", organization_id=organization, **data)


async def exported(world: World, member: Member, filters: Filters | None = None) -> list[bytes]:
    text = b"".join([part async for part in export(world.deps, member, filters or Filters())])
    return text.splitlines()


async def test_every_entry_follows_the_one_before_it_by_organization(world: World) -> None:
    ada, bob = await world.owner(), await world.owner("bob@example.com", "Bobs")
    await world.app(ada)
    found = {report.organization_id: report for report in await reports(world)}
    assert set(found) == {INSTALLATION, ada.organization_id, bob.organization_id}
    for report in found.values():
        assert report.broken is None
        assert report.head is not None
        assert report.entries == report.head.seq > 0
    assert found[ada.organization_id].name == ada.organization_name


async def test_python_makes_the_same_hashes_as_the_database_of_anything_json_holds(world: World) -> None:
    organization = uuid4()
    await record(world, organization, **ODD)
    texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=8)
    values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | texts
        | st.decimals(allow_nan=False, allow_infinity=False).map(float),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    )
    made: list[dict[str, object]] = []

    @settings(max_examples=60)
    @given(st.dictionaries(texts, values, max_size=4))
    def draw(data: dict[str, object]) -> None:
        made.append(data)

    draw()
    async with world.change() as ctx:
        for data in made:
            target = "".join(map(str, data))[:50]
            await audit.record(ctx, "test.done", target, organization_id=organization, data_=data)
    report = await report_of(world, organization)
    assert (report.broken, report.entries) == (None, 1 + len(made))


TAMPERING = [
    *(
        (f"update control.audit_entries set {change} where id = $1", "was changed")
        for change in (
            "actor = 'account:other'",
            "action = 'app.renamed'",
            "target = 'x'",
            "at = at + interval '1 microsecond'",
            """data = '{"before": 99}'""",
            "request_id = null",
            "app_id = gen_random_uuid()",
        )
    ),
    ("update control.audit_entries set organization_id = gen_random_uuid() where id = $1", "was moved here"),
    ("delete from control.audit_entries where id = $1", "was removed"),
    ("delete from control.audit_chain where entry_id = $1", "is missing from the chain"),
    (
        f"update control.audit_chain set previous = '{GENESIS}' where entry_id = $1",
        "does not follow the entry before it",
    ),
    (f"update control.audit_chain set hash = '{GENESIS}' where entry_id = $1", "was changed"),
]


async def test_whoever_tampers_as_superuser_is_found_at_the_entry_he_touched(world: World) -> None:
    connection = await asyncpg.connect(world.admin_url)
    try:
        for statement, what in TAMPERING:
            organization = uuid4()
            async with world.change() as ctx:
                for number in range(5):
                    await audit.record(ctx, "test.done", "target", organization_id=organization, before=number)
            third = await _place(connection, organization, 3)
            await _as_superuser(connection, statement, third)
            report = await report_of(world, organization)
            assert report.broken is not None, statement
            assert (report.entries, report.broken.seq) == (2, 3), statement
            assert report.broken.entry in (format_id("aud", third), "3")
            assert report.broken.what.startswith(what), statement
    finally:
        await connection.close()


async def test_an_entry_written_past_the_chain_is_found(world: World) -> None:
    organization = uuid4()
    await record(world, organization)
    connection = await asyncpg.connect(world.admin_url)
    await _as_superuser(
        connection,
        "insert into control.audit_entries (id, at, actor, action, target, organization_id) "
        "values (gen_random_uuid(), now(), 'account:x', 'app.created', 'x', $1)",
        organization,
    )
    await connection.close()
    report = await report_of(world, organization)
    assert report.broken is not None
    assert report.broken.what == "was written past the chain"


async def test_the_end_of_a_log_that_was_cut_off_is_found_by_who_kept_its_hash(world: World) -> None:
    organization = uuid4()
    for _ in range(3):
        await record(world, organization)
    kept = (await report_of(world, organization)).head
    assert kept is not None
    connection = await asyncpg.connect(world.admin_url)
    last = await _place(connection, organization, 3)
    for table, column in (("audit_chain", "entry_id"), ("audit_entries", "id")):
        await _as_superuser(connection, f"delete from control.{table} where {column} = $1", last)
    await connection.close()
    report = await report_of(world, organization)
    assert (report.broken, report.entries) == (None, 2)
    async with world.deps.database.unit_of_work(snapshot=True) as uow:
        assert report.head is not None
        await chain.expect(uow.session, organization, report.head)
        with pytest.raises(Conflict):
            await chain.expect(uow.session, organization, kept)
        with pytest.raises(Conflict):
            await chain.expect(uow.session, organization, Head(1, kept.hash))


async def _place(connection: "asyncpg.Connection[asyncpg.Record]", organization: UUID, seq: int) -> UUID:
    found: UUID = await connection.fetchval(
        "select entry_id from control.audit_chain where organization_id = $1 and seq = $2", organization, seq
    )
    return found


async def _as_superuser(connection: "asyncpg.Connection[asyncpg.Record]", statement: str, value: UUID) -> None:
    async with connection.transaction():
        await connection.execute("set local session_replication_role = replica")  # no trigger refuses or chains
        await connection.execute(statement, value)


async def test_no_role_of_ours_can_change_or_remove_a_link(world: World) -> None:
    await record(world, None)
    for statement in (
        "update control.audit_chain set seq = seq + 1",
        "delete from control.audit_chain",
        "truncate control.audit_chain",
        "update control.audit_entries set target = 'x'",
        "delete from control.audit_entries",
        "alter table control.audit_entries disable trigger chained",
    ):
        for database in (world.deps.database, world.deps.portal_database):
            with pytest.raises(DBAPIError):
                async with database.unit_of_work() as uow:
                    await uow.session.execute(text(statement))
    with pytest.raises(DBAPIError):
        async with world.deps.portal_database.unit_of_work(organization=str(uuid4())) as uow:
            await uow.session.execute(text("insert into control.audit_chain select * from control.audit_chain"))
            await uow.session.execute(
                text(
                    "insert into control.audit_chain values (gen_random_uuid(), 1, gen_random_uuid(), "
                    "repeat('0', 64), repeat('0', 64))"
                )
            )


async def test_many_at_once_in_several_logs_leave_no_gap_and_wait_for_nobody_for_ever(
    world: World, second: World
) -> None:
    organizations = [uuid4() for _ in range(3)]

    async def write(number: int) -> None:
        of = world if number % 2 else second
        async with of.change() as ctx:
            # In every order, which would be a deadlock if each log were locked as it comes.
            for organization in organizations if number % 3 else organizations[::-1]:
                await audit.record(ctx, "test.done", "target", organization_id=organization, number=number)
            if number % 5 == 0:
                await ctx.session.rollback()

    await asyncio.gather(*(write(number) for number in range(40)))
    for organization in organizations:
        report = await report_of(world, organization)
        assert (report.broken, report.entries) == (None, 32)


async def test_an_export_is_proof_by_itself(world: World) -> None:
    ada = await world.owner()
    app = await world.app(ada)
    async with world.deps.change_as(ada, "req_1") as ctx:
        await rename_app(ctx, app.app.id, 'ü \\ " 😀')
    lines = await exported(world, ada)
    last = GENESIS
    for number, line in enumerate(lines, 1):
        body, _, hashed = line.rpartition(b', "hash": ')
        entry = json.loads(line)
        assert (entry["seq"], entry["previous"]) == (number, last)
        last = hashlib.sha256(body + b"}").hexdigest()
        assert entry["hash"] == json.loads(hashed[:-1]) == last
    head = (await report_of(world, ada.organization_id)).head
    assert head == Head(len(lines), last)
    assert {json.loads(line)["action"] for line in lines} >= {"organization.created", "app.renamed"}
    only = await exported(world, ada, Filters(action="app.renamed"))
    assert [json.loads(line)["action"] for line in only] == ["app.renamed"]
    assert await exported(world, ada, Filters(until=world.clock.now())) == []
    assert await exported(world, await world.owner("bob@example.com", "Bobs")) != lines


async def test_a_long_log_is_exported_and_followed_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await world.owner()
    async with world.change() as ctx:
        for number in range(25):
            await audit.record(ctx, "test.done", "target", organization_id=ada.organization_id, number=number)
    whole = await exported(world, ada)
    monkeypatch.setattr(reads, "_EXPORTED", 7)
    monkeypatch.setattr(chain, "_PAGE", 7)
    assert await exported(world, ada) == whole
    report = await report_of(world, ada.organization_id)
    assert (report.broken, report.entries) == (None, len(whole))


async def test_entries_of_the_release_before_are_chained_by_the_migration(world: World) -> None:
    connection = await asyncpg.connect(world.admin_url)
    organizations = [uuid4(), uuid4()]
    try:
        await connection.execute("drop trigger chained on control.audit_entries")
        await connection.execute("drop function control.chain_audit_entry, control.audit_line")
        await connection.execute("drop table control.audit_chain")
        for number in range(9):
            await connection.execute(
                "insert into control.audit_entries (id, at, actor, action, target, organization_id) "
                "values ($1, now(), 'system:test', 'test.done', 'x', $2)",
                uuid4(),
                [None, *organizations][number % 3],
            )
        script = Path(migrations.__file__).parent / "control" / "sql" / "0011_audit_chain.sql"
        async with connection.transaction():
            await connection.execute(script.read_text())
    finally:
        await connection.close()
    assert [(report.entries, report.broken) for report in await reports(world)] == [(3, None)] * 3
    await record(world, organizations[0])
    assert (await report_of(world, organizations[0])).entries == 4


async def test_the_command_names_the_first_broken_entry(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await world.owner()
    monkeypatch.setenv("NATTER_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("NATTER_DATABASE_URL", world.deps.settings.database_url)
    monkeypatch.setenv("NATTER_REDIS_URL", "redis://127.0.0.1:1/0")

    async def run(*words: str) -> tuple[int, str]:
        told = await asyncio.to_thread(CliRunner().invoke, cli, ["audit", "verify", *words])
        return told.exit_code, told.stdout

    code, said = await run()
    assert (code, said.count("ok ")) == (0, 2), said
    kept = (await report_of(world, ada.organization_id)).head
    assert kept is not None
    code, said = await run("--organization", ada.public_organization_id, "--expect", f"{kept.seq}:{kept.hash}")
    assert code == 0, said
    connection = await asyncpg.connect(world.admin_url)
    first = await _place(connection, ada.organization_id, 1)
    await _as_superuser(connection, "update control.audit_entries set actor = 'x' where id = $1", first)
    await connection.close()
    code, said = await run("--json")
    assert code == 1
    broken = [line for line in map(json.loads, said.splitlines()) if line["broken"]]
    assert [(line["organization"], line["broken"]["entry"]) for line in broken] == [
        (ada.public_organization_id, format_id("aud", first))
    ]
    code, said = await run("--organization", ada.public_organization_id)
    assert code == 1
    assert format_id("aud", first) in said
    assert (await run("--organization", "installation"))[0] == 0
    assert (await run("--expect", "nonsense"))[0] == 2
