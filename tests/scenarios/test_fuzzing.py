"""A client that sends nonsense, over WebSockets and polling, and one that chats meanwhile and must not notice."""

import asyncio
import os
import random
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

from kernel.ids import Ids
from tests.data_plane.gateway.raw import TEXT, Raw, frame, request
from tests.fuzz.seeds import SEEDS

SECONDS = float(os.environ.get("NATTER_FUZZ_SECONDS", "4"))
FUZZERS = 6
"""At once, on each transport."""
GROWTH_MB = 64
PATIENCE = 5.0
"""Seconds that the chatting client may wait for one answer on a busy machine."""


def mutated(rng: random.Random, seeds: list[bytes]) -> bytes:
    """A seed with a few bytes changed, cut, put in or repeated, or two seeds in one."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((0, 1, 1, 2, 5, 20))):
        at = rng.randrange(len(data) + 1)
        what = rng.randrange(6)
        if what == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            del data[at : at + rng.randrange(1, 9)]
        elif what == 2:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif what == 3:
            data[at:at] = bytes(data[at : at + 40]) * rng.choice((1, 3, 500))
        elif what == 4:
            data[at:] = rng.choice(seeds)
        else:
            data[at:at] = rng.choice((b"[", b'{"a":', b"\x1e", b"4", b"\xff")) * rng.choice((1, 40, 2_000))
    return bytes(data[:200_000])


class Fuzzer:
    """Sends until it is stopped; counts what it sent and how it was answered."""

    def __init__(self, url: str, token: str, seed: int) -> None:
        self.url, self.token, self.rng = url, token, random.Random(seed)
        self.sent = 0
        self.ended = 0
        self.answers: dict[int, int] = {}

    async def websockets(self) -> None:
        """One WebSocket after another, half of them authenticated."""
        port = urlsplit(self.url).port or 0
        while True:
            # Whatever the server does with such a connection is right, but for what the test looks at.
            with suppress(OSError, AssertionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(3):
                    await self._websocket(port)
            self.ended += 1

    async def _websocket(self, port: int) -> None:
        raw = await Raw.upgraded(port, request("/socket.io/"))
        try:
            if self.rng.random() < 0.6:
                raw.send(frame(TEXT, b"40" + orjson.dumps({"token": self.token})))
                while not (await raw.frame())[1].startswith(b'42["connection.ready"'):
                    pass
            while True:
                kind = self.rng.random()
                if kind < 0.5:
                    data = frame(TEXT, b"4" + mutated(self.rng, SEEDS["packet"])[:130_000])
                elif kind < 0.75:
                    data = mutated(self.rng, SEEDS["stream"])
                else:
                    data = b"".join(frame(TEXT, b"4" + mutated(self.rng, SEEDS["packet"])[:900]) for _ in range(20))
                cut = self.rng.randrange(len(data) + 1)
                raw.send(data[:cut])
                await raw.writer.drain()
                raw.send(data[cut:])
                await raw.writer.drain()
                self.sent += 1
                if self.rng.random() < 0.7:
                    await raw.reader.read(100_000)
                if raw.reader.at_eof():
                    return
        finally:
            raw.writer.transport.abort()

    async def polls(self) -> None:
        """One polling session after another."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=10) as http:
            while True:
                path = "/socket.io/?EIO=4&transport=polling"
                opened = await http.get(path)
                self._count(opened)
                if opened.status_code != 200:
                    await asyncio.sleep(0.05)
                    continue
                path += f"&sid={orjson.loads(opened.content[1:])['sid']}"
                if self.rng.random() < 0.6:
                    await http.post(path, content=b"40" + orjson.dumps({"token": self.token}))
                    self._count(await http.get(path))
                for _ in range(30):
                    seeds = SEEDS["polled"] + [b"4" + each for each in SEEDS["packet"]]
                    answer = await http.post(path, content=mutated(self.rng, seeds))
                    self._count(answer)
                    self.sent += 1
                    if answer.status_code != 200:
                        break
                self.ended += 1

    def _count(self, answer: httpx.Response) -> None:
        self.answers[answer.status_code] = self.answers.get(answer.status_code, 0) + 1


class Chat:
    """A user that sends, and hears what it sent."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.waits: list[float] = []
        self.heard: list[str] = []
        self.sent: list[str] = []
        self.ids = Ids()

    @classmethod
    async def begin(cls, url: str, token: str) -> "Chat":
        address = f"{url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket"
        chat = cls(await connect(address, proxy=None))
        await chat.socket.send("40" + orjson.dumps({"token": token}).decode())
        await chat.until('42["connection.ready"')
        return chat

    async def until(self, start: str) -> str:
        async with asyncio.timeout(PATIENCE):
            while True:
                said = await self.socket.recv()
                assert isinstance(said, str)
                if said == "2":
                    await self.socket.send("3")
                if said.startswith('42["message.created"'):
                    self.heard.append(orjson.loads(said[2:])[1]["data"]["message"]["text"])
                if said.startswith(start):
                    return said

    async def go_on(self, channel: str, over: asyncio.Event) -> None:
        """Send, and wait for each answer, until it is over."""
        while not over.is_set():
            text = f"message {len(self.sent)}"
            payload = {"channel_id": channel, "id": str(self.ids.uuid7()), "text": text}
            began = time.monotonic()
            await self.socket.send(f"42{len(self.sent)}" + orjson.dumps(["message.send", payload]).decode())
            answer = await self.until(f"43{len(self.sent)}[")
            assert '"error"' not in answer, answer
            self.waits.append(time.monotonic() - began)
            self.sent.append(text)
            await asyncio.sleep(0.02)


def resident_mb(pid: int) -> float:
    """A process's memory."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def failures(log: Path, start: int) -> list[str]:
    """What a node logged as an error since its log had that size."""
    lines = log.read_text(errors="replace")[start:].splitlines()
    return [line for line in lines if '"level":"error"' in line.replace(" ", "").lower() or "Traceback" in line]


@pytest.mark.scenario
@pytest.mark.timeout(180)
async def test_a_client_that_sends_nonsense_disturbs_nobody(whole: Any) -> None:
    url, process = whole.node_urls["n1"], whole.parts["n1"].child
    log = whole.folder / "n1.log"
    said = log.stat().st_size
    (tenant,) = await whole.tenants("fuzzed")
    async with httpx.AsyncClient(
        base_url=url, trust_env=False, headers={"authorization": f"Bearer {tenant.secret_key}"}
    ) as server:

        async def post(path: str, **body: Any) -> Any:
            answer = await server.post(path, json=body)
            assert answer.is_success, answer.text
            return answer.json()

        await post("/v1/users", users=[{"id": user} for user in ("ada", "eve")])
        await post("/v1/channels", id="general", members=["ada"], user_id="ada")
        await post("/v1/channels", id="eves", members=["eve"], user_id="eve")
        tokens = {
            user: (await post("/v1/tokens", user_id=user, expires_in=3600))["access_token"] for user in ("ada", "eve")
        }
    chat = await Chat.begin(url, tokens["ada"])
    seed = random.SystemRandom().randrange(10**6)
    fuzzers = [Fuzzer(url, tokens["eve"], seed + number) for number in range(2 * FUZZERS)]
    print(f"seed {seed}")

    async def disturb(seconds: float) -> None:
        tasks = [
            asyncio.create_task(fuzzer.websockets() if number % 2 else fuzzer.polls())
            for number, fuzzer in enumerate(fuzzers)
        ]
        over = asyncio.Event()
        chatting = asyncio.create_task(chat.go_on("general", over))
        done, _ = await asyncio.wait([*tasks, chatting], timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        over.set()
        await chatting
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    await disturb(SECONDS / 3)  # what a node needs once, such as code and buffers, is there afterwards
    before = resident_mb(process.pid)
    await disturb(SECONDS)
    after = resident_mb(process.pid)

    answers = {status for fuzzer in fuzzers for status in fuzzer.answers}
    print(
        f"{sum(f.sent for f in fuzzers)} sent on {sum(f.ended for f in fuzzers)} connections, "
        f"{before:.0f} to {after:.0f} MB, "
        f"{len(chat.sent)} messages, the slowest in {max(chat.waits):.2f} s, answers {answers}"
    )
    assert process.poll() is None
    assert failures(log, said) == []
    assert max(answers) < 500
    assert sum(f.sent for f in fuzzers) > 200
    assert sum(f.ended for f in fuzzers) > 20
    assert after - before < GROWTH_MB
    async with asyncio.timeout(PATIENCE):
        while chat.heard != chat.sent:
            await chat.until('42["message.created"')
    assert len(chat.sent) > 5, "each was answered and heard before the next"
    await chat.socket.close()
