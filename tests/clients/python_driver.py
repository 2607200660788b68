"""python-socketio's asyncio client, driven over standard input and output as `js/driver.mjs` is.

A process of its own, because python-engineio keeps limits on its classes, and a node changes those of its process.
"""

import asyncio
import json
import sys
from typing import Any

import socketio

STATES: dict[str, "State"] = {}


def say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class State:
    """One client."""

    def __init__(self, command: dict[str, Any]) -> None:
        self.name = command["client"]
        self.token, self.cursor, self.resume = command.get("token"), command.get("cursor"), command.get("resume")
        self.socket = socketio.AsyncClient()
        self.socket.on("connect", self.connected)
        self.socket.on("disconnect", self.disconnected)
        self.socket.on("connect_error", self.refused)
        self.socket.on("*", self.heard)

    async def auth(self) -> dict[str, Any]:
        """Asked again at each reconnect: a fresh token, and where to go on."""
        return {"token": self.token, **({"cursor": self.cursor} if self.cursor else {})}

    def tell(self, on: str, **more: Any) -> None:
        say(client=self.name, on=on, **more)

    async def connected(self) -> None:
        self.tell("connect", transport=self.socket.transport())

    async def disconnected(self, reason: str) -> None:
        self.tell("disconnect", reason=reason)

    async def refused(self, error: Any) -> None:
        known = error if isinstance(error, dict) else {"message": str(error)}
        self.tell("connect_error", message=known.get("message"), data=known.get("data"))

    async def heard(self, event: str, payload: Any = None) -> None:
        if self.resume and isinstance(payload, dict) and payload.get("cursor"):
            self.cursor = payload["cursor"]
        self.tell("event", event=event, payload=payload)

    async def open(self, url: str, options: dict[str, Any]) -> None:
        query = "&".join(f"{key}={value}" for key, value in options.get("query", {}).items())
        try:
            await self.socket.connect(
                f"{url}?{query}",
                headers=options.get("extraHeaders", {}),
                auth=self.auth,
                transports=options.get("transports"),
                namespaces=[options.get("namespace", "/")],
                wait_timeout=10,
            )
        except socketio.exceptions.ConnectionError as error:
            self.tell("failed", message=str(error))


async def run(command: dict[str, Any]) -> Any:
    if command["do"] == "open":
        state = STATES[command["client"]] = State(command)
        return await state.open(command["url"], command["options"])
    state = STATES[command["client"]]
    match command["do"]:
        case "emit":
            return await state.socket.call(command["event"], command["payload"], timeout=20)
        case "burst":
            calls = [state.socket.call(command["event"], payload, timeout=20) for payload in command["payloads"]]
            return await asyncio.gather(*calls)
        case "binary":
            return await state.socket.emit(command["event"], {"data": b"\1\2\3"})
        case "token":
            state.token = command["token"]
            return None
        case "close":
            socket = state.socket
            while socket._reconnect_task and not socket._reconnect_abort:
                await asyncio.sleep(0)  # `shutdown` wants what a reconnect makes when it begins
            closing = asyncio.ensure_future(socket.shutdown())
            while not closing.done():
                if socket._reconnect_abort:
                    socket._reconnect_abort.set()  # a reconnect that begins forgets that it was told to end
                await asyncio.wait([closing], timeout=0.05)
            return closing.result()
        case other:
            raise ValueError(other)


async def answer(command: dict[str, Any]) -> None:
    try:
        say(id=command["id"], ok=await run(command))
    except Exception as error:
        say(id=command["id"], failed=repr(error))


async def main() -> None:
    tasks = set()
    while line := await asyncio.to_thread(sys.stdin.readline):
        task = asyncio.create_task(answer(json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*(state.socket.shutdown() for state in STATES.values()), return_exceptions=True)


asyncio.run(main())
