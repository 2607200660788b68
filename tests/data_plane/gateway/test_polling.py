"""Requests of a poll that come again: what clients and balancers do by themselves when a kept connection is reset."""

from collections.abc import AsyncIterator, Callable

import httpx
import orjson
import pytest

from data_plane.gateway.engineio.protocol import Limits
from tests.data_plane.gateway.echoes import Echo, Served, serving

POLLING = {"EIO": "4", "transport": "polling"}


class Poller:
    """One client's requests by hand."""

    def __init__(self, http: httpx.AsyncClient, sid: str, echo: Echo) -> None:
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
    with serving(port, "uvloop", Limits()) as served:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            yield await opened(http, served)


async def opened(http: httpx.AsyncClient, served: Served) -> Poller:
    sid = orjson.loads((await http.get("/engine.io/", params={**POLLING, "t": "open"})).text[1:])["sid"]
    return Poller(http, sid, await served.echo(sid))


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
