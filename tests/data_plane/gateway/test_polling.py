"""Requests of a poll that come again: what clients and balancers do by themselves when a kept connection is reset."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import orjson
import pytest

from data_plane.gateway.engineio.protocol import Limits
from tests.data_plane.gateway.echoes import Echo, Served, serving

POLLING = {"EIO": "4", "transport": "polling"}


class Poller:
    """One client's requests by hand."""

    def __init__(self, http: httpx.AsyncClient, sid: str, echo: Echo, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        """The server's."""
        self._http = http
        self._sid = sid
        self.echo = echo

    async def get(self, mark: str | None) -> str:
        return (await self._answer("GET", mark)).text

    async def post(self, mark: str | None, body: str) -> str:
        return (await self._answer("POST", mark, body)).text

    async def _answer(self, method: str, mark: str | None, body: str = "") -> httpx.Response:
        query = {**POLLING, "sid": self._sid, **({"t": mark} if mark is not None else {})}
        answer = await self._http.request(method, "/engine.io/", params=query, content=body)
        assert answer.status_code == 200, answer.text
        return answer


@pytest.fixture
async def poller(free_ports: Callable[[int], list[int]]) -> AsyncIterator[Poller]:
    (port,) = free_ports(1)
    with serving(port, "sockets", Limits()) as served:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            yield await opened(http, served)


async def opened(http: httpx.AsyncClient, served: Served) -> Poller:
    sid = orjson.loads((await http.get("/engine.io/", params={**POLLING, "t": "open"})).text[1:])["sid"]
    return Poller(http, sid, await served.echo(sid), served.loop)


async def test_what_a_poll_was_answered_is_answered_again(poller: Poller) -> None:
    await poller.post("p1", "4one\x1e4two")
    first = await poller.get("g1")
    await poller.post("p2", "4three")

    assert first == "4one\x1e4two"
    assert await poller.get("g1") == first, "its connection was reset: nobody knows whether it arrived"
    assert await poller.get("g2") == "4three"
    assert await poller.get("g2") == "4three"


async def test_what_a_request_brought_is_taken_once(poller: Poller) -> None:
    for _ in range(2):
        assert await poller.post("p1", "4one") == "ok"
    await poller.post("p2", "4one")

    assert poller.echo.heard == [b"one", b"one"]
    assert await poller.get("g1") == "4one\x1e4one"


async def test_requests_without_a_mark_are_all_different(poller: Poller) -> None:
    for mark in (None, None, "x" * 65, "x" * 65, "", ""):
        await poller.post(mark, "4one")
        assert await poller.get(mark) == "4one"
    assert len(poller.echo.heard) == 6


async def test_who_is_paused_waits_for_its_answer_and_can_be_told(poller: Poller) -> None:
    loop = poller.loop
    paused = asyncio.create_task(poller.post("p1", "4pause\x1e4on"))
    assert await poller.get("g1") == "4pause"
    assert not paused.done(), "the client's next request waits for this one"
    assert poller.echo.heard == [b"pause"], "and so does what came along with it"
    loop.call_soon_threadsafe(poller.echo.transport.resume)
    assert await paused == "ok"
    assert await poller.post("p2", "4on") == "ok"


async def test_who_is_closed_waits_no_more(poller: Poller) -> None:
    paused = asyncio.create_task(poller.post("p1", "4pause"))
    assert await poller.get("g1") == "4pause"
    poller.loop.call_soon_threadsafe(poller.echo.transport.close)
    assert await paused == "ok"
