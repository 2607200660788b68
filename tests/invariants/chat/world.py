"""Two tenants of one shard with the same users: the victim, whose every word holds the canary, and the stranger who
tries. Two real nodes with real engines; both tenants listen on both."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, islice
from uuid import UUID

import asyncpg
import msgspec

from data_plane.limits.policies import POLICIES
from data_plane.sync.cursor import decode_cursor
from kernel.contracts import RateLimit, SigningKey
from kernel.ids import parse_id
from kernel.security.tokens import mint_access_token
from tests.clients.installation import Installation, Tenant
from tests.invariants.answers import CANARY
from tests.invariants.rows import Digest, Rows, Whose, tables
from tests.invariants.wire import Wire

LEAST, MOST = 16, 80
"""How many unused kits there are before anything is tried. Every try takes fresh ones, because it may make things of
its own under their ids."""
PERSON = "alice"
"""Who tries, and a user of the victim too."""
THEIR_OWN = "theirs-own"
"""A channel type, and a role, that the victim has made."""
LIVESTREAM = "theirs-livestream"
"""A channel that every user of the victim may watch."""
AT_ONCE = 12
SILENCE = 0.2
"""Seconds without an event after which none is on its way; a hint on the bus takes milliseconds."""

SPECIAL: dict[str, Whose] = {
    "commits": "$1::uuid = any(t.apps)",
    "outbox": "replace(t.payload::text, '-', '') like '%' || replace($1::uuid::text, '-', '') || '%'",
}
"""Tables of the chat schema that have no `app_id` and speak of tenants all the same."""
OF_NOBODY = {"alembic_version", "shard"}
OWN_DOING = {"usage_samples", "presence"}
"""The nodes count the victim's own connections every minute, and write when its users were active, whatever anybody
tries."""


@dataclass(frozen=True)
class Kit:
    """A channel of `PERSON`'s, another user in it, and a message of `PERSON`'s in it."""

    channel: str
    user: str
    message: str


class Side:
    """One of the two tenants with what it has."""

    def __init__(self, world: "World", tenant: Tenant, mark: str) -> None:
        self.world = world
        self.tenant = tenant
        self.mark = mark
        self.app_id: UUID = parse_id("app", tenant.snapshot.app_id)
        self.sockets: list[Wire] = []

    async def make(self, kits: list[Kit]) -> None:
        """Make everything of these kits."""
        for start in range(0, len(kits), 100):
            users = [{"id": kit.user, "name": self.mark} for kit in kits[start : start + 100]]
            await self.tenant.post("/v1/users", users=users)
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(kit: Kit) -> None:
            async with limit:
                members = [PERSON, kit.user]
                path = f"/v1/channels/{kit.channel}/messages"
                await self.tenant.post(
                    "/v1/channels", id=kit.channel, name=self.mark, members=members, user_id=PERSON, custom=self.custom
                )
                text = f"{self.mark} says hello"
                await self.tenant.post(path, id=kit.message, text=text, user_id=PERSON, custom=self.custom)

        await asyncio.gather(*(one(kit) for kit in kits))

    @property
    def custom(self) -> dict[str, str]:
        return {"note": self.mark}

    async def listen(self) -> None:
        """A socket of its person on every node."""
        for running in self.world.installation.nodes:
            wire = await Wire.open(running.url, {"token": self.tenant.token(PERSON)})
            assert wire.refusal is None, wire.refusal
            self.sockets.append(wire)

    def heard(self) -> int:
        """Events its sockets got so far."""
        return sum(len(wire.events) for wire in self.sockets)


class World:
    """Made by `make_world`."""

    def __init__(self, installation: Installation, superuser: asyncpg.Connection) -> None:
        self.installation = installation
        self.database = superuser
        self.conditions: dict[str, Whose] = {}

    async def begin(self) -> None:
        """Make both tenants with what they have, and let them listen."""
        self._begun_at: int = await self.database.fetchval("select chat.horizon()")
        # The tries come as fast as the machine is; a refusal for one's rate would hide the answer that is looked at.
        fast = tuple(RateLimit(policy=each.name, per_second=10_000, burst=100_000) for each in POLICIES)
        theirs, own = await self.installation.tenant(limits=fast), await self.installation.tenant(limits=fast)
        self.victim, self.stranger = Side(self, theirs, CANARY), Side(self, own, "stranger")
        for side in (self.victim, self.stranger):
            await side.tenant.post("/v1/users", users=[{"id": PERSON, "name": side.mark, "custom": side.custom}])
        # Declared by the victim alone: every kit of it leaves a value.
        declared = await theirs.http.put("/v1/indexes/channels/custom.note", json={"type": "text"})
        assert declared.status_code == 201, declared.text
        self._own, self._theirs, self._shared = (self._kits(mark) for mark in ("own", "theirs", "twin"))
        self._foreign: list[Kit] = []
        self._twins: list[Kit] = []
        await self.stock_up()
        self.bystander = self.take_foreign()
        """The victim's, for requests that are refused before their ids matter, and for those that only read."""
        self.double, self.reader = self.take_twin(), await self.take_own()
        """Of both, and the stranger's, for requests that only read."""
        await self.victim.tenant.post("/v1/channels", id=LIVESTREAM, type="livestream", name=CANARY)
        await self.victim.tenant.post(f"/v1/channels/{LIVESTREAM}/invites", user_ids=[PERSON])
        await self.victim.tenant.put(f"/v1/channel-types/{THEIR_OWN}", grants={"member": ["message.send"]})
        await self.victim.tenant.put(f"/v1/roles/{THEIR_OWN}", scopes=["app", "channel"], grants=["message.send"])
        self.conditions = await self._conditions()
        self.rows = Rows(self.database, self.conditions)
        first = await self.victim.tenant.http.get("/v1/sync", params={"user_id": PERSON})
        horizon = decode_cursor(first.json()["cursor"])
        self.victims_first_cursor = msgspec.structs.replace(horizon, horizon=self._begun_at).encode()
        """A cursor of the victim's from before everything."""
        pair = await self.victim.tenant.post("/v1/tokens", user_id=PERSON)
        self.victims_refresh_token: str = pair["refresh_token"]
        for side in (self.victim, self.stranger):
            await side.listen()

    async def end(self) -> None:
        for side in (self.victim, self.stranger):
            for wire in side.sockets:
                await wire.close()
            await side.tenant.close()

    async def stock_up(self) -> None:
        """Have enough kits for what is tried next. Between tries, because it is the victim's own doing."""
        if min(len(self._foreign), len(self._twins)) >= LEAST:
            return
        foreign = list(islice(self._theirs, MOST - len(self._foreign)))
        twins = list(islice(self._shared, MOST // 2 - len(self._twins)))
        await self.victim.make(foreign + twins)
        await self.stranger.make(twins)
        self._foreign += foreign
        self._twins += twins
        await self.settle()

    def take_foreign(self) -> Kit:
        """A kit that the victim has and the stranger does not."""
        return self._foreign.pop()

    def take_twin(self) -> Kit:
        """A kit that both have under the same ids."""
        return self._twins.pop()

    async def take_own(self) -> Kit:
        """A kit of the stranger alone."""
        kit = next(self._own)
        await self.stranger.make([kit])
        return kit

    def take_none(self, like: Kit) -> Kit:
        """A kit that nobody has. Its ids are next to those of `like`, at the same place of any list."""
        return Kit(like.channel + ".", like.user + ".", self._message())

    def forged(self, app_id: str, key: SigningKey) -> str:
        """A token for an app's `PERSON`, signed by whoever holds this key."""
        return mint_access_token(
            key,
            app_id=app_id,
            user_id=PERSON,
            now=self.installation.clock.now(),
            lifetime=timedelta(minutes=5),
            token_id="forged",
        )

    async def settle(self) -> None:
        """Wait until everything that happened has reached the sockets: what was heard lately is followed by silence."""
        heard = -1
        while heard != self.victim.heard():
            heard = self.victim.heard()
            await asyncio.sleep(SILENCE)

    async def victims_rows(self) -> Digest:
        """A digest of every row of the victim."""
        return await self.rows.digest(self.victim.app_id)

    async def _conditions(self) -> dict[str, Whose]:
        found: dict[str, Whose] = {}
        for table, columns in (await tables(self.database, "chat")).items():
            if table in OWN_DOING:
                continue
            if "app_id" in columns:
                found[f"chat.{table}"] = "t.app_id = $1::uuid"
            elif table in SPECIAL:
                found[f"chat.{table}"] = SPECIAL[table]
            else:
                assert table in OF_NOBODY, f"chat.{table}: whose are its rows? Say so in tests/invariants/chat/world.py"
        return found

    def _kits(self, mark: str) -> Iterator[Kit]:
        for number in count(1):
            yield Kit(f"{mark}-channel-{number:04}", f"{mark}-user-{number:04}", self._message())

    def _message(self) -> str:
        return self.installation.ids.new("msg")
