"""`natter up`: a whole installation on this machine, in the foreground, until it is told to stop."""

import asyncio
import contextlib
import dataclasses
import os
import shutil
import signal
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import msgspec

from kernel.settings import Settings
from ops.children import control_child, engine_child, node_child, stripe_sim_child, worker_child
from ops.credentials import Wanted, ensure_credentials
from ops.databases import make_private_databases, migrate_all
from ops.embedded import Postgres, Valkey
from ops.errors import CannotStart
from ops.installation import Folder, Process, Runtime, Secrets, compose
from ops.installation.compose import control_url, reachable_host
from ops.installation.runtime import Node
from ops.nursery import Nursery
from ops.outbox import make_outbox_link
from ops.ports import free_port, holder, is_free
from ops.progress import Progress
from ops.supervisor import Supervisor


class AlreadyRunning(Exception):
    """Another process supervises this folder. `runtime` says which and where."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__("already running")
        self.runtime = runtime


class Interrupted(Exception):
    """It was told to stop before all was ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`nodes` is per shard; `shards` is `None` for as many as there were."""

    nodes: int = 1
    shards: int | None = None
    worker: bool = True
    stripe_sim: bool = False
    as_json: bool = False


class Installation:
    """One run of an installation."""

    def __init__(self, settings: Settings, options: Options, progress: Progress) -> None:
        self.configured = settings
        self.options = options
        self.progress = progress
        self.folder = Folder(settings.data_dir)
        self.stop = asyncio.Event()
        self.nursery = Nursery(self.folder.log("servers"))
        self.supervisor = Supervisor(progress, self.folder.log, self._remember)

    async def run(self) -> None:
        """Start, wait for the signal, stop. Raises `AlreadyRunning`, `CannotStart`, `Interrupted`, `SettingsError`."""
        self.folder.create()
        if not self.folder.acquire():
            raise AlreadyRunning(Runtime.load(self.folder))
        try:
            self._on_signals()
            await self._start_and_wait()
        finally:
            self.folder.release()

    async def _start_and_wait(self) -> None:
        self.runtime = Runtime.load(self.folder)
        if self.runtime.supervisor is not None:
            self.progress.say("The last run did not end in good order; picking up from there.")
            self.runtime.end_leftovers()
        elif not self.folder.secrets.exists():
            self.progress.say(f"A new installation in {self.folder.root}")
        try:
            await self._or_interrupted(self._start())
            self._tell()
            logs = asyncio.create_task(self.supervisor.keep_logs_small())
            await self.stop.wait()
            logs.cancel()
        finally:
            self.progress.say("Stopping ...")
            await self.supervisor.stop()
            await self.nursery.close()
            self.runtime.supervisor, self.runtime.processes, self.runtime.ready = None, {}, False
            self.runtime.save(self.folder)
        self.progress.say(f"Stopped. The data stays in {self.folder.root}.")

    async def _start(self) -> None:
        self._settle_shards()
        self._check_ports()
        await self.nursery.open()  # it loads while the engines start
        self.secrets = Secrets.load_or_make(self.folder)
        self._settle_stripe()
        self.runtime.supervisor = Process.of(os.getpid())
        self.runtime.control_url = control_url(self.configured)
        await self._start_engines()
        settings = compose(self.configured, self.secrets, self.runtime)
        await self._prepare_databases(settings)
        wanted = [Wanted("node", node.name, node.shard) for node, _ in self.nodes]
        wanted += [Wanted("relay", shard.id, shard.id) for shard in settings.shards]
        if await ensure_credentials(settings, wanted, self.secrets.credentials):
            self.secrets.save(self.folder)
            settings = compose(self.configured, self.secrets, self.runtime)
        self.runtime.nodes = [node for node, _ in self.nodes]
        credentials = self.secrets.credentials
        children = [control_child(self.nursery, settings)]
        if self.options.stripe_sim:
            state = self.folder.root / "stripe-sim.db"
            children.append(stripe_sim_child(self.nursery, settings, self._stripe_port, state))
        children += [
            node_child(self.nursery, settings, node, port, credentials[f"node/{node.name}"])
            for node, port in self.nodes
        ]
        if self.options.worker:
            children.append(worker_child(self.nursery, settings, self.folder.root / "worker.ready"))
        await self.supervisor.start(children)
        self.portal, self.outbox_url = settings.portal, await make_outbox_link(settings)
        self.runtime.ready = True
        self._remember(self.supervisor)

    # -- before anything starts --------------------------------------------------------------------------------------

    def _settle_shards(self) -> None:
        configured, before, asked = self.configured, self.runtime.shards, self.options.shards
        if configured.shards:
            if asked not in (None, len(configured.shards)):
                raise CannotStart(
                    f"--shards {asked} contradicts NATTER_SHARDS, which names {len(configured.shards)}.",
                    "Leave --shards away.",
                )
            self.runtime.shards = 0
            self.shard_ids = [shard.id for shard in configured.shards]
        else:
            if asked is not None and asked < before:
                raise CannotStart(
                    f"This installation has {before} shards, and apps may live on each; --shards {asked} would leave "
                    "some of them without a node.",
                    f"Start with --shards {before}, or without the option.",
                )
            self.runtime.shards = asked or before or 1
            self.shard_ids = [f"s{index}" for index in range(self.runtime.shards)]
        self.nodes: list[tuple[Node, int]] = []
        for shard in self.shard_ids:
            for index in range(self.options.nodes):
                port = configured.node_port + len(self.nodes)
                self.nodes.append((Node(f"{shard}-n{index}", shard, self._node_url(port)), port))

    @property
    def _stripe_port(self) -> int:
        return self.configured.control_port + 300

    def _settle_stripe(self) -> None:
        """Where the simulator runs and by which secrets, which stay the same from start to start."""
        self.runtime.stripe_sim = f"http://127.0.0.1:{self._stripe_port}" if self.options.stripe_sim else ""
        if self.options.stripe_sim and self.secrets.stripe_sim is None:
            self.secrets.stripe_sim = (f"sk_test_{token_hex(16)}", f"whsec_{token_hex(16)}")

    def _node_url(self, port: int) -> str:
        only_one = len(self.shard_ids) * self.options.nodes == 1
        if self.configured.public_url and only_one:
            return self.configured.public_url
        return f"http://{reachable_host(self.configured.host)}:{port}"

    def _check_ports(self) -> None:
        ports = [("the control plane", self.configured.control_port, "NATTER_CONTROL_PORT")]
        ports += [(f"node {node.name}", port, "NATTER_NODE_PORT") for node, port in self.nodes]
        if self.options.stripe_sim:
            if self.configured.stripe_secret_key:
                raise CannotStart(
                    "--stripe-sim contradicts NATTER_STRIPE_SECRET_KEY, which is for a real Stripe account.",
                    "Leave one of them away.",
                )
            ports.append(("the Stripe simulator", self._stripe_port, "NATTER_CONTROL_PORT, 300 below it,"))
        for index, (whose, port, setting) in enumerate(ports):
            way_out = (
                f"End that program, or move Natter: {setting} for this one, natter up --port-base 9000 for all "
                "(control plane at 9000, nodes from 9100)."
            )
            if port in [other for _, other, _ in ports[:index]]:
                raise CannotStart(f"{whose} and another server of Natter would both listen on port {port}.", way_out)
            try:
                free = is_free(port, self.configured.host)
            except PermissionError as error:
                raise CannotStart(f"This user may not listen on port {port}, which is for {whose}.", way_out) from error
            except OSError as error:
                raise CannotStart(
                    f"Natter cannot listen on {self.configured.host}: {error.strerror}.",
                    "NATTER_HOST must be an address of this machine.",
                ) from error
            if not free:
                who = holder(port)
                raise CannotStart(f"Port {port}, which is for {whose}, is taken{f' by {who}' if who else ''}.", way_out)

    # -- engines and databases -----------------------------------------------------------------------------------------

    async def _start_engines(self) -> None:
        configured, secrets = self.configured, self.secrets
        engines: list[tuple[str, Postgres | Valkey]] = []
        # Programs are looked for, and perhaps copied, off the loop.
        home = await asyncio.to_thread(self.folder.engines, secrets.installation)
        if home != self.folder.root:
            self.progress.say(
                f"The engines' user cannot come into {self.folder.root}, so their data lies in {home}\n"
                f"(a link to it: {self.folder.root / 'engines'})."
            )
        if not configured.database_url:
            port = self._engine_port("postgres")
            make = lambda: Postgres(home / "postgres", port=port, password=secrets.postgres)  # noqa: E731
            engines.append(("postgres", await asyncio.to_thread(make)))
        if not configured.redis_url and not configured.shards:
            for shard in self.shard_ids:
                name = f"valkey-{shard}"
                engines.append(
                    (name, Valkey(home / name, port=self._engine_port(name), password=secrets.valkey_password(shard)))
                )
        secrets.save(self.folder)
        for name, engine in engines:
            await asyncio.to_thread(engine.prepare)
            if not is_free(engine.port):  # somebody else took it since the last run
                engine.port = self.runtime.ports[name] = self._fresh_port()
        self._remember(self.supervisor)
        await self.supervisor.start(
            [engine_child(name, engine, f"127.0.0.1:{engine.port}") for name, engine in engines]
        )

    def _engine_port(self, name: str) -> int:
        if name not in self.runtime.ports:
            self.runtime.ports[name] = self._fresh_port()
        return self.runtime.ports[name]

    def _fresh_port(self) -> int:
        own = {self.configured.control_port, *(port for _, port in self.nodes), *self.runtime.ports.values()}
        return free_port(own)

    async def _prepare_databases(self, settings: Settings) -> None:
        if not self.configured.database_url:
            url = f"{settings.migration_url.rpartition('/')[0]}/postgres"
            await make_private_databases(settings, url, self.secrets.runtime)
        began = self.progress.elapsed
        applied = await migrate_all(settings)
        took = f"migrated in {self.progress.elapsed - began:.1f} s" if any(applied.values()) else "up to date"
        self.progress.step("database schemas", took)

    # -- while it runs -------------------------------------------------------------------------------------------------

    def _remember(self, supervisor: Supervisor) -> None:
        self.runtime.processes = {
            name: Process.of(pid)
            for name, pid in supervisor.processes().items()
            if name in ("control", "worker", "stripe-sim") or name.startswith("node-")
        }
        self.runtime.save(self.folder)

    def _on_signals(self) -> None:
        def told() -> None:
            if self.stop.is_set():
                self.supervisor.hurry()
            self.stop.set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, told)

    async def _or_interrupted(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, unless told to stop first. Raises `Interrupted`."""
        working, told = asyncio.ensure_future(work), asyncio.ensure_future(self.stop.wait())
        await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not working.done():
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError, CannotStart):
                await working
            raise Interrupted
        await working

    def _tell(self) -> None:
        if self.options.as_json:
            ready = {
                "control_url": self.runtime.control_url,
                "portal_url": self.portal,
                "outbox_url": self.outbox_url,
                "nodes": self.runtime.nodes,
                "stripe_sim_url": self.runtime.stripe_sim,
                "data_dir": str(self.folder.root),
                "pid": os.getpid(),
            }
            sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
            sys.stdout.flush()
        else:
            urls = [node.url for node in self.runtime.nodes]
            self.progress.say(
                screen(self.folder, self.portal, urls, self.outbox_url, self.progress.elapsed, self.runtime.stripe_sim)
            )


def screen(
    folder: Folder, portal: str, chat: Sequence[str], outbox_url: str, seconds: float, stripe_sim: str = ""
) -> str:
    """What a person needs to know once all is ready."""
    stripe = f"\n  Stripe       {stripe_sim}  (a simulator: no money moves; its clock is there)" if stripe_sim else ""
    nodes = "\n".join(f"  {'Chat' if not index else '':<12} {url}" for index, url in enumerate(chat))
    return f"""
Natter is ready ({seconds:.1f} s).

  Portal       {portal}
{nodes}
  Data         {folder.root}  (logs in {folder.logs.name}/)
  Mail outbox  {outbox_url}
               This link works once; {_command()} outbox prints another.{stripe}

First steps
  1. Open {portal}/sign-up and create an account; the confirmation mail lands in the outbox.
  2. Create an app and paste the code of its quickstart page.

Ctrl-C stops everything; the data stays.
"""


def _command() -> str:
    """How this person calls `natter`."""
    if shutil.which("natter"):
        return "natter"
    script = Path(sys.executable).with_name("natter")
    return os.path.relpath(script) if script.is_relative_to(Path.cwd()) else str(script)


def with_port_base(settings: Settings, base: int) -> Settings:
    """All public ports moved: the control plane at `base`, nodes from 100 above it."""
    return dataclasses.replace(settings, control_port=base, node_port=base + 100)
