"""A real HTTP server before a node, which does to each answer what it is told to."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final, Self

import httpx

LOSE: Final = "lose"
"""The node does it, and the line breaks before the answer."""
HANG: Final = "hang"
"""The node does it, and the answer never comes."""
RESET: Final = "reset"
"""The line breaks before the node hears of it."""
PASS: Final = "pass"


@dataclass(frozen=True)
class Say:
    """Answer this, and tell the node nothing."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Front:
    """`async with Front(node_url) as front`: an address that passes requests on, each as the next of `faults` says."""

    def __init__(self, node_url: str) -> None:
        self._node_url = node_url
        self.faults: list[str | Say] = []
        self.seen: list[Seen] = []
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(base_url=self._node_url, trust_env=False)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await self._http.aclose()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self._one(reader, writer)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.seen.append(Seen(method, path, headers, body))
        fault = self.faults.pop(0) if self.faults else PASS
        if fault == RESET:
            writer.transport.abort()
            return
        if isinstance(fault, Say):
            answer = httpx.Response(fault.status, headers=fault.headers, text=fault.body)
        else:
            kept = {name: value for name, value in headers.items() if name not in ("host", "connection")}
            answer = await self._http.request(method, path, headers=kept, content=body)
        if fault == LOSE:
            writer.transport.abort()
        elif fault != HANG:
            said = {name: value for name, value in answer.headers.items() if name not in ("content-length", "date")}
            lines = [f"HTTP/1.1 {answer.status_code} X", *(f"{name}: {value}" for name, value in said.items())]
            writer.write(
                "\r\n".join([*lines, f"content-length: {len(answer.content)}", "", ""]).encode() + answer.content
            )
