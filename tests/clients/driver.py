"""Real clients in processes of their own, steered from tests: `Driver` is the process, `Client` one client in it."""

import asyncio
import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import schemas
from tests.clients import node_packages

PATIENCE = 40.0


class Client:
    """One client. `signals` is all that happened to it, in order; `events` what the server sent, `(name, payload)`."""

    def __init__(self, driver: "Driver", name: str, kind: str) -> None:
        self._driver = driver
        self.name = name
        self.kind = kind
        self.signals: list[dict[str, Any]] = []
        self.events: list[tuple[str, Any]] = []
        self._changed = asyncio.Event()

    def note(self, signal: dict[str, Any]) -> None:
        self.signals.append(signal)
        if signal["on"] == "event":
            self.events.append((signal["event"], signal.get("payload")))
            schemas.heard(signal["event"], signal.get("payload"))
        self._changed.set()

    async def call(self, event: str, **payload: Any) -> Any:
        """Send an event and return its acknowledgement."""
        answer = await self._driver.ask("emit", self.name, event=event, payload=payload)
        schemas.answered(event, answer)
        return answer

    async def send(self, channel_id: str, text: str, **more: Any) -> dict[str, Any]:
        """Send a message, which must succeed; returns it as acknowledged."""
        ack = await self.call("message.send", channel_id=channel_id, text=text, **more)
        assert "message" in ack, ack
        return ack["message"]  # type: ignore[no-any-return]

    async def burst(self, event: str, payloads: list[dict[str, Any]]) -> list[Any]:
        """Send many events at once and return the acknowledgements."""
        answers: list[Any] = await self._driver.ask("burst", self.name, event=event, payloads=payloads)
        for answer in answers:
            schemas.answered(event, answer)
        return answers

    async def send_binary(self, event: str) -> None:
        await self._driver.ask("binary", self.name, event=event)

    async def use_token(self, token: str) -> None:
        """The token for the next connect."""
        await self._driver.ask("token", self.name, token=token)

    async def close(self) -> None:
        await self._driver.ask("close", self.name)

    def seen(self, on: str) -> list[dict[str, Any]]:
        """The signals of one kind so far."""
        return [signal for signal in self.signals if signal["on"] == on]

    def received(self, *names: str) -> list[Any]:
        """The payloads of these events so far."""
        return [payload for name, payload in self.events if name in names]

    async def signal(self, on: str, count: int = 1) -> dict[str, Any]:
        """Wait for the n-th signal of a kind."""
        await self.until(lambda: len(self.seen(on)) >= count, f"{on} × {count}")
        return self.seen(on)[count - 1]

    async def event(self, name: str, count: int = 1) -> Any:
        """Wait for the n-th event of a name; returns its payload."""
        await self.until(lambda: len(self.received(name)) >= count, f"{name} × {count}")
        return self.received(name)[count - 1]

    async def until(self, holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Wait until something is so."""
        deadline = asyncio.get_running_loop().time() + patience
        while not holds():
            self._changed.clear()
            left = deadline - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                last = "\n".join(str(signal)[:300] for signal in self.signals[-15:])
                raise AssertionError(
                    f"{self.kind} {self.name} waited in vain for {what}; it last saw:\n{last}"
                ) from None


class Driver:
    """One process with any number of clients."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self._process = process
        self.name = name
        self._clients: dict[str, Client] = {}
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, name: str) -> "Driver":
        """`javascript` or `python`."""
        if name == "javascript":
            folder = await asyncio.to_thread(node_packages.installed)
            command = [str(node_packages.NODE), str(folder / "driver.mjs")]
        else:
            command = [sys.executable, str(Path(__file__).with_name("python_driver.py"))]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=2**26)
        return cls(process, name)

    async def ask(self, do: str, client: str, **more: Any) -> Any:
        """Give one command; its result, or `AssertionError` with what went wrong."""
        assert self._process.stdin is not None
        id = next(self._ids)
        self._asked[id] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"id": id, "do": do, "client": client, **more}).encode() + b"\n")
        answer = await asyncio.wait_for(self._asked[id], 60)
        assert "failed" not in answer, f"{do} of {client}: {answer['failed']}"
        return answer["ok"]

    async def open(self, url: str, kind: str = "", **command: Any) -> Client:
        """A client that begins to connect; nothing is waited for."""
        name = f"client-{next(self._ids)}"
        client = self._clients[name] = Client(self, name, kind)
        command.setdefault("options", {})
        opening = self.ask("open", name, url=url, **command)
        if self.name == "javascript":
            await opening
        else:  # its `connect` waits for the answer
            task = asyncio.create_task(opening)
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            client.opening = task  # type: ignore[attr-defined] - held, so that it is not collected
        return client

    async def close_clients(self) -> None:
        """End all clients."""
        clients, self._clients = self._clients, {}
        await asyncio.gather(*(self.ask("close", name) for name in clients))

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reader

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "on" in said:
                client = self._clients.get(said["client"])
                if client is not None:
                    client.note(said)
            elif (asked := self._asked.pop(said["id"], None)) is not None and not asked.done():
                asked.set_result(said)
        for future in self._asked.values():
            if not future.done():
                future.set_result({"failed": f"the {self.name} process ended"})
