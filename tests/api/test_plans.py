"""Statements of the calls that clients make most: their plans are kept in `plans/`, and none reads more than it
gives, however many messages, channels, members and users there are.

`NATTER_TEST_RECORD=1` writes the plans anew. They are PostgreSQL 18's.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.api.house import bearer
from tests.api.line import Line
from tests.api.plans import Explained, drawn, rows_read
from tests.api.test_budget import enlarge
from tests.api.test_sweep import furnish
from tests.api.wire import request
from tests.clients.conftest import WIDE
from tests.engines import Engines

Plans = dict[str, dict[str, dict[str, Any]]]
"""The statements of each call, and the plan of each."""
SHOWN = 80
"""Characters of a statement."""
KEPT = Path(__file__).parent / "plans"
SIZE = 5_000
"""Messages and members of the channel that is asked about, channels of its user, users."""
PAGE = 120
"""Rows of a table that a page may cost: 50 or 100 to show, and one to know whether there are more."""
ALL_OF_THEM = {
    ("connect", "members"): "the channels of a user, whose events it is to hear",
    ("connect", "log_heads"): "where each of them stands",
    ("sync", "members"): "a first look gives all channels of a user",
    ("sync", "channels"): "the same",
    ("sync", "log_heads"): "the same",
    ("getUnread", "members"): "a total is over all channels of a user",
    ("getUnread", "log_heads"): "the same",
    ("channel.watch", "members"): "how many members have read the newest message, at most once a second",
}
"""Where more than a page is what was asked for."""
THEIRS = {("channel.watch", "members"): "select count(*) filter (where m.read_number"}
"""Where one statement of a call is excused, how it begins; the call's others are not."""
BACKGROUND = (
    "from chat.commits where xid",
    "tokens_valid_after >=",
    "from chat.blocks where changed_at",
    "from chat.channels where slow_mode",
    "from chat.outbox",
    "from chat.usage_outbox",
    "chat.app_snapshots",
    "chat.usage_samples",
    "insert into chat.presence",
    "from unnest($1::uuid[], $2::text[]) x(app_id, user_id)",
)
"""What a node asks by itself, whoever calls."""
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "connect": ("", {}),
    "message.send": ("message.send", {"channel_id": "general", "text": "Hello"}),
    "message.send to a role": (
        "message.send",
        {"channel_id": "general", "text": "Hello", "mentions": {"roles": ["moderator"]}},
    ),
    "channel.watch": ("channel.watch", {"channel_id": "general"}),
    "receipt.read": ("receipt.read", {"channel_id": "general", "number": 40}),
    "sync": ("GET /v1/sync", {}),
    "listMessages": ("GET /v1/channels/general/messages?limit=50", {}),
    "listMessages before": ("GET /v1/channels/general/messages?limit=50&before=2500", {}),
    "listChannels": ("GET /v1/channels", {}),
    "listMembers": ("GET /v1/channels/general/members", {}),
    "getUnread": ("GET /v1/unread", {}),
}

pytestmark = pytest.mark.skipif("NATTER_TEST_POSTGRES" in os.environ, reason="the kept plans are PostgreSQL 18's")


@pytest.fixture(scope="module")
def house(engines: Engines, free_ports: Callable[[int], list[int]]) -> Iterator[Explained]:
    house = Explained(engines, free_ports)
    with house.listening():
        house.open()
        yield house
        house.close()


@pytest.fixture(scope="module")
async def plans(house: Explained) -> AsyncIterator[Plans]:
    """The plans of each call."""
    tenant = await house.on_loop(house.installation.tenant(limits=WIDE))
    await house.on_loop(furnish(tenant))
    await enlarge(house, tenant, SIZE)
    superuser = await house.chat.connect()
    await superuser.execute(
        "update chat.log_heads h set member_count = (select count(*) from chat.members m where m.app_id = h.app_id "
        "and m.channel_id = 'general') where h.log = 'c:general'"
    )
    await superuser.execute("analyze")
    await superuser.close()
    token = house.token(tenant, "ada")
    await call_all(house, token)  # connections are opened, types looked up, statements prepared
    yield await call_all(house, token)
    await house.on_loop(tenant.close())


async def call_all(house: Explained, token: str) -> Plans:
    found: Plans = {}
    line = None
    for name, (call, payload) in CALLS.items():
        house.take()
        if line is None:
            line = await Line.connected(house.url, token)
        elif payload:
            answer = await line.ask(call, orjson.dumps(payload))
            assert answer and "error" not in answer, (name, answer)
        else:
            method, path = call.split()
            said = await request(house.url, method, path, [*bearer(token).items()], None)
            assert said.status == 200, (name, said)
        await asyncio.sleep(0.05)  # notices of what was committed after the answer
        found[name] = {
            query: plan for query, plan in house.take().items() if not any(part in query for part in BACKGROUND)
        }
    assert line is not None
    await line.close()
    return found


@pytest.mark.parametrize("name", CALLS)
def test_a_calls_plans_are_those_that_are_kept(plans: Plans, name: str) -> None:
    told = "\n".join(
        "\n".join((query[:SHOWN], *("  " + line for line in drawn(plan)), ""))
        for query, plan in sorted(plans[name].items())
    )
    file = KEPT / f"{name.replace(' ', '-')}.txt"
    if "NATTER_TEST_RECORD" in os.environ:
        KEPT.mkdir(exist_ok=True)
        file.write_text(told)
    assert told == file.read_text(), f"NATTER_TEST_RECORD=1 writes {file.name} anew, if this is as good"


@pytest.mark.parametrize("name", CALLS)
def test_a_call_reads_what_it_gives(plans: Plans, name: str) -> None:
    assert plans[name]
    assert too_many(plans, name) == []


def too_many(plans: Plans, name: str) -> list[str]:
    """Tables of which a call read more rows than it may."""
    return [
        f"{rows:,} rows of {table}: {query}"
        for query, plan in plans[name].items()
        for table, rows in rows_read(plan).items()
        if rows > PAGE and ((name, table) not in ALL_OF_THEM or not query.startswith(THEIRS.get((name, table), "")))
    ]


async def test_a_look_from_end_to_end_is_noticed(house: Explained, plans: Plans) -> None:
    pool = await house.on_loop(house.node.node.shard.system.pool())
    house.take()
    await house.on_loop(pool.fetch("select seq from chat.messages where number = $1", 7))
    planted = {"planted": house.take()}
    assert too_many(planted, "planted")


def test_what_is_excused_is_used(plans: Plans) -> None:
    read = {(name, table) for name in plans for plan in plans[name].values()
            for table, rows in rows_read(plan).items() if rows > PAGE}  # fmt: skip
    assert set(ALL_OF_THEM) <= read
