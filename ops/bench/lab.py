"""What benchmarks stand on: an installation of their own, the load's process, the peer's, and what each costs."""

import asyncio
import dataclasses
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import msgspec

from ops.bench.load import Plan, Report
from ops.ports import free_port

TICK: Final = os.sysconf("SC_CLK_TCK")
LOG_SEGMENTS: Final = 30
"""Of the write-ahead log, 16 MB each: as many as a run writes, and fewer than begin a checkpoint by themselves."""


@dataclass(frozen=True)
class Lab:
    """An installation with one tenant."""

    folder: Path
    tenant: dict[str, Any]
    urls: list[str]
    node_pids: list[int]
    database_url: str

    @asynccontextmanager
    async def api(self) -> AsyncIterator[httpx.AsyncClient]:
        """REST as the tenant's server."""
        headers = {"authorization": f"Bearer {self.tenant['secret_key']}"}
        # The server closes what was idle for five seconds, which is also when httpx would: one of both comes too late.
        limits = httpx.Limits(max_connections=32, keepalive_expiry=2.0)
        async with httpx.AsyncClient(base_url=self.urls[0], headers=headers, timeout=60, limits=limits) as api:
            yield api


@asynccontextmanager
async def lab(*, nodes: int = 1, plan: str = "enterprise") -> AsyncIterator[Lab]:
    """`natter up` in a folder of its own, and an app on this plan; everything is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="natter-bench-"))
    os.chmod(folder, 0o711)  # noqa: PTH101, S103 - the engines' user must pass through
    natter = [sys.executable, "-m", "ops.cli"]
    up = await asyncio.create_subprocess_exec(
        *natter, "up", "--json", "--nodes", str(nodes), "--port-base", str(free_port()),
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert up.stdout is not None
        line = await asyncio.wait_for(up.stdout.readline(), 120)
        if not line:
            raise RuntimeError(f"natter up did not start; run it in {folder} to see why")
        urls = [node["url"] for node in json.loads(line)["nodes"]]
        tenant = await _open_app(folder, plan)
        runtime = json.loads((folder / ".natter" / "runtime.json").read_text())
        secrets = json.loads((folder / ".natter" / "secrets.json").read_text())
        pids = [process["pid"] for name, process in runtime["processes"].items() if name.startswith("node-")]
        database = f"postgresql://postgres:{secrets['postgres']}@127.0.0.1:{runtime['ports']['postgres']}/natter_s0"
        here = Lab(folder, tenant, urls, pids, database)
        await _known_to_nodes(here)
        await _settle(database)
        yield here
    finally:
        if up.returncode is None:
            up.terminate()
        await up.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def _settle(database_url: str) -> None:
    """Bring PostgreSQL to where it is after its first hour: with segments of its log that it uses again.

    Each new one is filled with zeros and synced first, for which every writer waits, here 50 to 400 ms.
    """
    connection = await asyncpg.connect(database_url)
    try:
        for _ in range(LOG_SEGMENTS):
            await connection.execute("select pg_logical_emit_message(false, 'natter', ''), pg_switch_wal()")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


async def another_tenant(here: Lab, plan: str) -> Lab:
    """The same installation as an app on this plan has it."""
    other = dataclasses.replace(here, tenant=await _open_app(here.folder, plan))
    await _known_to_nodes(other)
    return other


async def _open_app(folder: Path, plan: str) -> dict[str, Any]:
    create = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops.cli", "tenant", "create", "--email", "bench@example.com", "--organization", "Bench",
        "--app", f"Bench {plan}", "--plan", plan, "--json", cwd=folder, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await create.communicate()
    tenant: dict[str, Any] = json.loads(output)
    return tenant


async def _known_to_nodes(here: Lab) -> None:
    """The nodes hear of a new tenant within a moment."""
    headers = {"authorization": f"Bearer {here.tenant['secret_key']}"}
    async with httpx.AsyncClient(headers=headers) as api:
        for url in here.urls:
            while (await api.get(f"{url}/v1/channels")).status_code == 401:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def make_users(api: httpx.AsyncClient, names: Sequence[str]) -> None:
    """Store users."""
    for at in range(0, len(names), 100):
        batch = [{"id": name} for name in names[at : at + 100]]
        (await api.post("/v1/users", json={"users": batch})).raise_for_status()


async def make_room(api: httpx.AsyncClient, room: str, members: Sequence[str]) -> None:
    """Store a channel, however many its members are."""
    body = {"id": room, "type": "group", "members": list(members[:100])}
    (await api.post("/v1/channels", json=body)).raise_for_status()
    for at in range(100, len(members), 100):
        body = {"user_ids": list(members[at : at + 100])}
        (await api.post(f"/v1/channels/{room}/members", json=body)).raise_for_status()


async def tokens_for(api: httpx.AsyncClient, names: Sequence[str]) -> list[str]:
    """An access token for each."""
    gate = asyncio.Semaphore(16)

    async def one(name: str) -> str:
        async with gate:
            answer = await api.post("/v1/tokens", json={"user_id": name})
            token: str = answer.raise_for_status().json()["access_token"]
            return token

    return await asyncio.gather(*map(one, names))


class LoadProcess:
    """The load in a process of its own. `servers`: the processes whose CPU is told apart by phases."""

    def __init__(self, process: asyncio.subprocess.Process, plan: Plan, servers: Sequence[int]) -> None:
        self._process = process
        self._plan = plan
        self._servers = servers
        self._spent = sum(map(cpu_seconds, servers))
        self.connect_cpu_seconds = 0.0

    async def connected(self) -> None:
        """Until every socket is ready."""
        if (await self._line()).strip() != b"ready":
            await self._process.wait()
            raise RuntimeError("the load could not connect")
        self.connect_cpu_seconds = self._lap()

    async def go(self) -> None:
        """Begin."""
        self._lap()
        await self._write(b"go\n")

    async def report(self) -> tuple[Report, dict[str, float]]:
        """What the load saw, and of the servers: CPU seconds, resident bytes. Waits until it is over."""
        if not self._plan.herd:
            await asyncio.sleep(self._plan.seconds)
            spent = self._lap()
        report = msgspec.json.decode(await self._line(), type=Report)
        if self._plan.herd:
            spent = self._lap()
        await self._process.wait()
        return report, {
            "cpu_seconds": round(spent, 2),
            "connect_cpu_seconds": round(self.connect_cpu_seconds, 2),
            "resident_bytes": sum(map(resident_bytes, self._servers)),
        }

    def _lap(self) -> float:
        before, self._spent = self._spent, sum(map(cpu_seconds, self._servers))
        return self._spent - before

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        return await self._process.stdout.readline()

    async def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        await self._process.stdin.drain()


@asynccontextmanager
async def load_process(plan: Plan, servers: Sequence[int]) -> AsyncIterator[LoadProcess]:
    """Start a plan; it is ended when the block is left before its report."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops.bench.load",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 28,
    )  # fmt: skip
    try:
        load = LoadProcess(process, plan, servers)
        await load._write(msgspec.json.encode(plan) + b"\n")
        yield load
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def run_load(plan: Plan, servers: Sequence[int]) -> tuple[Report, dict[str, float]]:
    """Run a plan. Returns its report, and of the servers: CPU seconds, resident bytes."""
    async with load_process(plan, servers) as load:
        await load.connected()
        await asyncio.sleep(0.5)
        await load.go()
        return await load.report()


@asynccontextmanager
async def peer(database_url: str | None = None) -> AsyncIterator[tuple[str, int]]:
    """The Node.js server; yields its URL and process id."""
    from ops.bench.node_packages import NODE, installed

    folder = await asyncio.to_thread(installed)
    port = free_port()
    environment = {**os.environ, "PORT": str(port)}
    if database_url is not None:
        environment["DATABASE_URL"] = database_url
    process = await asyncio.create_subprocess_exec(
        str(NODE), "server.mjs", cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        if (await process.stdout.readline()).strip() != b"ready":
            raise RuntimeError("the peer did not start")
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_bytes(pid: int) -> int:
    """What a process holds in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
