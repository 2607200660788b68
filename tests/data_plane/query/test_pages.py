"""Pages of any query neither skip nor repeat what is there all the while, whatever is made and deleted meanwhile."""

import itertools
import random
from datetime import timedelta

import pytest

QUERIES = [
    {},
    {"sort": ["-id"]},
    {"sort": ["created_at"]},
    {"sort": ["-created_at"]},
    {"sort": ["-name", "created_at"]},
    {"sort": ["name"], "filter": {"custom.even": True}},
    {"filter": {"type": "team"}},
    {"filter": {"type": "team"}, "sort": ["created_at"]},
    {"filter": {"name": {"$autocomplete": "room"}}},
    {"filter": {"name": {"$autocomplete": "r"}}, "sort": ["-created_at"]},
    {"filter": {"custom.size": {"$gte": 3}}, "sort": ["-custom.size"]},
    {"filter": {"custom.size": {"$gte": 3}}, "sort": ["custom.size", "-name"]},
    {"filter": {"custom.size": 4}},
    {"filter": {"custom.size": {"$in": [1, 2, 3, 4]}}},
    {"filter": {"$or": [{"custom.size": {"$lt": 3}}, {"type": "team"}]}, "sort": ["-updated_at"]},
    {"filter": {"members": {"$contains": "ann"}}},
    {"filter": {"members": {"$contains": "ann"}}, "sort": ["-name"]},
]


class Rooms:
    """Channels come and go; `numbers` never ends."""

    def __init__(self, app, world, rng):
        self.app, self.world, self.rng = app, world, rng
        self.numbers = itertools.count(1)

    async def make(self):
        n = next(self.numbers)
        channel_id = f"{self.rng.choice('abcdz')}{n}"
        await self.app.make_channel(
            channel_id,
            "ann",
            type=self.rng.choice(["team", "group"]),
            name=self.rng.choice(["room one", "one room rooms", "Röm", "hall", None]),
            custom={"even": n % 2 == 0, "size": self.rng.randrange(6)},
        )
        if self.rng.random() < 0.5:
            self.world.clock.advance(timedelta(milliseconds=1))
        return channel_id


@pytest.mark.parametrize("as_user", [None, "ann"], ids=["server", "user"])
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: str(query)[:60])
async def test_pages_neither_skip_nor_repeat(app, world, run_jobs, query, as_user):
    rng = random.Random(str(query))
    rooms = Rooms(app, world, rng)
    await app.make_users("ann")
    await app.call("PUT", "/v1/indexes/channels/custom.size", {"type": "number"})
    await run_jobs()
    there = [await rooms.make() for _ in range(24)]
    passing = set(rng.sample(there, 8))

    async def page(**more):
        answer = await app.call("POST", "/v1/channels/query", {**query, **more}, as_user=as_user)
        assert answer.status_code == 200, answer.text
        return [channel["id"] for channel in answer.json()["channels"]], answer.json()["next_cursor"]

    whole, end = await page(limit=100)
    assert end is None
    seen, cursor = [], None
    gone = set()
    while True:
        ids, cursor = await page(limit=rng.randint(2, 6), **({"cursor": cursor} if cursor else {}))
        seen += ids
        if cursor is None:
            break
        await rooms.make()
        if passing:
            # Also the very one that the cursor stands at.
            victim = ids[-1] if ids[-1] in passing else passing.pop()
            passing.discard(victim)
            gone.add(victim)
            await app.call("DELETE", f"/v1/channels/{victim}")
    stayed = [channel_id for channel_id in whole if channel_id not in gone]
    assert len(stayed) > 1
    assert len(seen) == len(set(seen)), "repeated"
    assert [channel_id for channel_id in seen if channel_id in set(stayed)] == stayed, "skipped, or out of order"
