"""Nodes as real processes, with workers, and a load balancer before them that knows nothing of sessions."""

import asyncio
import contextlib
import itertools
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from kernel.settings import Settings, ShardSettings
from ops.embedded.process import Child
from ops.environment import environment_of
from ops.nursery import BlockingNursery
from tests.clients.installation import Installation, Tenant
from tests.clients.line import Line


@dataclass
class NodeProcess:
    """`natter node` on one port."""

    name: str
    port: int
    nursery: BlockingNursery
    environment: dict[str, str]
    log: Path
    process: Child | None = None
    took: float = 0.0
    """Seconds that the last stop took."""
    codes: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = self.nursery.start(["node"], self.environment, self.log)

    async def ready(self) -> None:
        """Wait until every worker answers."""
        assert self.process is not None
        deadline = time.monotonic() + 30
        async with httpx.AsyncClient(trust_env=False) as http:
            good = 0
            while good < 8:  # each of these is a new connection, so all workers are asked
                assert self.process.poll() is None, self.log.read_text()[-3000:]
                assert time.monotonic() < deadline, self.log.read_text()[-3000:]
                try:
                    answer = await http.get(f"{self.url}/readyz", headers={"connection": "close"}, timeout=2)
                    good = good + 1 if answer.status_code == 200 else 0
                except httpx.HTTPError:
                    good = 0
                if not good:
                    await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.codes.append(await asyncio.to_thread(self.process.wait, 40))
        self.took = time.monotonic() - began

    def children(self) -> list[int]:
        """The workers' process ids."""
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Cluster(Installation):
    """Nodes of one shard in processes of their own. Tenants must be made before the nodes start."""

    def __init__(self, database_url: str, redis_url: str, folder: Path, nursery: BlockingNursery) -> None:
        super().__init__(database_url, redis_url)
        self.folder = folder
        self.nursery = nursery
        self.processes: list[NodeProcess] = []

    def add_node(self, port: int, *, workers: int = 1, **settings: Any) -> NodeProcess:
        """One more node, not started yet."""
        name = f"p{len(self.processes)}"
        wanted = Settings(
            data_dir=self.folder,
            master_key=self.vault_key,
            shards=(ShardSettings(id="s0", database_url=self._database_url, redis_url=self._redis_url),),
            control_url="http://127.0.0.1:1",
            node_name=name,
            node_port=port,
            credential="nk_none",
            workers=workers,
            **{"drain_seconds": 2.0, "database_pool": 4, **settings},
        )
        log = self.folder / f"{name}.log"
        self.processes.append(NodeProcess(name, port, self.nursery, environment_of(wanted), log))
        return self.processes[-1]

    async def start_all(self) -> None:
        for each in self.processes:
            each.start()
        await asyncio.gather(*(each.ready() for each in self.processes))

    async def tenant(self, **fields: Any) -> Tenant:
        made = await super().tenant(**fields)
        if self.processes:
            made.http.base_url = httpx.URL(self.processes[0].url)
        return made

    async def stop(self) -> None:
        for each in self.processes:
            each.kill()
        await super().stop()


class RoundRobin(Line):
    """A load balancer that gives each connection to the next node that is ready, by its own check of twice a second."""

    def __init__(self, targets: list[int]) -> None:
        super().__init__(targets[0])
        self.targets = targets
        self.healthy = list(targets)
        self._turns = itertools.count()
        self._checks: asyncio.Task[None] | None = None

    async def start(self, port: int) -> "RoundRobin":
        await super().start(port)
        self._checks = asyncio.create_task(self._check())
        return self

    async def stop(self) -> None:
        if self._checks is not None:
            self._checks.cancel()
            await asyncio.gather(self._checks, return_exceptions=True)
        await super().stop()

    async def _check(self) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=1, headers={"connection": "close"}) as http:
            while True:
                for target in self.targets:
                    try:
                        good = (await http.get(f"http://127.0.0.1:{target}/readyz")).status_code == 200
                    except httpx.HTTPError:
                        good = False
                    if good and target not in self.healthy:
                        self.healthy.append(target)
                    elif not good and target in self.healthy:
                        self.healthy.remove(target)
                await asyncio.sleep(0.5)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        targets = self.healthy or self.targets
        turn = next(self._turns)
        for n in range(len(targets)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", targets[(turn + n) % len(targets)])
        raise ConnectionRefusedError("no node is there")

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await super()._accept(reader, writer)
        writer.transport.abort()
