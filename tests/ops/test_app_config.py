"""The configuration of an app as a file: what is pulled can be pushed anywhere, and says the same again."""

import asyncio
import dataclasses
import json
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from billing.tenants import open_tenant
from control_plane.audit.models import AuditEntry
from control_plane.context import Actor, Deps
from control_plane.credentials.service import create_credential
from control_plane.tenants import NewTenant
from data_plane.grants.defaults import ROLES, SCOPES, TYPES
from data_plane.grants.permissions import Permission
from kernel.clock import SystemClock
from kernel.errors import Conflict, InvalidInput, NotFound
from kernel.settings import ShardSettings
from ops.app_config import (
    Changed,
    Document,
    Target,
    changes_of,
    check_promotion,
    pull,
    push,
    reach,
    read_document,
    write_document,
)  # fmt: skip
from ops.app_config.document import BadFile
from ops.app_config.registry import SECTIONS
from ops.cli import cli
from tests.clients.installation import Installation
from tests.engines import Engines
from tests.portal.harness import MASTER_KEY, portal_deps, serve, with_settings

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "configuration.md"
FILE = """
version = 1

[roles.host]
scopes = ["channel"]
grants = ["message.send", "member.add"]

[channel_types.salon]
creator_role = "host"
slow_mode = 5

[channel_types.salon.grants]
member = ["message.send"]

[indexes.channels]
"custom.topic" = "text"

[access]
guests = true
anonymous = false
"""
EMPTY = "version = 1\n[roles]\n[channel_types]\n[indexes]\n[access]\nguests = false\nanonymous = false\n"


@dataclasses.dataclass
class Platform:
    """A control plane and a node that follows it."""

    deps: Deps
    database_url: str
    count: int = 0

    async def tenant(self, organization: str = "Acme", *, production: bool = False) -> NewTenant:
        self.count += 1
        async with self.deps.change(Actor("operator:test")) as ctx:
            return await open_tenant(
                ctx,
                email=f"{organization.lower()}@example.com",
                organization=organization,
                app=f"App {self.count}",
                environment="production" if production else "development",
                shard="s0",
                plan="free",
            )

    @asynccontextmanager
    async def target(self, tenant: NewTenant | None = None) -> AsyncIterator[Target]:
        """A new app, or this one, by its own key."""
        tenant = tenant or await self.tenant()
        async with reach(self.deps, tenant.app_id, secret_key=tenant.secret_key) as target:
            # The node hears of the app by its poll.
            while True:
                try:
                    await target.server.roles.list()
                    break
                except Exception:
                    await asyncio.sleep(0.02)
            yield target

    async def audit(self, target: Target) -> list[AuditEntry]:
        async with self.deps.database.unit_of_work(read_only=True) as uow:
            query = select(AuditEntry).where(AuditEntry.app_id == target.app_id).order_by(AuditEntry.id)
            return list((await uow.session.execute(query)).scalars())


@pytest.fixture(scope="module")
async def platform(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Platform]:
    control, chat = await engines.fresh_database("control"), await engines.fresh_database("chat")
    control_port, node_port = free_ports(2)
    shard = ShardSettings(id="s0", database_url=chat.url, redis_url=engines.redis_url)
    deps = with_settings(portal_deps(control.url, control_port, SystemClock()), shards=(shard,))
    async with serve(deps, control.superuser_url):
        async with deps.change(Actor("operator:test")) as ctx:
            credential = await create_credential(ctx, kind="node", name="node0", shard="s0")
        url = f"http://127.0.0.1:{control_port}"
        installation = Installation(
            chat.url, engines.redis_url, control_url=url, credential=credential, master_key=MASTER_KEY
        )
        await installation.start_node(node_port)
        yield Platform(deps, control.url)
        await installation.stop()
    await engines.drop_database(control)
    await engines.drop_database(chat)


async def apply(target: Target, text: str) -> list[str]:
    """Push a text; the lines of the difference."""
    document = read_document(text)
    shown = await changes_of(target, document)
    outcome = await push(target, document, shown)
    assert outcome.reason is None, outcome
    return [f"{change.section} {change.line()}" for change in shown]


def some_configuration(dice: random.Random) -> Document:
    """Any whole configuration that an app can have, small."""

    def grants() -> list[str]:
        return sorted(dice.sample(list(Permission), dice.randrange(4)))

    own = {f"r{n}": sorted(dice.sample(["app", "channel"], dice.randint(1, 2))) for n in dice.sample(range(4), 2)}
    changed = {name: list(SCOPES[name]) for name in dice.sample(sorted(SCOPES), 2)}
    roles = {(name,): {"scopes": sorted(scopes), "grants": grants()} for name, scopes in (own | changed).items()}
    scopes = {**SCOPES, **own}
    types = {}
    for name in dice.sample(["t0", "t1", "t2", *TYPES], 3):
        said = {role: grants() for role in dice.sample(sorted(scopes), 3)}
        said |= {"member": sorted(ROLES["member"])} if dice.random() < 0.5 else {}
        types[(name,)] = {
            "creator_role": dice.choice([role for role in sorted(scopes) if "channel" in scopes[role]]),
            "grants": said,
            "history": dice.choice(["all", "joined"]),
            "receipts": dice.random() < 0.5,
            "slow_mode": dice.randrange(3),
        }
    fields = dice.sample([(on, f"custom.{name}") for on in ("channels", "users") for name in ("a", "b.c", "d")], 3)
    return Document(
        {
            "roles": roles,
            "channel_types": types,
            "indexes": {field: dice.choice(["text", "number", "time"]) for field in fields},
            "access": {("guests",): dice.random() < 0.5, ("anonymous",): dice.random() < 0.5},
        }
    )


async def test_what_is_pulled_makes_an_empty_app_the_same_to_the_byte_and_anything_becomes_anything(platform):
    dice = random.Random(7)
    async with platform.target() as first:
        for _ in range(2):
            wish = some_configuration(dice)
            await apply(first, write_document(wish))
            assert await changes_of(first, wish) == [], "a push ends where the file says, wherever it began"
            pulled = write_document(await pull(first))
            async with platform.target() as second:
                assert await apply(second, pulled)
                assert write_document(await pull(second)) == pulled
        assert pulled.startswith("# ")
        assert "origins: " in pulled.partition("version")[0]
        with_origins = await pull(first, asked_for=["origins"])
        assert with_origins.sections["origins"] == {("allowed",): ["*"]}


async def test_a_difference_names_each_kind_of_change_and_leaves_what_the_file_does_not_have(platform):
    async with platform.target() as target:
        assert await apply(target, FILE) == [
            "roles + host: grants member.add, message.send; scopes channel",
            "channel_types + salon: creator_role host; grants member message.send; history all; "
            "receipts true; slow_mode 5",
            'indexes + channels."custom.topic": text',
            "access ~ guests: false → true",
        ]
        other = (
            FILE.replace("slow_mode = 5", "slow_mode = 9\n")
            .replace('member = ["message.send"]', 'member = ["message.send", "channel.leave"]\nguest = []')
            .replace('"text"', '"number"')
            .replace("roles.host]", "roles.host2]")
            .replace('creator_role = "host"', 'creator_role = "owner"')
        )
        assert await apply(target, other) == [
            "roles - host",
            "roles + host2: grants member.add, message.send; scopes channel",
            "channel_types ~ salon.creator_role: host → owner",
            "channel_types ~ salon.grants.guest: (default) → (nothing)",
            "channel_types ~ salon.grants.member: + channel.leave",
            "channel_types ~ salon.slow_mode: 5 → 9",
            'indexes ~ channels."custom.topic": text → number',
        ]
        # A role that creators get loses channels, in the one order in which that goes.
        gone = other.replace("roles.host2]", "roles.host3]").replace('"owner"', '"host3"')
        await apply(target, gone)
        await apply(target, gone.replace('"host3"', '"owner"').replace('scopes = ["channel"]', 'scopes = ["app"]'))
        # A type that was told what a role had anyway follows the role from now on, in the same push.
        await target.server.roles.put("host4", scopes=["channel"], grants=["message.send"])
        await target.server.channel_types.put("hall", grants={"host4": ["message.send"]})
        follow = "version = 1\n[roles.host4]\nscopes = ['channel']\ngrants = []\n[channel_types.hall.grants]\n"
        assert "roles ~ host4.grants: - message.send" in await apply(target, follow)
        assert (await target.server.channel_types.get("hall")).grants["host4"] == []
        before = await pull(target)
        assert await apply(target, "version = 1\n[indexes]\n") == ['indexes - channels."custom.topic"']
        after = await pull(target)
        assert {**before.sections, "indexes": {}} == after.sections


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version = 2", ["version: 2 is newer than what this natter reads"]),
        ("[roles]", ["version: must be there"]),
        ("version = 1\nroles =\n", ["This is not TOML", "line 2"]),
        ("version = 1\ncolours = 1\nroles = 2", ["colours: there is no such section", "roles: must be a table"]),
        (FILE.replace("slow_mode = 5", "slow = 5"), ["channel_types.salon: ", "unknown field `slow`"]),
        (FILE.replace("slow_mode = 5", 'slow_mode = "5"'), ["channel_types.salon.slow_mode: Expected `int`"]),
        (FILE.replace('["message.send"]', '["message.sing"]'), ["grants.member[0]: ", "`message.sing`"]),
        (FILE.replace('["message.send"]', '["message.send", 1]'), ["salon.grants.member[1]: Expected `str`"]),
        (FILE.replace('["channel"]', '["space"]'), ["roles.host.scopes[0]: Invalid enum value 'space'"]),
        (FILE.replace("roles.host", "roles.Host"), ["roles.Host: a name is"]),
        ("version = 1\n[roles.owner]\nscopes = ['app']\ngrants = []", ["roles.owner.scopes: a built-in"]),
        (FILE.replace("custom.topic", "topic"), ['indexes.channels."topic": a field is']),
        (FILE.replace('"text"', "5"), ['indexes.channels."custom.topic": Expected `str`']),
        (FILE.replace("[indexes.channels]", "[indexes.rooms]"), ["indexes.rooms: "]),
        (FILE.replace("guests = true", "guests = 1"), ["access.guests: Expected `bool`"]),
        (FILE.replace("guests = true", ""), ["access: ", "`guests`"]),
        (FILE + "[origins]\nallowed = ['https://a.example/x']", ["origins.allowed: ", "is not an origin"]),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_told_with_its_place(text, told):
    with pytest.raises(BadFile) as caught:
        read_document(text)
    for words in told:
        assert words in caught.value.message


async def test_what_is_wrong_about_an_app_is_told_before_anything_is_written(platform):
    async with platform.target() as target:
        many = "".join(f'"custom.f{n}" = "text"\n' for n in range(21))
        wrong = FILE.replace('creator_role = "host"', 'creator_role = "hosst"').replace('"custom.topic" = "text"', many)
        with pytest.raises(BadFile) as caught:
            await changes_of(target, read_document(wrong.replace("member = ", "crowd = ")))
        assert [line.partition(": ")[0] for line in caught.value.data["problems"]] == [
            "channel_types.salon.grants.crowd", "channel_types.salon.creator_role", "indexes.channels",
        ]  # fmt: skip
        assert await changes_of(target, read_document(EMPTY)) == []


async def test_a_push_that_fails_says_what_is_left_and_the_same_one_again_ends_it(platform):
    async with platform.target() as target:
        await apply(target, FILE)
        await target.server.users.upsert([{"id": "ann"}])
        await target.server.channels.create(id="den", type="salon", members=["ann"])
        wish = read_document(EMPTY.replace("[roles]", "[roles.clerk]\nscopes = ['app']\ngrants = []"))
        shown = await changes_of(target, wish)
        outcome = await push(target, wish, shown)
        assert (outcome.failed, outcome.reason) == ("- channel_types.salon", "There are channels of the type `salon`.")
        assert ("+", "roles", ("clerk",)) in outcome.done
        assert [(change.section, change.line()) for change in outcome.left] == [
            ("roles", "- host"), ("channel_types", "- salon"),
        ]  # fmt: skip
        with pytest.raises(Changed):
            await push(target, wish, shown)
        await target.server.channels.delete("den")
        assert (await push(target, wish, outcome.left)).reason is None
        assert await changes_of(target, wish) == []
        entries = [entry for entry in await platform.audit(target) if entry.action.startswith("app.config_push")]
        assert [entry.action.rpartition("_")[2] for entry in entries] == ["began", "ended"] * 3
        assert entries[3].data["failed"] == "- channel_types.salon"
        assert entries[3].data["left"] == ["roles  - host", "channel_types  - salon"]
        assert "app.guests_changed" in {entry.action for entry in await platform.audit(target)}


async def test_a_push_that_is_killed_is_seen_and_the_same_one_again_ends_it(platform):
    async with platform.target() as target:
        wish, told = read_document(FILE), []

        def die(line: str) -> None:
            told.append(line)
            if len(told) == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await push(target, wish, await changes_of(target, wish), tell=die)
        left = await changes_of(target, wish)
        assert [change.section for change in left] == ["indexes", "access"]
        assert (await platform.audit(target))[-1].action == "app.config_push_began"
        await push(target, wish, left)
        assert await changes_of(target, wish) == []


async def test_another_tenants_app_is_refused_and_promotion_goes_one_way(platform):
    own, other = await platform.tenant(), await platform.tenant("Zeta", production=True)
    for key in (other.secret_key, own.publishable_key, "sk_nonsense"):
        with pytest.raises(InvalidInput, match="is none of"):
            async with reach(platform.deps, own.app_id, secret_key=key):
                pass
    with pytest.raises(NotFound):
        async with reach(platform.deps, platform.deps.ids.new("app"), secret_key=own.secret_key):
            pass
    live = await platform.tenant(production=True)
    await check_promotion(platform.deps, own.app_id, live.app_id)
    for source, target in ((own, other), (live, own), (live, live), (own, own)):
        with pytest.raises(Conflict):
            await check_promotion(platform.deps, source.app_id, target.app_id)


async def test_the_commands_pull_diff_push_and_promote(platform, monkeypatch, tmp_path):
    monkeypatch.setenv("NATTER_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("NATTER_DATABASE_URL", platform.database_url)
    monkeypatch.setenv("NATTER_REDIS_URL", "redis://127.0.0.1:1/0")

    async def run(*words: str, answer: str = "", key: str | None = None) -> tuple[int, str, str]:
        environment = {"APP_SECRET_KEY": key} if key else {}
        runner = CliRunner()
        told = await asyncio.to_thread(runner.invoke, cli, ["app", *words], input=answer, env=environment)
        return told.exit_code, told.stdout, told.stderr

    development = await platform.tenant()
    text = re.search(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL)[1]
    file = tmp_path / "app.toml"
    file.write_text(text)
    async with platform.target(development):
        pass
    key = development.secret_key
    code, said, _ = await run("diff", development.app_id, str(file), "--json", key=key)
    assert code == 1
    kinds = {(change["section"], change["change"]) for change in json.loads(said)["changes"]}
    assert ("roles", "added") in kinds
    assert ("access", "changed") in kinds
    code, said, _ = await run("push", development.app_id, str(file), "--dry-run", key=key)
    assert (code, "done" in said) == (0, False)
    assert (await run("push", development.app_id, str(file), answer="n\n", key=key))[0] == 1
    code, said, _ = await run("push", development.app_id, str(file), answer="y\n", key=key)
    assert (code, said.splitlines()[-1]) == (0, "All is as the file says."), said
    code, said, _ = await run("pull", development.app_id, key=key)
    assert (code, said) == (0, text), "the guide shows a file as it is pulled"
    assert await run("diff", development.app_id, str(file), key=key) == (0, "Nothing is different.\n", "")
    code, _, errors = await run("diff", development.app_id, str(file), key="sk_wrong")
    assert (code, "is none of" in errors) == (2, True)
    file.write_text("version = 9\n")
    code, _, errors = await run("push", development.app_id, str(file), "--yes")
    assert (code, "newer" in errors) == (2, True)

    # Without keys the command makes its own, and waits until the node knows them.
    production = await platform.tenant(production=True)
    async with platform.target(production) as target:
        name = (await target.app()).name
        promote = ("promote", development.app_id, production.app_id)
        code, _, errors = await run(*promote, "--yes")
        assert (code, f"type its name: {name}" in errors) == (2, True), errors
        assert await changes_of(target, read_document(EMPTY)) == []
        code, said, errors = await run(*promote, answer=f"{name}\n")
        assert (code, said.splitlines()[-1]) == (0, "All is as the file says."), (said, errors)
        assert write_document(await pull(target)) == text
        assert await run(*promote, "--yes") == (0, "Nothing is different.\n", "")
        actions = [entry.action for entry in await platform.audit(target)]
    assert actions.count("api_key.created") - 2 == actions.count("api_key.revoked") == 3


def test_every_section_is_in_the_guide():
    words = GUIDE.read_text()
    assert [section.name for section in SECTIONS if f"`{section.name}`" not in words] == []
