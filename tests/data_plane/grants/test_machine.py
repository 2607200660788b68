"""Random histories of roles, grants and memberships by several users: nobody raises itself, nobody gives more than it
has, what a view says is what the tables say, and fresh state is the old state with the events applied."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from data_plane.grants.defaults import ROLES, SCOPES, TYPES
from data_plane.grants.permissions import EVERYTHING
from data_plane.grants.standing import Sight
from data_plane.grants.store import GrantStore
from data_plane.log import LogReader, LogWriter
from data_plane.members.service import MemberService
from data_plane.shard import Shard
from data_plane.sync.service import SyncService
from data_plane.users.schemas import PutUser
from data_plane.users.write import put_user
from kernel.clock import ManualClock
from kernel.db import Database
from kernel.ids import Ids
from kernel.outbox import Outbox
from kernel.security.vault import Vault
from tests.data_plane.world import App, World
from tests.engines import TemporaryDatabase

USERS = ("ann", "bob", "cid", "dan")
CHANNELS = ("lab", "town", "show")
TYPE = {"lab": "lab", "town": "team", "show": "livestream"}
IN_CHANNEL = ("owner", "admin", "moderator", "member", "guest", "host")
IN_APP = ("user", "admin", "moderator", "guest", "vip", "anything else")
NAMES = sorted(EVERYTHING)

users = st.sampled_from(USERS)
channels = st.sampled_from(CHANNELS)
roles = st.sampled_from(IN_CHANNEL)
app_roles = st.sampled_from(IN_APP)
any_role = st.sampled_from(sorted({*IN_CHANNEL, *IN_APP} - {"anything else"}))
some = st.lists(st.sampled_from(NAMES), unique=True, max_size=len(NAMES)).map(sorted)
in_channel = st.lists(st.sampled_from([n for n in NAMES if n != "channel.create"]), unique=True).map(sorted)


class Tables:
    """What the tables say, read and worked out here once more, in the plainest way."""

    def __init__(self, types: Any, roles: Any, channels: Any, members: Any, users: Any) -> None:
        self.types = {row["name"]: orjson.loads(row["grants"]) for row in types}
        self.roles = {row["name"]: (row["scopes"], orjson.loads(row["grants"])) for row in roles}
        self.channels = {row["id"]: (row["type"], orjson.loads(row["grants"] or "{}")) for row in channels}
        self.members = {(row["channel_id"], row["user_id"]): row["role"] for row in members}
        self.users = {row["id"]: row["role"] for row in users}

    def role(self, channel: str, role: str) -> set[str]:
        """What a role may do in a channel."""
        type, own = self.channels[channel]
        for says in (own, self.types.get(type, {}), TYPES.get(type, {})):
            if role in says:
                return set(says[role]) - {"channel.create"}
        granted = self.roles[role][1] if role in self.roles else ROLES.get(role, set())
        return set(granted) - {"channel.create"}

    def app_role(self, user: str) -> str:
        word = self.users[user]
        scopes = self.roles[word][0] if word in self.roles else SCOPES.get(word, ())
        return word if "app" in scopes else "user"

    def may(self, channel: str, user: str) -> set[str]:
        """What a user may do there."""
        by_app = self.role(channel, self.app_role(user))
        member = self.members.get((channel, user))
        if member is None:
            return by_app if "channel.watch" in by_app else by_app & {"channel.join"}
        return by_app | self.role(channel, member)

    def everything(self) -> dict[tuple[str, str], set[str]]:
        return {(channel, user): self.may(channel, user) for channel in self.channels for user in USERS}


class Client:
    """What one user knows: the fresh state it began with and the events since, as the reference tells to apply them."""

    def __init__(self, state: dict[str, Any], app_role: str) -> None:
        self.table = state["grants"]
        self.channels = {channel["id"]: channel for channel in state["channels"]}
        self.cursor = state["cursor"]
        self.word = app_role

    def apply(self, event: dict[str, Any]) -> None:
        data = event["data"]
        match event["type"]:
            case "membership.added":
                self.channels[data["channel"]["id"]] = data["channel"]
            case "membership.removed":
                self.channels.pop(data["channel_id"], None)
            case "membership.updated":
                self.channels[data["channel_id"]]["membership"]["role"] = data["role"]
            case "channel.updated":
                if event["channel_id"] in self.channels:
                    self.channels[event["channel_id"]]["grants"] = data["channel"]["grants"]
            case "grants.updated":
                for name, row in data["types"].items():
                    if row is None:
                        self.table.pop(name, None)
                    else:
                        self.table[name] = row
            case "user.updated":
                self.word = data["user"]["role"]

    def capabilities(self, tables: Tables, user: str) -> dict[str, list[str]]:
        """What it may do in each of its channels."""
        found = {}
        for channel in self.channels.values():
            row = self.table[channel["type"]] | channel["grants"]
            both = {*row[channel["membership"]["role"]], *row[tables.app_role(user)]} - {"channel.create"}
            found[channel["id"]] = sorted(both)
        return found


class Grants(RuleBasedStateMachine):
    """Every rule is one request; what it must not have done is looked at after each."""

    database_url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.tenant = Database(self.database_url, role="natter_app")
        self.system = Database(self.database_url, role="natter_engine")
        clock = ManualClock()
        shard = Shard(
            id="s0", epoch="test", tenant=self.tenant, system=self.system, logs=LogWriter("test", lambda _: None),
            reader=LogReader(self.system, "test"), grants=GrantStore(self.system), outbox=Outbox("chat"), clock=clock,
            ids=Ids(), vault=Vault(Vault.generate_master_key()),
        )  # fmt: skip
        self.world = World(shard, clock, [])
        self.app: App = self.world.app()
        self.sync = SyncService(shard)
        self.done = 0

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        try:
            if self.done:
                self.run(self.converge())
        finally:
            self.run(self.world.http.aclose())
            self.run(self.tenant.close())
            self.run(self.system.close())
            self.loop.close()

    # -- what there is -----------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.run(self._begin())

    async def _begin(self) -> None:
        call = self.app.call
        await self.app.make_users(*USERS)
        await call("PUT", "/v1/roles/host", {"scopes": ["channel"], "grants": ["member.add", "message.send"]})
        await call("PUT", "/v1/roles/vip", {"scopes": ["app"], "grants": ["channel.watch", "member.role"]})
        await call("PUT", "/v1/channel-types/lab", {"grants": {}})
        for name in CHANNELS:
            made = await call(
                "POST", "/v1/channels", {"id": name, "type": TYPE[name], "members": ["bob"], "user_id": "ann"}
            )
            assert made.status_code == 201, made.text
        self.clients = {user: Client(await self.sync.fresh(self.app.id, user), "user") for user in USERS}

    async def tables(self) -> Tables:
        fetch = self.app.fetch
        return Tables(
            await fetch("select name, grants::text as grants from chat.channel_types where app_id = $1"),
            await fetch("select name, scopes, grants::text as grants from chat.roles where app_id = $1"),
            await fetch("select id, type, grants::text as grants from chat.channels where app_id = $1"),
            await fetch("select channel_id, user_id, role from chat.members where app_id = $1"),
            await fetch("select id, role from chat.users where app_id = $1"),
        )

    # -- what users do -------------------------------------------------------------------------------------------------

    @rule(actor=users, channel=channels, user=users, role=st.none() | roles)
    def put(self, actor: str, channel: str, user: str, role: str | None) -> None:
        self.act(actor, channel, "PUT", f"members/{user}", {"role": role} if role else None)

    @rule(actor=users, channel=channels, user=users, role=roles)
    def add(self, actor: str, channel: str, user: str, role: str) -> None:
        self.act(actor, channel, "POST", "members", {"user_ids": [user], "role": role})

    @rule(actor=users, channel=channels, user=users)
    def remove(self, actor: str, channel: str, user: str) -> None:
        self.act(actor, channel, "DELETE", f"members/{user}")

    @rule(actor=users, channel=channels)
    def join(self, actor: str, channel: str) -> None:
        self.act(actor, channel, "POST", "join")

    @rule(actor=users, channel=channels)
    def leave(self, actor: str, channel: str) -> None:
        self.act(actor, channel, "POST", "leave")

    @rule(actor=users, channel=channels, role=any_role, grants=st.none() | in_channel)
    def grant(self, actor: str, channel: str, role: str, grants: list[str] | None) -> None:
        self.act(actor, channel, "PATCH", "", {"grants": {role: grants}})

    @rule(actor=users, word=app_roles)
    def raise_itself(self, actor: str, word: str) -> None:
        answer = self.run(self.app.call("PUT", "/v1/roles/user", {"scopes": ["app"], "grants": NAMES}, as_user=actor))
        assert answer.status_code == 403

    # -- what the server does ------------------------------------------------------------------------------------------

    @rule(type=st.sampled_from(["lab", "team", "livestream"]), role=any_role, grants=some)
    def define_type(self, type: str, role: str, grants: list[str]) -> None:
        self.serve("PUT", f"/v1/channel-types/{type}", {"grants": {role: grants}})

    @rule(role=st.sampled_from(["host", "vip", "member", "user", "moderator"]), grants=some)
    def define_role(self, role: str, grants: list[str]) -> None:
        scopes = list(SCOPES.get(role, ("channel",) if role == "host" else ("app",)))
        self.serve("PUT", f"/v1/roles/{role}", {"scopes": scopes, "grants": grants})

    @rule(channel=channels, user=users, role=roles)
    def place(self, channel: str, user: str, role: str) -> None:
        self.serve("PUT", f"/v1/channels/{channel}/members/{user}", {"role": role})

    @rule(user=users, word=app_roles)
    def name(self, user: str, word: str) -> None:
        async def write() -> None:
            async with self.world.shard.unit_of_work(self.app.id) as uow:
                await put_user(
                    self.world.shard, uow, self.app.id, user, PutUser(role=word.replace(" ", "-")), actor=None
                )

        self.run(write())
        self.done += 1

    def serve(self, method: str, path: str, body: Any) -> None:
        answer = self.run(self.app.call(method, path, body))
        assert answer.status_code < 300, answer.text
        self.done += 1

    # -- what must hold ------------------------------------------------------------------------------------------------

    def act(self, actor: str, channel: str, method: str, path: str, body: Any = None) -> None:
        self.run(self._act(actor, channel, method, path, body))

    async def _act(self, actor: str, channel: str, method: str, path: str, body: Any) -> None:
        before = await self.tables()
        target = f"/v1/channels/{channel}/{path}".rstrip("/")
        answer = await self.app.call(method, target, body, as_user=actor)
        after = await self.tables()
        self.done += 1
        assert answer.status_code < 500, answer.text
        had, has = before.everything(), after.everything()
        if answer.is_error:
            assert has == had and after.members == before.members, "a refusal changed something"
        own = had[channel, actor]
        for (where, user), may in has.items():
            gained = may - had[where, user]
            if (user, path) == (actor, "join"):
                # The one way up: it is what `channel.join` means.
                assert not gained or "channel.join" in own
                assert may <= had[where, user] | after.role(where, "member") | after.role(where, after.app_role(user))
                continue
            if user == actor:
                assert not gained, f"{actor} raised itself by {gained}"
            # Who becomes a member keeps what its app role lets it do, which is nobody's gift.
            assert gained <= own | after.role(where, after.app_role(user)), f"{actor} gave {user} {gained}"
            lost = had[where, user] - may
            if user != actor and before.members.get((where, user)) != after.members.get((where, user)):
                assert before.role(where, before.members.get((where, user), "")) <= own or not lost, (
                    "took from one who has more"
                )
        for name in CHANNELS:
            people = [role for (where, _), role in after.members.items() if where == name]
            owned = "owner" in {role for (where, _), role in before.members.items() if where == name}
            assert "owner" in people or not owned or not people, "the last owner went"
        seen = await self.app.call("GET", f"/v1/channels/{channel}", as_user=actor)
        visible = (channel, actor) in after.members or "channel.watch" in has[channel, actor]
        assert seen.status_code == (200 if visible else 404)
        if visible:
            assert seen.json()["capabilities"] == sorted(has[channel, actor])

    async def converge(self) -> None:
        tables = await self.tables()
        for user, client in self.clients.items():
            while True:
                page = await self.sync.since(self.app.id, user, client.cursor, limit=50)
                for event in page["events"]:
                    client.apply(orjson.loads(orjson.dumps(event)))
                client.cursor = page["cursor"]
                if not page["has_more"]:
                    break
            fresh = await self.sync.fresh(self.app.id, user)
            assert client.table == fresh["grants"]
            assert client.word == tables.users[user]
            assert client.capabilities(tables, user) == {c["id"]: c["capabilities"] for c in fresh["channels"]}
            for channel in fresh["channels"]:
                assert channel["capabilities"] == sorted(tables.may(channel["id"], user))


CHOSEN = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


async def test_no_history_gives_more_than_the_table_says(shard_database: TemporaryDatabase) -> None:
    Grants.database_url = shard_database.url
    await asyncio.to_thread(run_state_machine_as_test, Grants, settings=CHOSEN)


async def _nothing(*_: Any, **__: Any) -> None:
    pass


def _after_an_admin(then: Callable[[Grants], None]) -> Callable[[Grants], None]:
    def history(machine: Grants) -> None:
        machine.put("ann", "lab", "cid", "admin")
        machine.put("ann", "lab", "bob", "owner")
        then(machine)

    return history


HOLES: dict[str, tuple[type, str, Any, Callable[[Grants], None]]] = {
    "gave": (Sight, "require_no_more", lambda *_: None, _after_an_admin(lambda m: m.put("cid", "lab", "dan", "owner"))),
    "raised itself": (
        Sight,
        "require_no_more",
        lambda *_: None,
        _after_an_admin(lambda m: m.put("cid", "lab", "cid", "owner")),
    ),
    "took from": (Sight, "require_no_more", lambda *_: None, _after_an_admin(lambda m: m.remove("cid", "lab", "bob"))),
    "the last owner went": (MemberService, "_require_owner_left", _nothing, lambda m: m.leave("ann", "town")),
}


@pytest.mark.parametrize("said", HOLES)
async def test_a_hole_would_be_noticed(
    said: str, shard_database: TemporaryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, name, instead, history = HOLES[said]
    monkeypatch.setattr(where, name, instead)
    Grants.database_url = shard_database.url

    def live() -> None:
        machine = Grants()
        try:
            machine.begin()
            with pytest.raises(AssertionError, match=said):
                history(machine)
        finally:
            machine.done = 0
            machine.teardown()

    await asyncio.to_thread(live)
