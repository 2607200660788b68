"""Finds the owner of a session and passes its requests on; see the package."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from data_plane.gateway.peers.directory import Directory
from data_plane.gateway.peers.exchange import CONNECT_SECONDS, Answer, NoAnswer, Unreachable, ask, split_address
from data_plane.gateway.peers.handover import Handover
from data_plane.gateway.peers.hops import HEADER, Hops, Way
from data_plane.gateway.peers.place import Place, place_of
from data_plane.gateway.peers.tunnel import Tunnel
from kernel.logging import get_logger

RELEASE_PERIOD: Final = 1.0
"""A node that drains has polls which it passes on answered this often (seconds), so that they come back elsewhere."""

METRICS: Final = "metrics"
"""What a worker's proof is for when it asks another for its metrics, in the place of a session."""
METRICS_SECONDS: Final = 2.0

_KEPT: Final = (b"content-type", b"cache-control", b"access-control-allow-origin", b"retry-after")
_log = get_logger(__name__)


class Router:
    """One process's.

    `folder`: where this node's workers keep their sockets; null when there is one worker. `path`: where sessions are
    served.
    """

    def __init__(self, here: Place, directory: Directory, hops: Hops, *, folder: Path | None, path: str) -> None:
        self.here = here
        self.hops = hops
        self.directory = directory
        self._folder = folder
        self._path = path.encode()
        self._polls: dict[int, tuple[str, str, Way]] = {}
        self._tunnels: dict[Tunnel, tuple[str, str]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._handover: Handover | None = None

    # -- the process's life ------------------------------------------------------------------------------------------

    def open(self, accept: Callable[[], Any]) -> None:
        """Take connections that other workers give. `accept` makes the protocol of one."""
        if self._folder is not None:
            self._handover = Handover(self._folder, self.here.worker, accept)
            self._handover.open()

    def close(self) -> None:
        """Take no more, and cut what still passes through."""
        if self._handover is not None:
            self._handover.close()
        for tunnel in list(self._tunnels):
            tunnel.cut()

    @property
    def passing(self) -> int:
        """Polls and WebSockets of others' sessions that pass through this process."""
        return len(self._polls) + len(self._tunnels)

    async def drain(self, rate: float) -> None:
        """Have the clients whose requests pass through here come back elsewhere, so many a second. Runs for ever."""
        for place, (sid, address) in enumerate(list(self._tunnels.values())):
            await self._tell(address, sid, "node", b"leave=%d" % round(1000 * place / rate))
        while True:
            for sid, address, way in list(self._polls.values()):
                await self._tell(address, sid, way, b"release=1")
            await asyncio.sleep(RELEASE_PERIOD)

    # -- requests ----------------------------------------------------------------------------------------------------

    def is_elsewhere(self, sid: str, hop: Way | None) -> bool:
        """Whether a request of a session that is not here may be passed on, after the step that it has taken."""
        owner = place_of(sid)
        if owner is None or owner == self.here:
            return False
        if owner.tag == self.here.tag:
            return hop != "worker" and self._folder is not None
        return hop is None

    async def pass_on(self, sid: str, method: str, query: bytes, body: bytes) -> Answer | None:
        """A poll's request to the session's owner; its answer, or null when the owner is gone."""
        while (found := await self._address(sid)) is not None:
            address, way = found
            number = id(asyncio.current_task())
            if method == "GET":
                self._polls[number] = (sid, address, way)
            try:
                headers = [(HEADER, self.hops.prove(way, sid)), (b"content-type", b"text/plain;charset=UTF-8")]
                answer = await ask(address, method, self._path + b"?" + query, headers, body)
                return answer._replace(headers=[header for header in answer.headers if header[0] in _KEPT])
            except Unreachable as error:
                if await self._moved(sid, address, way):
                    continue
                _log.info("peers.owner_gone", error=str(error))
            except NoAnswer as error:
                _log.info("peers.owner_gone", error=str(error))
            finally:
                self._polls.pop(number, None)
            return None
        return None

    async def metrics_of(self, worker: int) -> tuple[int, bytes | None]:
        """Another worker of this node, and its own metrics; null when it does not answer."""
        try:
            proof = (HEADER, self.hops.prove("worker", METRICS))
            async with asyncio.timeout(METRICS_SECONDS):
                answer = await ask(f"unix:{self._folder}/{worker}.http", "GET", b"/metrics", [proof])
        except (NoAnswer, TimeoutError):
            return worker, None
        return worker, answer.body if answer.status == 200 else None

    def pass_on_upgrade(self, sid: str, transport: Any, head: bytes, refuse: Callable[[Any], None]) -> None:
        """A WebSocket to the session's owner. `refuse(transport)` answers the client when the owner is gone."""
        transport.pause_reading()
        task = asyncio.create_task(self._upgrade(sid, transport, head, refuse))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- inside ------------------------------------------------------------------------------------------------------

    async def _upgrade(self, sid: str, transport: Any, head: bytes, refuse: Callable[[Any], None]) -> None:
        owner = place_of(sid)
        if owner is not None and owner.tag == self.here.tag and self._handover is not None:
            if await self._handover.give(owner.worker, transport, head):
                return
        else:
            while (found := await self._address(sid)) is not None:
                if await self._tunnelled(sid, transport, head, found[0]):
                    return
                if not await self._moved(sid, *found):
                    break
        refuse(transport)

    async def _tunnelled(self, sid: str, transport: Any, head: bytes, address: str) -> bool:
        """Pass everything there and back until the end; false when nobody is there."""
        tunnel = Tunnel(transport)
        self._tunnels[tunnel] = (sid, address)
        try:
            host, port = split_address(address)
            await tunnel.open(host, port, self._marked(head, sid), seconds=CONNECT_SECONDS)
            await tunnel.over.wait()
            return True
        except (OSError, ValueError) as error:
            _log.info("peers.owner_gone", error=repr(error))
            return False
        finally:
            del self._tunnels[tunnel]

    async def _moved(self, sid: str, address: str, way: Way) -> bool:
        owner = place_of(sid)
        return owner is not None and way == "node" and await self.directory.moved(owner.tag, address)

    def _marked(self, head: bytes, sid: str) -> bytes:
        """The head with our proof, and none that the client sent."""
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(HEADER + b":")]
        lines.insert(1, HEADER + b": " + self.hops.prove("node", sid))
        return b"\r\n".join(lines)

    async def _address(self, sid: str) -> tuple[str, Way] | None:
        owner = place_of(sid)
        if owner is None:
            return None
        if owner.tag == self.here.tag and self._folder is not None:
            return f"unix:{self._folder / f'{owner.worker}.http'}", "worker"
        address = await self.directory.address_of(owner.tag)
        return (address, "node") if address is not None else None

    async def _tell(self, address: str, sid: str, way: Way, what: bytes) -> None:
        target = self._path + b"?EIO=4&transport=polling&sid=%b&%b" % (quote(sid, safe="").encode(), what)
        try:
            await ask(address, "POST", target, [(HEADER, self.hops.prove(way, sid))])
        except NoAnswer as error:
            _log.info("peers.owner_gone", error=str(error))
