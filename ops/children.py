"""The children of `natter up`: engines, and Natter's own servers with exactly the settings that each needs."""

import dataclasses
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from kernel.settings import Settings, ShardSettings
from ops.embedded.process import Engine
from ops.environment import environment_of
from ops.installation.compose import control_url, reachable_host
from ops.installation.runtime import Node
from ops.nursery import Nursery
from ops.probe import http_status
from ops.supervisor import Child, Started

# The order of a stop is from the highest: nodes let their clients go while everything behind them still works.
_POSTGRES, _VALKEY, _CONTROL, _WORKER, _NODE = range(5)
_DRAIN: Final = ((signal.SIGTERM, 30.0),)


def engine_child(name: str, engine: Engine, where: str) -> Child:
    """A private PostgreSQL or Valkey. It has been prepared once already, before its port was settled."""

    async def start(log: Path) -> Started:
        # Here on the main thread: the system ends a child together with the thread that started it.
        return engine.launch().start(log)

    return Child(
        name=name,
        title=engine.name,
        rank=_POSTGRES if name == "postgres" else _VALKEY,
        prepare=engine.prepare,
        start=start,
        is_ready=_at_once(engine.is_ready),
        stop_signals=engine.stop_signals,
        where=where,
    )


def control_child(nursery: Nursery, settings: Settings) -> Child:
    """The control plane."""
    url = control_url(settings)
    return Child(
        name="control",
        title="control plane",
        rank=_CONTROL,
        start=_server(nursery, _without_administration(settings), "control"),
        is_ready=_answers(url),
        stop_signals=_DRAIN,
        where=url,
    )


def node_child(nursery: Nursery, settings: Settings, node: Node, port: int, credential: str) -> Child:
    """A data-plane node. It gets its own shard's engines and no way into the control plane's database."""
    own = dataclasses.replace(
        _without_administration(settings),
        database_url="",
        shards=tuple(_for_node(shard) for shard in settings.shards if shard.id == node.shard),
        redis_url="",
        jobs_redis_url="",
        shard=node.shard,
        node_name=node.name,
        node_port=port,
        credential=credential,
        public_url=node.url,
        peer_address="",
        drain_seconds=0.0,  # there is no load balancer that has to notice
    )
    return Child(
        name=f"node-{node.name}",
        title=f"node {node.name}",
        rank=_NODE,
        start=_server(nursery, own, "node"),
        is_ready=_answers(f"http://{reachable_host(settings.host)}:{port}"),
        stop_signals=_DRAIN,
        where=node.url,
    )


def worker_child(nursery: Nursery, settings: Settings, ready_file: Path) -> Child:
    """The worker of all shards. It has no port, so it says that it is ready through a file."""

    def is_ready(pid: int) -> bool:
        try:
            return ready_file.read_text() == str(pid)
        except OSError:
            return False

    return Child(
        name="worker",
        title="worker",
        rank=_WORKER,
        start=_server(nursery, _without_administration(settings), "worker", "--ready-file", str(ready_file)),
        is_ready=_at_once(is_ready),
        stop_signals=_DRAIN,
    )


def stripe_sim_child(nursery: Nursery, settings: Settings, port: int, state: Path) -> Child:
    """The Stripe simulator. It gets its own key and secret, and nothing of Natter's."""
    url = settings.stripe_api_url
    secrets = {"NATTER_STRIPE_SECRET_KEY", "NATTER_STRIPE_WEBHOOK_SECRETS"}
    environment = {
        name: value
        for name, value in environment_of(settings).items()
        if name in secrets or not name.startswith("NATTER_")
    }
    hook = f"{control_url(settings)}/webhooks/stripe"
    command = ("stripe-sim", "--port", str(port), "--state", str(state), "--webhook", hook)

    async def start(log: Path) -> Started:
        return await nursery.start(command, environment, log)

    return Child(
        name="stripe-sim",
        title="Stripe simulator",
        rank=_VALKEY,  # after those who call it
        start=start,
        is_ready=_answers(url),
        stop_signals=((signal.SIGTERM, 5.0),),
        where=url,
    )


def _without_administration(settings: Settings) -> Settings:
    """Servers never get the user that may create roles and drop tables."""
    shards = tuple(msgspec.structs.replace(shard, migration_url=None) for shard in settings.shards)
    return dataclasses.replace(settings, migration_url="", shards=shards)


def _for_node(shard: ShardSettings) -> ShardSettings:
    return msgspec.structs.replace(shard, migration_url=None, relay_credential=None)


def _server(nursery: Nursery, settings: Settings, *command: str) -> Callable[[Path], Awaitable[Started]]:
    """A server with its settings in the environment, where other users cannot see them."""

    async def start(log: Path) -> Started:
        return await nursery.start(command, environment_of(settings), log)

    return start


def _answers(url: str) -> Callable[[int], Awaitable[bool]]:
    async def is_ready(_: int) -> bool:
        return await http_status(f"{url}/readyz") == 200

    return is_ready


def _at_once(question: Callable[[int], bool]) -> Callable[[int], Awaitable[bool]]:
    async def is_ready(pid: int) -> bool:
        return question(pid)

    return is_ready
