"""The realtime client: whatever breaks, what it hears is whole and in order, and what it says is there once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from data_plane.sync.cursor import Cursor
from natter import AsyncNatter, ConnectionFailed, Retry, errors, new_message_id
from natter.realtime import RealtimeClient, RealtimeEvent
from natter.realtime._events import Logs
from tests.clients.installation import Installation, RunningNode, Tenant
from tests.clients.line import Line


class Listener:
    """A client, and all that it has heard."""

    def __init__(self, chat: RealtimeClient) -> None:
        self.chat = chat
        self.events: list[RealtimeEvent] = []
        self.failed: BaseException | None = None
        self._more = asyncio.Condition()
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        try:
            async for event in self.chat.events():
                async with self._more:
                    self.events.append(event)
                    self._more.notify_all()
        except Exception as error:
            self.failed = error
        async with self._more:
            self._more.notify_all()

    async def until(self, true: Callable[[], Any]) -> None:
        """Wait for what must come."""
        async with asyncio.timeout(15), self._more:
            await self._more.wait_for(true)

    async def readies(self, count: int) -> None:
        await self.until(lambda: len(self.of("connection.ready")) >= count)

    def of(self, kind: str) -> list[RealtimeEvent]:
        return [event for event in self.events if event.type == kind]

    @property
    def texts(self) -> list[str]:
        return [event.message.text for event in self.of("message.created")]


@pytest.fixture
async def line(installation: Installation, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Line]:
    """A line to the node that can be cut."""
    line = await Line(installation.nodes[0].port).start(free_ports(1)[0])
    yield line
    await line.stop()


@pytest.fixture
async def stack() -> AsyncIterator[contextlib.AsyncExitStack]:
    async with contextlib.AsyncExitStack() as stack:
        yield stack


async def until(true: Callable[[], Any]) -> None:
    """Wait for what must come, where no event tells of it."""
    async with asyncio.timeout(15):
        while not true():
            await asyncio.sleep(0.01)


async def quick(_: float) -> None:
    """A wait that takes next to no time."""
    await asyncio.sleep(0.01)


async def test_a_bot_hears_and_answers(natter: AsyncNatter, tenant: Tenant) -> None:
    await tenant.channel("general", "bot", "ada")
    async with natter.for_user("bot").realtime() as chat:
        listener = Listener(chat)
        await natter.for_user("ada").messages.send("general", text="Hello, bot")
        await listener.until(lambda: listener.texts == ["Hello, bot"])
        event = listener.of("message.created")[0]
        assert (event.channel_id, event.actor, event.extra) == ("general", "ada", {})
        answer = await chat.send("general", text="Hello, Ada", mentions={"users": ["ada"]}, quoted_id=event.message.id)
        assert answer.user_id == "bot"
        assert (await chat.edit(answer.id, text="Hello, Ada!")).text == "Hello, Ada!"
        assert (await chat.react(event.message.id, "👍")).reactions == {"👍": 1}
        assert (await chat.unreact(event.message.id, "👍")).reactions == {}
        await chat.mark_read("general")
        assert (await chat.watch("general"))["channel"]["id"] == "general"
        await chat.start_typing("general")
        await chat.stop_typing("general")
        await chat.unwatch("general")
        assert (await chat.delete(answer.id)).deleted_at is not None
        await listener.until(lambda: listener.of("message.deleted"))
        with pytest.raises(errors.NotFound):
            await chat.send("nowhere", text="Hello?")
        with pytest.raises(errors.UnknownEvent):
            await chat.call("no.such.event")
    await listener.task
    assert listener.failed is None
    with pytest.raises(ConnectionFailed):
        await chat.send("general", text="Too late")


async def test_cuts_lose_nothing_and_double_nothing(
    natter: AsyncNatter, tenant: Tenant, line: Line, stack: contextlib.AsyncExitStack
) -> None:
    await tenant.channel("general", "bot", "ada")
    ada, token = natter.for_user("ada"), tenant.token("bot")
    chat = await stack.enter_async_context(RealtimeClient(line.url, lambda: token, sleep=quick))
    listener = Listener(chat)
    said = 0
    for round in range(4):
        for _ in range(5):
            await ada.messages.send("general", text=f"m{said}")
            said += 1
        line.cut()
        for _ in range(5):
            await ada.messages.send("general", text=f"m{said}")
            said += 1
        line.mend()
        await listener.readies(round + 2)
    await listener.until(lambda: f"m{said - 1}" in listener.texts)
    assert listener.texts == [f"m{number}" for number in range(said)]
    seqs = [event.seq for event in listener.events if event.channel_id == "general"]
    assert seqs == list(range(seqs[0] or 0, (seqs[0] or 0) + len(seqs)))
    assert [event.data["recovered"] for event in listener.of("connection.ready")][1:] == [True] * 4


async def test_sends_while_the_line_breaks_are_stored_once(
    natter: AsyncNatter, tenant: Tenant, line: Line, stack: contextlib.AsyncExitStack
) -> None:
    await tenant.channel("general", "bot")
    token = tenant.token("bot")
    chat = await stack.enter_async_context(RealtimeClient(line.url, lambda: token, sleep=quick))
    listener = Listener(chat)
    sends = [asyncio.create_task(chat.send("general", text=f"m{number}")) for number in range(150)]
    for round in range(3):
        await listener.until(lambda round=round: len(listener.texts) > 20 * round)  # type: ignore[misc]
        line.cut()
        line.mend()
        await listener.readies(round + 2)
    await asyncio.gather(*sends)
    stored = [message.text async for message in natter.messages.iter("general")]
    assert sorted(stored) == sorted(f"m{number}" for number in range(150))
    await listener.until(lambda: len(listener.texts) == 150)
    assert listener.texts == stored


async def test_a_token_is_renewed_before_it_ends(tenant: Tenant, url: str, stack: contextlib.AsyncExitStack) -> None:
    await tenant.channel("general", "bot")
    asked: list[str] = []

    def token() -> str:
        asked.append(tenant.token("bot", seconds=60 if not asked else 600))
        return asked[-1]

    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0 if len(waits) == 1 else 3600)

    chat = await stack.enter_async_context(RealtimeClient(url, token, refresh_before=60, sleep=sleep))
    listener = Listener(chat)
    await until(lambda: len(waits) == 2)
    assert len(asked) == 2
    assert 0 < waits[0] <= 30, "half of a life that is no longer than a minute"
    assert 300 < waits[1] <= 540, "a minute before the end of a longer one"
    await chat.send("general", text="Still here")
    await listener.until(lambda: listener.texts == ["Still here"])
    assert len(listener.of("connection.ready")) == 1


async def test_a_token_that_ends_anyway_is_followed_by_a_fresh_one(
    natter: AsyncNatter, tenant: Tenant, url: str, stack: contextlib.AsyncExitStack
) -> None:
    await tenant.channel("general", "bot", "ada")
    asked: list[str] = []

    def token() -> str:
        if len(asked) == 1:
            asked.append("")
            raise OSError("the token service is away")  # at the refresh
        asked.append(tenant.token("bot", seconds=1 if not asked else 600))
        return asked[-1]

    chat = await stack.enter_async_context(RealtimeClient(url, token, refresh_before=0.5, random=lambda: 0.0))
    listener = Listener(chat)
    await natter.for_user("ada").messages.send("general", text="before")
    await until(lambda: len(asked) >= 3)
    await natter.for_user("ada").messages.send("general", text="after")
    await listener.until(lambda: "after" in listener.texts)
    assert listener.texts == ["before", "after"]


async def test_an_end_for_good_is_an_error_and_nobody_comes_back(
    natter: AsyncNatter, tenant: Tenant, url: str, stack: contextlib.AsyncExitStack
) -> None:
    await tenant.channel("general", "bot")
    chat = await stack.enter_async_context(RealtimeClient(url, tenant.token("bot")))
    listener = Listener(chat)
    await listener.readies(1)
    await natter.tokens.revoke("bot")
    await listener.until(lambda: listener.failed is not None)
    assert isinstance(listener.failed, errors.TokenRevoked)
    with pytest.raises(errors.TokenRevoked):
        await chat.send("general", text="Hello?")


async def test_a_refusal_is_raised_where_one_connects(tenant: Tenant, url: str) -> None:
    for token, kind in (("garbage", errors.TokenInvalid), (tenant.token("bot", seconds=-5), errors.TokenExpired)):
        with pytest.raises(kind):
            async with RealtimeClient(url, token):
                pass
    asked = []

    def source() -> str:
        asked.append("garbage")
        return "garbage"

    with pytest.raises(errors.TokenInvalid):
        async with RealtimeClient(url, source, sleep=quick):
            pass
    assert len(asked) == 3, "a source that brings nothing good is asked a few times, not for ever"
    with pytest.raises(errors.BadCursor):
        async with RealtimeClient(url, tenant.token("bot"), cursor="yesterday"):
            pass


async def test_an_address_where_nobody_is_is_an_error_in_time(tenant: Tenant, free_ports: Any) -> None:
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(ConnectionFailed, match=r"no connection within 0\.2 s"):
        async with RealtimeClient(nowhere, tenant.token("bot"), retry=Retry(total=0.2)):
            pass


async def test_another_process_goes_on_where_one_stopped(natter: AsyncNatter, tenant: Tenant, url: str) -> None:
    await tenant.channel("general", "bot", "ada")
    ada, token = natter.for_user("ada"), tenant.token("bot")
    async with RealtimeClient(url, token) as chat:
        listener = Listener(chat)
        await listener.readies(1)
        cursor = chat.cursor
        assert cursor is not None
    for number in range(3):
        await ada.messages.send("general", text=f"m{number}")
    async with RealtimeClient(url, token, cursor=cursor) as chat:
        listener = Listener(chat)
        await listener.until(lambda: listener.texts == ["m0", "m1", "m2"])
        await until(lambda: chat.cursor != cursor)


async def test_a_reader_that_is_slow_misses_nothing(natter: AsyncNatter, tenant: Tenant, url: str) -> None:
    await tenant.channel("general", "bot", "ada")
    ada, token = natter.for_user("ada"), tenant.token("bot")
    async with RealtimeClient(url, token, max_waiting=10, sleep=quick) as chat:
        for number in range(60):
            await ada.messages.send("general", text=f"m{number}")
        assert chat._queue.qsize() < 60, "it disconnected when nobody read"
        listener = Listener(chat)
        await listener.until(lambda: len(listener.texts) >= 60)
        assert listener.texts == [f"m{number}" for number in range(60)]
        assert len(listener.of("connection.ready")) > 1


async def test_a_cursor_of_another_life_of_the_logs_brings_fresh_state(
    natter: AsyncNatter, tenant: Tenant, line: Line, stack: contextlib.AsyncExitStack
) -> None:
    await tenant.channel("general", "bot", "ada")
    ada, token = natter.for_user("ada"), tenant.token("bot")
    await ada.messages.send("general", text="before")
    old = Cursor("s0", "before the restore", 1).encode()
    chat = await stack.enter_async_context(RealtimeClient(line.url, lambda: token, cursor=old, sleep=quick))
    listener = Listener(chat)
    await listener.readies(1)
    ready = listener.of("connection.ready")[0].data
    assert ready["recovered"] is False
    assert [channel["id"] for channel in ready["channels"]] == ["general"]
    await ada.channels.create(id="next", members=["bot"])
    await listener.until(lambda: listener.of("membership.added"))
    assert listener.of("membership.added")[0].seq == ready["own_seq"] + 1, "it says where the own log stands"
    await ada.messages.send("general", text="after")
    await listener.until(lambda: listener.texts)
    line.cut()
    line.mend()
    await listener.readies(2)
    await ada.messages.send("general", text="later")
    await listener.until(lambda: "later" in listener.texts)
    assert listener.texts == ["after", "later"]


def test_fresh_state_stands_in_the_place_of_what_was_heard() -> None:
    def event(seq: int | None, channel_id: str | None = "general", type: str = "message.created") -> RealtimeEvent:
        return RealtimeEvent(type=type, channel_id=channel_id, seq=seq)

    logs = Logs()
    assert [logs.is_new(event(seq)) for seq in (7, 7, 6, 8)] == [True, False, False, True]
    assert logs.is_new(event(1, None)) and logs.is_new(event(1, None, "grants.updated")), "each log counts for itself"
    assert logs.is_new(event(None)) and logs.is_new(event(None)), "what passes by is in no log"
    logs.start_anew([{"id": "general", "seq": 3}], 5)
    assert [logs.is_new(event(seq)) for seq in (3, 4)] == [False, True]
    assert [logs.is_new(event(seq, None)) for seq in (5, 6)] == [False, True]


async def stop(running: RunningNode) -> None:
    """As a node stops that says so shortly before."""
    await running.node.drain(0.3)
    await running.stop()


async def test_a_node_that_stops_is_left_for_the_next(
    natter: AsyncNatter, tenant: Tenant, installation: Installation, free_ports: Any
) -> None:
    await tenant.channel("general", "bot", "ada")
    ada, token = natter.for_user("ada"), tenant.token("bot")
    second = await installation.start_node(free_ports(1)[0])
    installation.nodes.remove(second)
    line = await Line(second.port).start(free_ports(1)[0])
    async with RealtimeClient(line.url, token) as chat:
        listener = Listener(chat)
        await ada.messages.send("general", text="before")
        await listener.until(lambda: listener.texts == ["before"])
        line.target = installation.nodes[0].port  # whoever connects from now on comes to the other node
        stopping = asyncio.create_task(stop(second))
        mine = new_message_id()
        assert (await chat.send("general", id=mine, text="meanwhile")).id == mine
        await listener.readies(2)
        await stopping
        await ada.messages.send("general", text="after")
        await listener.until(lambda: "after" in listener.texts)
    assert listener.texts == ["before", "meanwhile", "after"]
    await line.stop()


async def test_a_watched_channel_is_watched_again(
    natter: AsyncNatter, tenant: Tenant, line: Line, stack: contextlib.AsyncExitStack
) -> None:
    await tenant.channel("general", "bot", "ada")
    token = tenant.token("bot")
    chat = await stack.enter_async_context(RealtimeClient(line.url, lambda: token, sleep=quick))
    listener = Listener(chat)
    await chat.watch("general")
    line.cut()
    line.mend()
    await listener.readies(2)
    async with asyncio.timeout(10):
        while (await natter.presence.watchers("general")).count == 0 or not listener.of("event.sent"):
            await natter.channels.send_event("general", type="poll.opened", data={})
            await asyncio.sleep(0.02)


async def test_what_would_be_done_twice_is_not_sent_again(
    natter: AsyncNatter, tenant: Tenant, installation: Installation, free_ports: Any, stack: contextlib.AsyncExitStack
) -> None:
    await tenant.channel("general", "bot")
    token = tenant.token("bot")
    line = await Line(installation.nodes[0].port, delay=0.05).start(free_ports(1)[0])
    chat = await stack.enter_async_context(RealtimeClient(line.url, lambda: token, sleep=quick))
    connection = chat._connection
    assert connection is not None
    event = asyncio.create_task(chat.call("event.send", {"channel_id": "general", "type": "poll.opened"}))
    message = asyncio.create_task(chat.send("general", text="Hello"))
    while connection.waiting < 2:
        await asyncio.sleep(0)
    line.cut()  # both have left, and neither has arrived
    with pytest.raises(ConnectionFailed) as lost:
        await event
    assert lost.value.sent
    line.mend()
    sent = await message
    assert [item.id async for item in natter.messages.iter("general")] == [sent.id]
    await chat.aclose()
    await line.stop()
