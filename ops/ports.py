"""Ports: find a free one, and name who holds a taken one."""

import errno
import random
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Final

HIGHEST: Final = 22_000
"""Engines listen below this. From 32768 on the system hands ports to outgoing connections, and a Redis Cluster bus
listens 10,000 above its server."""

NOT_FOR_HTTP: Final = frozenset({
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10_080,
})  # fmt: skip
"""Ports from 1024 on that browsers, and `fetch` in Node.js, refuse to ask (the Fetch standard, "bad port")."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now. Raises `PermissionError` where this user may not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


_share = (0, 1)


def keep_to_share(index: int, count: int) -> None:
    """From now on this process takes its ports from one of `count` parts of each range (counted from 0)."""
    global _share
    if not 0 <= index < count:
        raise ValueError(f"there is no part {index} of {count}")
    _share = (index, count)


def free_port(taken: Collection[int] = (), *, lowest: int = 10_000, highest: int = HIGHEST) -> int:
    """A port that nobody listens on, chosen at random so that two who ask at once do not get the same."""
    index, count = _share
    width = (highest - lowest) // count
    for _ in range(500):
        port = lowest + index * width + random.randrange(width)  # noqa: S311
        if port not in taken and port not in NOT_FOR_HTTP and is_free(port):
            return port
    raise OSError(f"no free port between {lowest} and {highest}")


def holder(port: int) -> str | None:
    """`name (process 123)` of who listens on the port, where the system lets us see it."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (Path("/proc/net") / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    if not inodes:
        return None
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if any(str(link.readlink()) in inodes for link in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue
    return None
