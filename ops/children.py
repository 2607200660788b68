"""The children of `natter up`: engines, and Natter's own servers with exactly the settings that each needs."""

import dataclasses
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from kernel.settings import Settings, ShardSettings
from ops.embedded.process import Engine, Launch
from ops.environment import environment_of
from ops.installation.compose import reachable_host
from ops.installation.runtime import Node
from ops.probe import http_status
from ops.supervisor import Child

# The order of a stop is from the highest: nodes let their clients go while everything behind them still works.
_POSTGRES, _VALKEY, _CONTROL, _WORKER, _NODE = range(5)
_DRAIN: Final = ((signal.SIGTERM, 25.0),)


def engine_child(name: str, engine: Engine, where: str) -> Child:
    """A private PostgreSQL or Valkey. It has been prepared once already, before its port was settled."""

    async def is_ready(pid: int) -> bool:
        return engine.is_ready(pid)

    return Child(
        name=name,
        title=engine.name,
        rank=_POSTGRES if name == "postgres" else _VALKEY,
        prepare=engine.prepare,
        launch=engine.launch,
        is_ready=is_ready,
        stop_signals=engine.stop_signals,
        where=where,
    )


def control_child(settings: Settings) -> Child:
    """The control plane."""
    url = f"http://{reachable_host(settings.host)}:{settings.control_port}"
    return Child(
        name="control",
        title="control plane",
        rank=_CONTROL,
        launch=_server("control", _without_administration(settings)),
        is_ready=_answers(url),
        stop_signals=_DRAIN,
        where=url,
    )


def node_child(settings: Settings, node: Node, port: int, credential: str) -> Child:
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
    )
    return Child(
        name=f"node-{node.name}",
        title=f"node {node.name}",
        rank=_NODE,
        launch=_server("node", own),
        is_ready=_answers(f"http://{reachable_host(settings.host)}:{port}"),
        stop_signals=_DRAIN,
        where=node.url,
    )


def worker_child(settings: Settings) -> Child:
    """The worker of all shards. It has no port, so it says that it is ready through a pipe."""
    pipe = _ReadyPipe()
    launch = _server("worker", _without_administration(settings))

    def launch_with_pipe() -> Launch:
        descriptor = pipe.open()
        plain = launch()
        return dataclasses.replace(plain, argv=(*plain.argv, "--ready-fd", str(descriptor)), pass_fds=(descriptor,))

    async def is_ready(_: int) -> bool:
        return pipe.said_ready()

    return Child(
        name="worker",
        title="worker",
        rank=_WORKER,
        launch=launch_with_pipe,
        is_ready=is_ready,
        stop_signals=_DRAIN,
    )


def _without_administration(settings: Settings) -> Settings:
    """Servers never get the user that may create roles and drop tables."""
    shards = tuple(msgspec.structs.replace(shard, migration_url=None) for shard in settings.shards)
    return dataclasses.replace(settings, migration_url="", shards=shards)


def _for_node(shard: ShardSettings) -> ShardSettings:
    return msgspec.structs.replace(shard, migration_url=None, relay_credential=None)


def _server(command: str, settings: Settings) -> Callable[[], Launch]:
    """`natter COMMAND` with the settings in its environment, where other users cannot see them."""
    return lambda: Launch(
        # -P: a folder `kernel` in the working directory must not be taken for ours.
        argv=(sys.executable, "-P", "-m", "ops.cli", command),
        env=environment_of(settings),
        cwd=Path.cwd(),
        death_signal=signal.SIGKILL,
    )


def _answers(url: str) -> Callable[[int], Awaitable[bool]]:
    async def is_ready(_: int) -> bool:
        return await http_status(f"{url}/readyz") == 200

    return is_ready


class _ReadyPipe:
    """A pipe whose other end a child writes to once it works."""

    def __init__(self) -> None:
        self._reading = self._writing = -1

    def open(self) -> int:
        """A fresh pipe; returns the descriptor for the child."""
        self._close()
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        return self._writing

    def said_ready(self) -> bool:
        """Whether the child has written. Only for after its start: this end's copy of the child's end is closed."""
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1
        try:
            return self._reading >= 0 and os.read(self._reading, 1) == b"\n"
        except BlockingIOError:
            return False

    def _close(self) -> None:
        for descriptor in (self._reading, self._writing):
            if descriptor >= 0:
                os.close(descriptor)
        self._reading = self._writing = -1
