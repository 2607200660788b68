"""The stranger: sends every try, and compares what another tenant's things look like with what nothing looks like."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson

from data_plane.identity.tokens.refresh_token import generate
from kernel.contracts import SigningKey
from kernel.security import keys
from tests.invariants.answers import Answer, Leak, mask, masked, no_canary, same
from tests.invariants.chat.tries import Emit, Expect, Slots, Try, choices, mix, sent
from tests.invariants.chat.world import PERSON, Kit, World
from tests.invariants.coverage import Operation
from tests.invariants.rows import unchanged
from tests.invariants.wire import Wire

READS = "GET"
"""What changes nothing needs no things of its own."""

FOLLOWED = 2.5
"""Seconds after which an event has arrived even where the bus forgot it: two rounds of the follower."""

_ADDRESSES = itertools.count(1)


def own_address() -> str:
    """An address of this machine that no other stranger of this process comes from. Those who show no credential share
    the rate of their address, and all strangers together ask faster than one address may."""
    host = next(_ADDRESSES)
    return f"127.{1 + (host >> 16)}.{host >> 8 & 255}.{host & 255}"


class Stranger:
    """Acts with the stranger's own credentials against a node; with `transport`, against something in its place."""

    def __init__(self, world: World, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.world = world
        # Shorter than the server's own 5 s, or a request could meet a connection that is just being closed.
        limits = httpx.Limits(keepalive_expiry=2)
        transport = transport or httpx.AsyncHTTPTransport(local_address=own_address(), limits=limits)
        self.http = httpx.AsyncClient(base_url=url, timeout=20, trust_env=False, transport=transport)
        tenant = world.stranger.tenant
        self.bearers = {"server": tenant.secret_key, "user": tenant.token(PERSON)}

    async def ask(
        self,
        method: str,
        path: str,
        *,
        bearer: str | None = None,
        body: Any = None,
        said: Mapping[str, str] | None = None,
        varies: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, its answer masked. Raises `Leak` when the answer holds the victim's content."""
        sending = dict(headers or {}) | ({"authorization": f"Bearer {bearer}"} if bearer is not None else {})
        content = None if body is None else orjson.dumps(body)
        if content is not None:
            sending["content-type"] = "application/json"
        response = await self.http.request(method, path, headers=sending, content=content)
        answer = masked(response, said or {}, varies=varies)
        no_canary(f"{method} {path}", str(answer))
        return answer

    @asynccontextmanager
    async def unnoticed(self, what: str) -> AsyncIterator[None]:
        """Raise `Leak` when the block changes a row of the victim's or makes one of its sockets hear anything."""
        before, heard = await self.world.victims_rows(), self.world.victim.heard()
        yield
        unchanged(what, before, await self.world.victims_rows())
        if self.world.victim.heard() != heard:
            raise Leak(f"{what}: another tenant's sockets heard of it: {self._last_event()}")

    async def try_all(self, operation: Operation, tries: list[Try]) -> None:
        """Sweep one operation. Raises `Leak`."""
        method, template = operation
        for each in tries:
            for caller, expect in each.callers():
                await self.world.stock_up()
                async with self.unnoticed(f"{method} {template} as {caller}"):
                    for slots in choices(each.slots()):
                        await self._try(method, each, caller, expect, slots)
                    await self._twin(method, each, caller, expect)

    async def _try(self, method: str, each: Try, caller: str, expect: Expect, slots: Slots) -> None:
        world = self.world
        foreign = world.bystander if method == READS else world.take_foreign()
        nothing = world.take_none(foreign)
        own = world.reader if method == READS else None
        theirs = await self._send(method, each, caller, await self._around(each.slots(), foreign, slots, own))
        none = await self._send(method, each, caller, await self._around(each.slots(), nothing, slots, own))
        what = f"{method} {each.path(foreign)} as {caller} with their {' and '.join(sorted(slots))}"
        same(what, theirs, none)
        wanted = expect.status(slots)
        if theirs.status != wanted:
            raise Leak(f"{what}: answered {theirs.status}, not {wanted}:\n{theirs}")

    async def _twin(self, method: str, each: Try, caller: str, expect: Expect) -> None:
        """With ids that both tenants have, a caller does what it wants to its own. That the request is answered so also
        proves that the ones before were refused for their ids, not for their form."""
        kit = self.world.double if method == READS else self.world.take_twin()
        answer = await self._send(method, each, caller, kit)
        if answer.status != expect.twin:
            raise Leak(f"{method} {each.path(kit)} as {caller}: answered {answer.status}, not {expect.twin}:\n{answer}")

    async def _around(self, used: Slots, strange: Kit, slots: Slots, own: Kit | None = None) -> Kit:
        """The strange ids in these slots, the stranger's own in the others."""
        return strange if used == slots else mix(own or await self.world.take_own(), strange, slots)

    async def _send(self, method: str, each: Try, caller: str, kit: Kit) -> Answer:
        body = each.body(kit) if each.body else None
        # What only a server may name is left out by a user who names itself.
        if caller == "user" and isinstance(body, dict) and body.get("user_id") == PERSON:
            del body["user_id"]
        said = sent(kit, each.slots())
        return await self.ask(
            method, each.path(kit), bearer=self.bearers[caller], body=body, said=said, varies=each.varies
        )

    # -- credentials ---------------------------------------------------------------------------------------------------

    async def knock_all(self, operation: Operation, tries: list[Try]) -> None:
        """Try the victim's things with every credential that a stranger can make. Raises `Leak` unless each gets the
        401 that it would get for an app that does not exist."""
        world = self.world
        victim, own = world.victim.tenant, world.stranger.tenant
        method, template = operation
        # A customer holds its own signing keys, so it can sign whatever it likes with them. What it knows of another
        # app is the id and the publishable key, both of which are in every page that uses the app.
        signing = own.snapshot.signing_keys[0]
        renamed = SigningKey(kid="other", algorithm="HS256", key=signing.key)
        apps = (victim.snapshot.app_id, world.installation.ids.new("app"))
        pairs = {
            "a token signed with one's own key": [world.forged(app, signing) for app in apps],
            "a token signed with a key of another name": [world.forged(app, renamed) for app in apps],
            "a publishable key": [victim.publishable_key, keys.generate("pk")],
            "a refresh token": [world.victims_refresh_token, str(generate(world.victim.app_id))],
        }
        async with self.unnoticed(f"{method} {template}"):
            for each in tries:
                for kind, (theirs, nothing) in pairs.items():
                    answers = [await self._knock(method, each, bearer) for bearer in (theirs, nothing)]
                    what = f"{method} {template} with {kind}"
                    same(what, *answers)
                    if answers[0].status != 401:
                        raise Leak(f"{what}: answered {answers[0].status}, not 401:\n{answers[0]}")

    async def _knock(self, method: str, each: Try, bearer: str) -> Answer:
        kit = self.world.bystander
        return await self.ask(method, each.path(kit), bearer=bearer, body=each.body(kit) if each.body else None)

    # -- events --------------------------------------------------------------------------------------------------------

    async def emit_all(self, event: str, tries: list[Emit], wire: Wire) -> None:
        """Sweep one socket event. Raises `Leak`."""
        for each in tries:
            await self.world.stock_up()
            async with self.unnoticed(event):
                for slots in choices(each.slots()):
                    await self._emit_try(event, each, slots, wire)
                kit = self.world.take_twin()
                await self._emit(event, each, kit, wire, each.twin)

    async def _emit_try(self, event: str, each: Emit, slots: Slots, wire: Wire) -> None:
        foreign = self.world.take_foreign()
        wanted = each.code(slots)
        answers = [
            await self._emit(event, each, await self._around(each.slots(), kit, slots), wire, wanted)
            for kit in (foreign, self.world.take_none(foreign))
        ]
        what = f"{event} {each.payload(foreign)} with their {' and '.join(sorted(slots))}"
        same(what, Answer(0, (), answers[0]), Answer(0, (), answers[1]))

    async def _emit(self, event: str, each: Emit, kit: Kit, wire: Wire, wanted: str | None) -> str:
        payload = each.payload(kit)
        text = mask(await wire.call(event, payload), sent(kit, each.slots()))
        no_canary(f"{event} {payload}", text)
        error = orjson.loads(text.replace("<", "").replace(">", ""))[0].get("error")
        code = error["code"] if error else None
        if code != wanted:
            raise Leak(f"{event} {payload}: answered {code}, not {wanted}: {text}")
        return text

    async def silence(self) -> None:
        """Raise `Leak` when one of the victim's sockets hears anything while every follower looks twice, or when one of
        the stranger's has heard the victim's content."""
        heard = self.world.victim.heard()
        await asyncio.sleep(FOLLOWED)
        if self.world.victim.heard() != heard:
            raise Leak(f"another tenant's sockets heard of what a stranger did: {self._last_event()}")
        for wire in self.world.stranger.sockets:
            for frame in wire.frames:
                no_canary("a stranger's socket", frame)

    def _last_event(self) -> str:
        return " and ".join(wire.events[-1][:300] for wire in self.world.victim.sockets if wire.events)
