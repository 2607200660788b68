"""What runs, and where: for a second `natter up`, for the other commands, and for the start after a crash."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from ops.installation.folder import Folder, write_private


class Process(msgspec.Struct, frozen=True):
    """A process by id and the moment of its start, which together never name another one."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Process":
        """The process that has this id now."""
        return cls(pid, _started(pid))

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.started != "" and _started(self.pid) == self.started


class Node(msgspec.Struct, frozen=True):
    """A data-plane node and where clients reach it."""

    name: str
    shard: str
    url: str


class Runtime(msgspec.Struct):
    """`ports` are the private engines' (`postgres`, `valkey-<shard>`), kept from start to start, as is `shards`.

    `stripe_sim` is where the Stripe simulator runs, empty without it.
    `supervisor` is set while Natter runs or when it ended without cleaning up.
    """

    ports: dict[str, int] = {}
    shards: int = 0
    control_url: str = ""
    stripe_sim: str = ""
    nodes: list[Node] = []
    supervisor: Process | None = None
    processes: dict[str, Process] = {}
    ready: bool = False

    @classmethod
    def load(cls, folder: Folder) -> "Runtime":
        """That of this folder, or an empty one: everything in it can be found out again but the ports."""
        try:
            return msgspec.json.decode(folder.runtime.read_bytes(), type=cls)
        except (FileNotFoundError, msgspec.DecodeError):
            return cls()

    def save(self, folder: Folder) -> None:
        """Write it, whole or not at all."""
        write_private(folder.runtime, msgspec.json.format(msgspec.json.encode(self)) + b"\n")

    def end_leftovers(self) -> int:
        """Kill the servers that an earlier supervisor left behind; the engines look after themselves.

        Returns how many there were. Blocks for as long as the system needs to end them.
        """
        left = [process for process in self.processes.values() if process.is_alive()]
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        while any(process.is_alive() for process in left):
            time.sleep(0.01)
        self.processes = {}
        return len(left)


def _started(pid: int) -> str:
    """The start of a process in clock ticks since boot, with the boot's id; empty when there is no such process."""
    try:
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else f"{boot}:{fields[19]}"
